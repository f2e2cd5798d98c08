"""The published recommendations of a week."""

from pathlib import Path

import pyarrow as pa
from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetExecutionContext,
    AssetIn,
    MetadataValue,
    Output,
    asset,
    asset_check,
)

from hm_platform.assets.metadata import OWNERS, declared
from hm_platform.assets.models import INDICES, feature_inputs
from hm_platform.assets.partitions import EVERY_WEEK, week, weekly
from hm_platform.assets.serving.choosing import choice_for
from hm_platform.resources import ModelsResource, TablesResource


@asset(
    key=["serving", "recommendations"],
    freshness_policy=EVERY_WEEK,
    ins={
        "recommender": AssetIn(["models", "recommender"]),
        "encoders": AssetIn(["features", "encoders"]),
        **INDICES,
        **feature_inputs("serving"),
    },
    # Tested before it is published. Both tables are read as they stand: of decisions there may be
    # none yet.
    deps=[
        ["evaluation", "behavioral_report"],
        ["evaluation", "behavioral_tests"],
        ["serving", "decisions"],
    ],
    kinds={"pytorch", "duckdb"},
    metadata={"partition_expr": "week", **declared("serving.recommendations")},
    partitions_def=weekly,
    group_name="serving",
    owners=OWNERS,
)
def recommendations(
    context: AssetExecutionContext,
    tables: TablesResource,
    models: ModelsResource,
    recommender: Path,
    encoders: pa.Table,
    article_index: pa.Table,
    customer_index: pa.Table,
    articles_features: pa.Table,
    customers_features: pa.RecordBatchReader,
    purchase_histories_features: pa.RecordBatchReader,
    copurchases_features: pa.RecordBatchReader,
) -> Output[pa.RecordBatchReader]:
    """For every customer the twelve articles to show in the week after this one.

    From the model of the week, if it passed its behavioural tests, applied to all history up to the
    end of the week; else from what was published last, applied to the same. Each row says which
    model it is of and where it came from.
    """
    from hm_platform.features.encoders import Encoders
    from hm_platform.features.loading import FeatureTables, load_snapshot
    from hm_platform.serving.publish import publish

    choice, opened = choice_for(week(context), tables, models, recommender)
    if choice.is_fallback:
        context.log.error(choice.reason)
    else:
        context.log.info(choice.reason)
    served = opened(choice.version, choice.recommender).reading(Encoders.from_table(encoders))
    snapshot = load_snapshot(
        week(context),
        "serving",
        FeatureTables(
            articles=articles_features,
            customers=customers_features,
            purchase_histories=purchase_histories_features,
            copurchases=copurchases_features,
            article_index=article_index,
            customer_index=customer_index,
        ),
    )
    context.log.info(
        f"recommending to {snapshot.n_customers:,} customers with {choice.recommender} of "
        f"{choice.version}"
    )
    return Output(
        publish(served, snapshot, choice.version),
        metadata={
            "state": choice.state,
            "reason": MetadataValue.md(choice.reason),
            "recommender": choice.recommender,
            "model_version": choice.version,
            "customers": snapshot.n_customers,
        },
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
