"""The ``datasets`` assets: a week's integer indices and its three splits by time.

The work is done by ``hm_platform.datasets``; which days a split holds is the plan's business.
"""

from typing import Any

import pyarrow as pa
from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetDep,
    AssetExecutionContext,
    AssetIn,
    AssetsDefinition,
    DataVersion,
    Output,
    TimeWindowPartitionMapping,
    asset,
    asset_check,
)

from hm_platform.assets.metadata import OWNERS, declared
from hm_platform.assets.partitions import (
    CALENDAR,
    SETTINGS,
    week,
    weekly,
    weeks_before,
    whole_history,
)
from hm_platform.datasets import checks, splits
from hm_platform.resources import PlanResource, TablesResource

COMMON: dict[str, Any] = {
    "partitions_def": weekly,
    "group_name": "datasets",
    "owners": OWNERS,
    "kinds": {"arrow", "duckdb"},
}
PURCHASES = ["marts", "joined_transactions"]
SALES = ["marts", "weekly_article_sales"]
BUYERS = ["marts", "weekly_customer_purchases"]


@asset(
    key=["datasets", "article_index"],
    ins={"catalogue": AssetIn(["staging", "stg_articles"], metadata={"columns": ["article_id"]})},
    deps=[AssetDep(SALES, partition_mapping=whole_history)],
    metadata={"partition_expr": "week", **declared("datasets.article_index")},
    **COMMON,
)
def article_index(
    context: AssetExecutionContext,
    plan: PlanResource,
    tables: TablesResource,
    catalogue: pa.RecordBatchReader,
) -> pa.Table:
    """Every article known by the end of the week, numbered; those sold in training come first.

    The number is the row in feature tables and in the model's arrays, and below the count of
    training articles also the row of the id embedding.
    """
    bounds = plan.for_week(week(context), CALENDAR)
    sold = tables.distinct(SALES, bounds.test_end, "article_id", bounds.bounds["train"])
    return splits.article_index(bounds, sold, catalogue)


@asset(
    key=["datasets", "customer_index"],
    ins={"customers": AssetIn(["staging", "stg_customers"], metadata={"columns": ["customer_id"]})},
    deps=[AssetDep(BUYERS, partition_mapping=whole_history)],
    metadata={"partition_expr": "week", **declared("datasets.customer_index")},
    **COMMON,
)
def customer_index(
    context: AssetExecutionContext,
    plan: PlanResource,
    tables: TablesResource,
    customers: pa.RecordBatchReader,
) -> pa.Table:
    """Every customer known by the end of the week, numbered; those who bought in training first."""
    bounds = plan.for_week(week(context), CALENDAR)
    buyers = tables.distinct(BUYERS, bounds.test_end, "customer_id", bounds.bounds["train"])
    return splits.customer_index(bounds, buyers, customers)


def _split(name: str, mapping: TimeWindowPartitionMapping, description: str) -> AssetsDefinition:
    @asset(
        key=["datasets", name],
        description=description,
        ins={
            "articles": AssetIn(["datasets", "article_index"]),
            "customers": AssetIn(["datasets", "customer_index"]),
        },
        deps=[
            # Of the weeks that it may read, the plan says which: it is no input, but read below.
            AssetDep(PURCHASES, partition_mapping=mapping),
            # The record that all these weeks are loaded whole.
            AssetDep(["marts", "loaded_weeks"], partition_mapping=mapping),
        ],
        metadata={"partition_expr": "week", **declared(f"datasets.{name}")},
        **COMMON,
    )
    def split(
        context: AssetExecutionContext,
        plan: PlanResource,
        tables: TablesResource,
        articles: pa.Table,
        customers: pa.Table,
    ) -> Output[pa.RecordBatchReader]:
        bounds = plan.for_week(week(context), CALENDAR)
        first_day, day_after = bounds.bounds[name]
        purchases = tables.between(PURCHASES, first_day, day_after, splits.PURCHASE_COLUMNS)
        made = splits.build_split(name, bounds, purchases, articles, customers)
        return Output(
            made.rows,
            data_version=DataVersion(made.fingerprint),
            metadata={
                "fingerprint": made.fingerprint,
                "purchases": made.count,
                "first_day": str(first_day),
                "day_after": str(day_after),
            },
        )

    return split


# An earlier training or validation end (see PlanResource) moves days between the splits, so each
# may read any week that it could then hold.
train = _split(
    "train",
    weeks_before(SETTINGS.train_weeks + 1, 2),
    "The purchases that both models learn from: the weeks before the validation week.",
)
validation = _split(
    "validation",
    weeks_before(SETTINGS.train_weeks, 1),
    "The purchases that decide what is published, and that the ranker then learns from: the week "
    "before the test week.",
)
test = _split(
    "test",
    weeks_before(SETTINGS.train_weeks - 1, 0),
    "The purchases that the report scores recommendations on, looked at for nothing else: the "
    "week itself.",
)


def _days_check(name: str) -> AssetChecksDefinition:
    @asset_check(
        asset=["datasets", name],
        name="holds_only_its_days",
        description="Every purchase lies in the days of the split, so no split knows of another's "
        "days.",
        blocking=True,
    )
    def check(
        context: AssetCheckExecutionContext, plan: PlanResource, tables: TablesResource
    ) -> AssetCheckResult:
        built = week(context)
        bounds = plan.for_week(built, CALENDAR).bounds[name]
        found = checks.split_days(tables.stream(["datasets", name], built, ["t_dat"]), bounds)
        return AssetCheckResult(
            passed=found.outside == 0,
            metadata={
                "purchases": found.purchases,
                "purchases outside": found.outside,
                "first day": str(found.first_day),
                "last day": str(found.last_day),
            },
        )

    return check


ASSETS = [article_index, customer_index, train, validation, test]
CHECKS = [_days_check(name) for name in ("train", "validation", "test")]
