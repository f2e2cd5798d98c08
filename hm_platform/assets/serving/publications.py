"""The record of what is published for each week, by whom, and made of what."""

from pathlib import Path

import pyarrow as pa
from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetExecutionContext,
    AssetIn,
    MetadataValue,
    asset,
    asset_check,
)

from hm_platform.assets.metadata import OWNERS, declared
from hm_platform.assets.partitions import week, weekly, whole_history
from hm_platform.assets.serving.choosing import choice_for
from hm_platform.code_version import code_fingerprint
from hm_platform.landed_weeks import build_fingerprint, fingerprints
from hm_platform.machine import in_memory_config
from hm_platform.resources import ModelsResource, PlanResource, TablesResource

DECIDING_JOB = "decide"
"""The job that publishes a week again because somebody has decided who serves."""


@asset(
    key=["serving", "publications"],
    ins={
        "recommendations": AssetIn(
            ["serving", "recommendations"],
            metadata={"columns": ["customer_id", "model_version"]},
        ),
        "recommender": AssetIn(["models", "recommender"]),
        "loaded_weeks": AssetIn(
            ["marts", "loaded_weeks"],
            partition_mapping=whole_history,
            metadata={"columns": ["week", "fingerprint"]},
        ),
        "loaded_catalogue": AssetIn(["marts", "loaded_catalogue"]),
    },
    kinds={"duckdb"},
    metadata={"partition_expr": "week", **declared("serving.publications")},
    partitions_def=weekly,
    group_name="serving",
    owners=OWNERS,
)
def publications(
    context: AssetExecutionContext,
    plan: PlanResource,
    tables: TablesResource,
    models: ModelsResource,
    recommendations: pa.RecordBatchReader,
    recommender: Path,
    loaded_weeks: pa.Table,
    loaded_catalogue: pa.Table,
) -> pa.Table:
    """What is published for the week, who serves and why, and of what it was built.

    Written last, so a week that is listed here is built whole, also where its own model did not
    pass; `hm build` builds the weeks whose data, settings or code have changed since.
    """
    import duckdb

    from hm_platform.serving.publish import PublishingError

    built = week(context)
    choice, _ = choice_for(built, tables, models, recommender)
    with duckdb.connect(config=in_memory_config()) as db:
        db.register("recommendations", recommendations)
        counts = db.execute(
            "SELECT count(*), count(DISTINCT customer_id), list(DISTINCT model_version) "
            "FROM recommendations"
        ).fetchone()
    rows, customers, versions = counts or (0, 0, None)
    if versions and versions != [choice.version]:
        raise PublishingError(
            f"{choice.version} serves week {built} ({choice.state}), and its recommendations are "
            f"of {', '.join(versions)}: materialise serving/recommendations first"
        )
    if context.run.job_name == DECIDING_JOB:
        # The week's data was not looked at, and may have changed since the week was built.
        former = fingerprints(tables.previous("serving", "publications"), "week")
        fingerprint = former.get(built, "")
    else:
        fingerprint = build_fingerprint(
            built,
            fingerprints(loaded_weeks, "week"),
            fingerprints(loaded_catalogue, "table_name"),
            code_fingerprint(),
            plan.parameters(),
        )
    return pa.table(
        {
            "week": pa.array([built], pa.date32()),
            "model_version": [choice.version],
            "recommender": [choice.recommender],
            "customers": pa.array([customers], pa.int64()),
            "recommendations": pa.array([rows], pa.int64()),
            "fingerprint": [fingerprint],
            "state": [choice.state],
            "reason": [choice.reason],
        }
    )


@asset_check(
    asset=["serving", "publications"],
    description="The week is served by its own model, which passed its behavioural tests, or by "
    "the one that somebody has decided for. Where it is not, what was published last serves on.",
    # What is published stays, and the run is red.
    blocking=True,
)
def the_model_passed(
    context: AssetCheckExecutionContext, tables: TablesResource
) -> AssetCheckResult:
    from hm_platform.serving.published import FALLBACKS, read_publications

    built = week(context)
    (published,) = read_publications(tables.of_week("serving", "publications", built))
    reason = published.reason or ""
    return AssetCheckResult(
        passed=published.state not in FALLBACKS,
        description=reason,
        metadata={
            "state": published.state or "",
            "model_version": published.model_version,
            "reason": MetadataValue.md(reason),
        },
    )
