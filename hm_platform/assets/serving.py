"""The ``serving`` assets: the published recommendations and the record of what was published."""

from pathlib import Path
from typing import Any

import pyarrow as pa
from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetExecutionContext,
    AssetIn,
    Output,
    asset,
    asset_check,
)

from hm_platform.assets.metadata import OWNERS, declared
from hm_platform.assets.models import INDICES, feature_inputs
from hm_platform.assets.partitions import EVERY_WEEK, week, weekly, whole_history
from hm_platform.code_version import code_fingerprint
from hm_platform.landed_weeks import build_fingerprint, fingerprints
from hm_platform.resources import PlanResource, TablesResource

COMMON: dict[str, Any] = {"partitions_def": weekly, "group_name": "serving", "owners": OWNERS}


@asset(
    key=["serving", "recommendations"],
    freshness_policy=EVERY_WEEK,
    ins={
        "recommender": AssetIn(["models", "recommender"]),
        **INDICES,
        **feature_inputs("serving"),
    },
    # Reported before it is published.
    deps=[["evaluation", "behavioral_report"]],
    kinds={"pytorch", "duckdb"},
    metadata={"partition_expr": "week", **declared("serving.recommendations")},
    **COMMON,
)
def recommendations(
    context: AssetExecutionContext,
    recommender: Path,
    article_index: pa.Table,
    customer_index: pa.Table,
    articles_features: pa.Table,
    customers_features: pa.Table,
    purchase_histories_features: pa.RecordBatchReader,
    copurchases_features: pa.RecordBatchReader,
) -> Output[pa.RecordBatchReader]:
    """For every customer the twelve articles to show in the week after this one.

    From the recommender that was chosen on the validation week, applied to all history up to the
    end of the week. Each row says where it came from.
    """
    from hm_platform.features.loading import load_snapshot
    from hm_platform.modelling.pipeline import open_model
    from hm_platform.serving.publish import publish

    snapshot = load_snapshot(
        week(context),
        "serving",
        articles_features,
        customers_features,
        purchase_histories_features,
        copurchases_features,
        article_index,
        customer_index,
    )
    model = open_model(recommender)
    chosen = model.manifest.chosen
    context.log.info(f"recommending to {snapshot.n_customers:,} customers with {chosen}")
    return Output(
        publish(model.published(), snapshot, model.manifest.version),
        metadata={
            "recommender": chosen,
            "model_version": model.manifest.version,
            "customers": snapshot.n_customers,
        },
    )


@asset(
    key=["serving", "publications"],
    ins={
        "recommendations": AssetIn(
            ["serving", "recommendations"], metadata={"columns": ["customer_id"]}
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
    **COMMON,
)
def publications(
    context: AssetExecutionContext,
    plan: PlanResource,
    recommendations: pa.RecordBatchReader,
    recommender: Path,
    loaded_weeks: pa.Table,
    loaded_catalogue: pa.Table,
) -> pa.Table:
    """What is published for the week, and the fingerprint of what it was built from.

    Written last, so a week that is listed here is built whole; `hm build` builds the weeks whose
    data, settings or code have changed since.
    """
    import duckdb

    from hm_platform.modelling.model_store import read_manifest

    built = week(context)
    with duckdb.connect() as db:
        db.register("recommendations", recommendations)
        counts = db.execute(
            "SELECT count(*), count(DISTINCT customer_id) FROM recommendations"
        ).fetchone()
    rows, customers = counts or (0, 0)
    manifest = read_manifest(recommender)
    return pa.table(
        {
            "week": pa.array([built], pa.date32()),
            "model_version": [manifest.version],
            "recommender": [manifest.chosen],
            "customers": pa.array([customers], pa.int64()),
            "recommendations": pa.array([rows], pa.int64()),
            "fingerprint": [
                build_fingerprint(
                    built,
                    fingerprints(loaded_weeks, "week"),
                    fingerprints(loaded_catalogue, "table_name"),
                    code_fingerprint(),
                    plan.parameters(),
                )
            ],
        }
    )


@asset_check(
    asset=["serving", "recommendations"],
    description="Every known customer has twelve distinct articles (or all that were ever sold, if "
    "they are fewer), ranked from 1 on, and nobody else has any.",
    blocking=True,
)
def everyone_has_a_whole_list(
    context: AssetCheckExecutionContext, tables: TablesResource
) -> AssetCheckResult:
    from hm_platform.serving.checks import list_faults
    from hm_platform.serving.publish import K

    built = week(context)
    found = list_faults(
        tables.stream(["serving", "recommendations"], built, ["customer_id", "rank", "article_id"]),
        tables.stream(["datasets", "customer_index"], built, ["customer_id"]),
        tables.stream(["features", "articles"], built, ["purchases_total"], {"split": "serving"}),
        K,
    )
    return AssetCheckResult(
        passed=found.count == 0,
        metadata={
            "articles a customer": found.length,
            "customers with a wrong length": found.wrong_length,
            "customers with an article twice": found.repeated,
            "customers with wrong ranks": found.misranked,
            "unknown customers": found.unknown,
        },
    )


ASSETS = [recommendations, publications]
CHECKS = [everyone_has_a_whole_list]
