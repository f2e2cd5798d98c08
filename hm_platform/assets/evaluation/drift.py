"""Drift of a week's purchases and features, and the checks that warn of it.

What is compared, and how, is the work of ``hm_platform.drift``.
"""

from typing import Any

import pyarrow as pa
from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetDep,
    AssetExecutionContext,
    AssetIn,
    MetadataValue,
    Output,
    asset,
    asset_check,
)

from hm_platform.assets.metadata import OWNERS, declared
from hm_platform.assets.partitions import week, weekly, weeks_before, whole_history
from hm_platform.drift.quantities import FEWEST_WEEKS, WEEKS_BEFORE, is_feature
from hm_platform.drift.staging import (
    FEATURE_COLUMNS,
    FEATURE_SPLITS,
    PURCHASE_COLUMNS,
    SALES_COLUMNS,
)
from hm_platform.resources import TablesResource

COMPARED = weeks_before(WEEKS_BEFORE, 0)


def _features(table: str) -> AssetIn:
    return AssetIn(
        ["features", table],
        metadata={"columns": list(FEATURE_COLUMNS[table]), "filter": {"split": FEATURE_SPLITS}},
    )


@asset(
    key=["evaluation", "drift"],
    ins={
        "purchases": AssetIn(
            ["marts", "joined_transactions"],
            metadata={"columns": list(PURCHASE_COLUMNS)},
            partition_mapping=COMPARED,
        ),
        "sales": AssetIn(
            ["marts", "weekly_article_sales"],
            metadata={"columns": list(SALES_COLUMNS)},
            partition_mapping=whole_history,
        ),
        "articles": _features("articles"),
        "customers": _features("customers"),
    },
    # The record that all these weeks are loaded whole.
    deps=[AssetDep(["marts", "loaded_weeks"], partition_mapping=COMPARED)],
    partitions_def=weekly,
    group_name="evaluation",
    owners=OWNERS,
    kinds={"duckdb"},
    metadata={"partition_expr": "week", **declared("evaluation.drift")},
)
def drift(
    context: AssetExecutionContext,
    tables: TablesResource,
    purchases: pa.RecordBatchReader,
    sales: pa.RecordBatchReader,
    articles: pa.RecordBatchReader,
    customers: pa.RecordBatchReader,
) -> Output[pa.Table]:
    """How the week's purchases, and the features made of them, differ from the weeks before.

    Numbers of purchases and buyers, and distributions by the population stability index. It warns
    and stops nothing.
    """
    from hm_platform.behaviour.plots import picture
    from hm_platform.drift.table import drift_table
    from hm_platform.drift.view import drift_view

    built = week(context)
    found = drift_table(built, purchases, sales, {"articles": articles, "customers": customers})
    others = tables.previous("evaluation", "drift")
    earlier = [] if others is None else others.to_pylist()
    view = drift_view([*(row for row in earlier if row["week"] < built), *found.to_pylist()], built)
    context.log.info(view.headline)
    failed = [row for row in view.rows if row.outcome == "failed"]
    return Output(
        found,
        metadata={
            "headline": view.headline,
            "quantities that look different": len(failed),
            "charts": MetadataValue.md("\n\n".join(map(picture, view.charts)) + "\n"),
        },
    )


def _look(name: str, features: bool, description: str) -> AssetChecksDefinition:
    @asset_check(asset=["evaluation", "drift"], name=name, description=description)
    def check(context: AssetCheckExecutionContext, tables: TablesResource) -> AssetCheckResult:
        from hm_platform.drift.view import JUDGED, headline

        read = ["quantity", "measure", "value", "threshold", "reference_weeks", "outcome", "detail"]
        rows = tables.stream(["evaluation", "drift"], week(context), read).read_all().to_pylist()
        mine = [
            row
            for row in rows
            if is_feature(row["quantity"]) is features and row["measure"] in JUDGED
        ]
        return AssetCheckResult(
            passed=all(row["outcome"] != "failed" for row in mine),
            severity=AssetCheckSeverity.WARN,
            metadata={"headline": headline(mine), "quantities": MetadataValue.md(_table(mine))},
        )

    return check


def _table(rows: list[dict[str, Any]]) -> str:
    """The judged rows in Markdown."""
    lines = ["| quantity | measure | value | threshold | outcome | what changed most |"]
    lines += ["|---|---|---:|---:|---|---|"]
    for row in rows:
        value, threshold = (
            "" if row[name] is None else f"{row[name]:.4f}" for name in ("value", "threshold")
        )
        detail = (row["detail"] or "").replace("|", "\\|")
        lines.append(
            f"| {row['quantity']} | {row['measure']} | {value} | {threshold} | {row['outcome']} "
            f"| {detail} |"
        )
    return "\n".join(lines) + "\n"


ASSETS = [drift]
CHECKS = [
    _look(
        "purchases_look_as_before",
        False,
        f"The week's purchases look as those of the {WEEKS_BEFORE} weeks before: how many, at what "
        "prices, by whom and of what. Warns only, and from "
        f"{FEWEST_WEEKS} weeks before on.",
    ),
    _look(
        "features_look_as_before",
        True,
        "The features of the articles sold and the customers who bought in the week look as those "
        f"of the {WEEKS_BEFORE} weeks before. Warns only: the lists may be fine.",
    ),
]
