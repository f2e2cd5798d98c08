"""The ``features`` assets: they drive the Hamilton functions and show their graph, nothing else.

A feature is a function in ``hm_platform.features``; what it means is in its docstring. Hamilton is
imported when a feature is computed, since that takes seconds.
"""

import base64
from typing import Any

import pyarrow as pa
from dagster import (
    AssetExecutionContext,
    AssetIn,
    MetadataValue,
    TableColumn,
    TableSchema,
    asset,
)

from hm_platform.assets.metadata import OWNERS
from hm_platform.assets.partitions import CALENDAR, week, weekly, whole_history
from hm_platform.features import catalogue
from hm_platform.resources import PlanResource

ARTICLE_INDEX = AssetIn(["datasets", "article_index"])
CUSTOMER_INDEX = AssetIn(["datasets", "customer_index"])
ARTICLES = AssetIn(["staging", "stg_articles"])
CUSTOMERS = AssetIn(["staging", "stg_customers"])
ENCODERS = AssetIn(["features", "encoders"])
PAIRS = AssetIn(["marts", "weekly_customer_article_purchases"], partition_mapping=whole_history)


def _common(table: str) -> dict[str, Any]:
    schema = TableSchema(
        columns=[
            TableColumn(name=c.name, type=str(c.type), description=c.description)
            for c in catalogue.columns(table)
        ]
    )
    return {
        "key": ["features", table],
        "partitions_def": weekly,
        "group_name": "features",
        "owners": OWNERS,
        "kinds": {"hamilton", "arrow"},
        "metadata": {
            "partition_expr": "week",
            "dagster/column_schema": MetadataValue.table_schema(schema),
        },
    }


def _show_graph(context: AssetExecutionContext, table: str) -> None:
    """Attach the picture of the functions that made the table."""
    from hm_platform.features.picture import feature_graph_svg

    picture = base64.b64encode(feature_graph_svg(table).encode()).decode()
    context.add_output_metadata(
        {
            "feature_graph": MetadataValue.md(
                f"![The functions behind features/{table}](data:image/svg+xml;base64,{picture})"
            )
        }
    )


@asset(
    ins={
        "train": AssetIn(
            ["datasets", "train"],
            metadata={"columns": ["t_dat", "article_index", "customer_index", "price"]},
        ),
        "articles": ARTICLES,
        "customers": CUSTOMERS,
        "article_index": ARTICLE_INDEX,
        "customer_index": CUSTOMER_INDEX,
    },
    **_common("encoders"),
)
def encoders(
    context: AssetExecutionContext,
    plan: PlanResource,
    train: pa.RecordBatchReader,
    articles: pa.Table,
    customers: pa.RecordBatchReader,
    article_index: pa.Table,
    customer_index: pa.Table,
) -> pa.Table:
    """Everything that is fitted: the codes of categories and the scales of numbers.

    Fitted on the training split alone, stored with the model, and used by the same functions for
    validation, test and serving.
    """
    from hm_platform.features.driver import fit_encoders

    built = week(context)
    cutoff = plan.for_week(built, CALENDAR).training_end
    fitted = fit_encoders(cutoff, train, articles, customers, article_index, customer_index)
    _show_graph(context, "encoders")
    return fitted.to_table(built)


@asset(
    ins={
        "article_index": ARTICLE_INDEX,
        "customer_index": CUSTOMER_INDEX,
        "articles": ARTICLES,
        "weekly_article_sales": AssetIn(
            ["marts", "weekly_article_sales"], partition_mapping=whole_history
        ),
        "weekly_customer_article_purchases": PAIRS,
        "encoders": ENCODERS,
    },
    **_common("articles"),
)
def articles(
    context: AssetExecutionContext,
    plan: PlanResource,
    article_index: pa.Table,
    customer_index: pa.Table,
    articles: pa.RecordBatchReader,
    weekly_article_sales: pa.RecordBatchReader,
    weekly_customer_article_purchases: pa.RecordBatchReader,
    encoders: pa.Table,
) -> pa.Table:
    """What is known of each article at the cut-offs of validation, test, serving and ranking."""
    from hm_platform.features.driver import article_features
    from hm_platform.features.encoders import Encoders

    built = week(context)
    cutoffs = plan.for_week(built, CALENDAR).feature_cutoffs
    _show_graph(context, "articles")
    return article_features(
        built,
        cutoffs,
        article_index,
        customer_index,
        articles,
        weekly_article_sales,
        weekly_customer_article_purchases,
        Encoders.from_table(encoders),
    )


@asset(
    ins={
        "customer_index": CUSTOMER_INDEX,
        "customers": CUSTOMERS,
        "weekly_customer_purchases": AssetIn(
            ["marts", "weekly_customer_purchases"], partition_mapping=whole_history
        ),
        "encoders": ENCODERS,
    },
    **_common("customers"),
)
def customers(
    context: AssetExecutionContext,
    plan: PlanResource,
    customer_index: pa.Table,
    customers: pa.RecordBatchReader,
    weekly_customer_purchases: pa.RecordBatchReader,
    encoders: pa.Table,
) -> pa.RecordBatchReader:
    """What is known of each customer at the cut-offs of validation, test, serving and ranking."""
    from hm_platform.features.driver import customer_features
    from hm_platform.features.encoders import Encoders

    built = week(context)
    cutoffs = plan.for_week(built, CALENDAR).feature_cutoffs
    _show_graph(context, "customers")
    return customer_features(
        built,
        cutoffs,
        customer_index,
        customers,
        weekly_customer_purchases,
        Encoders.from_table(encoders),
    )


@asset(
    ins={
        "article_index": ARTICLE_INDEX,
        "customer_index": CUSTOMER_INDEX,
        "weekly_customer_article_purchases": PAIRS,
    },
    **_common("purchase_histories"),
)
def purchase_histories(
    context: AssetExecutionContext,
    plan: PlanResource,
    article_index: pa.Table,
    customer_index: pa.Table,
    weekly_customer_article_purchases: pa.RecordBatchReader,
) -> pa.RecordBatchReader:
    """Each customer's distinct past articles, most recent first, at the cut-off of each split.

    The ranking splits have them for the customers who bought something in the split's week, whom a
    ranker learns from, or in the week before.
    """
    from hm_platform.features import driver

    built = week(context)
    cutoffs = plan.for_week(built, CALENDAR).feature_cutoffs
    _show_graph(context, "purchase_histories")
    return driver.purchase_histories(
        built, cutoffs, article_index, customer_index, weekly_customer_article_purchases
    )


@asset(
    ins={
        "article_index": ARTICLE_INDEX,
        "customer_index": CUSTOMER_INDEX,
        "weekly_customer_article_purchases": PAIRS,
    },
    **_common("copurchases"),
)
def copurchases(
    context: AssetExecutionContext,
    plan: PlanResource,
    article_index: pa.Table,
    customer_index: pa.Table,
    weekly_customer_article_purchases: pa.RecordBatchReader,
) -> pa.RecordBatchReader:
    """For each article the articles most often bought with it.

    At the cut-offs of validation, test and serving, and once for all ranking splits.
    """
    from hm_platform.features import driver

    built = week(context)
    cutoffs = plan.for_week(built, CALENDAR).copurchase_cutoffs
    _show_graph(context, "copurchases")
    return driver.copurchases(
        built, cutoffs, article_index, customer_index, weekly_customer_article_purchases
    )


ASSETS = [encoders, articles, customers, purchase_histories, copurchases]
