"""The ``models`` assets: the trained recommender of a week.

Training is the work of ``hm_platform.modelling``; torch and Lightning are imported only when it
begins.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
from dagster import AssetExecutionContext, AssetIn, Config, MetadataValue, Output, asset
from pydantic import Field

from hm_platform.assets.metadata import OWNERS
from hm_platform.assets.partitions import CALENDAR, week, weekly
from hm_platform.datasets.names import ranking_split
from hm_platform.datasets.plan import MOST_RANKING_WEEKS
from hm_platform.modelling.parameters import RankingParams, TrainingParams
from hm_platform.resources import PlanResource

DEFAULTS = TrainingParams()
RANKING_DEFAULTS = RankingParams()
LEARNT_FROM = ["t_dat", "customer_index", "article_index"]
"""What is read of the splits: with their ids they are several times as large."""

RANKING_SPLITS = tuple(ranking_split(i) for i in range(1, MOST_RANKING_WEEKS + 1))

INDICES = {
    "article_index": AssetIn(["datasets", "article_index"]),
    "customer_index": AssetIn(["datasets", "customer_index"]),
}


def feature_inputs(*splits: str) -> dict[str, AssetIn]:
    """The feature tables as of the cut-offs of these splits."""
    wanted = {"filter": {"split": list(splits)}}
    return {
        f"{table}_features": AssetIn(["features", table], metadata=wanted)
        for table in ("articles", "customers", "purchase_histories", "copurchases")
    }


class TrainingConfig(Config):
    """The parameters that people try; the others are in hm_platform/modelling/parameters.py."""

    epochs: int = Field(default=DEFAULTS.epochs, description="Epochs at most.")
    patience: int = Field(
        default=DEFAULTS.patience, description="Epochs without a better validation MAP@12 to stop."
    )
    dimension: int = Field(default=DEFAULTS.dimension, description="Length of the towers' vectors.")
    learning_rate: float = Field(default=DEFAULTS.learning_rate, description="Of the layers.")
    ranking_epochs: int = Field(
        default=RANKING_DEFAULTS.epochs,
        description="Epochs of the ranker before the validation week is scored.",
    )
    popularity_discount: float = Field(
        default=RANKING_DEFAULTS.popularity_discount,
        description="What the logarithm of an article's sales takes off its score, at most: less "
        "where that costs MAP@12 on the validation week.",
    )
    without_sources: list[str] = Field(
        default=[], description="Candidate sources to leave out, to see what they are worth."
    )
    without_groups: list[str] = Field(
        default=[], description="Groups of the ranker's features to leave out, likewise."
    )

    def params(self) -> TrainingParams:
        return TrainingParams(
            epochs=self.epochs,
            patience=self.patience,
            dimension=self.dimension,
            learning_rate=self.learning_rate,
        )

    def ranking_params(self) -> RankingParams:
        return RankingParams(
            epochs=self.ranking_epochs,
            popularity_discount=self.popularity_discount,
            without_sources=tuple(self.without_sources),
            without_groups=tuple(self.without_groups),
        )


@asset(
    key=["models", "recommender"],
    ins={
        "train": AssetIn(["datasets", "train"], metadata={"columns": LEARNT_FROM}),
        "validation": AssetIn(["datasets", "validation"], metadata={"columns": LEARNT_FROM}),
        "encoders": AssetIn(["features", "encoders"]),
        **INDICES,
        **feature_inputs("validation", *RANKING_SPLITS),
    },
    partitions_def=weekly,
    group_name="models",
    owners=OWNERS,
    kinds={"pytorch"},
    io_manager_key="model_io_manager",
)
def recommender(
    context: AssetExecutionContext,
    config: TrainingConfig,
    plan: PlanResource,
    train: pa.Table,
    validation: pa.Table,
    encoders: pa.Table,
    article_index: pa.Table,
    customer_index: pa.Table,
    articles_features: pa.Table,
    customers_features: pa.RecordBatchReader,
    purchase_histories_features: pa.RecordBatchReader,
    copurchases_features: pa.RecordBatchReader,
) -> Output[Path]:
    """Candidates from several sources, one of them a two-tower model, and a network to rank them.

    The ranker learns from past weeks, each seen as of its own cut-off. The two-tower model learns
    from what lies before them, until MAP@12 on the first of them stops rising. Both and the
    baselines are scored on the validation week, which the ranker then learns from too. The folder
    holds the weights as safetensors beside a model card and a manifest: parameters, code version,
    fingerprints of the data, seed, and the validation scores, by which it is decided what is
    published.
    """
    from hm_platform.behaviour.plots import curves_markdown
    from hm_platform.features.encoders import Encoders
    from hm_platform.features.loading import FeatureTables, load_snapshots
    from hm_platform.modelling.model_store import CARD, RANKER_CURVES, read_curves
    from hm_platform.modelling.pipeline import WeekData, train_week

    built = week(context)
    past = list(plan.for_week(built, CALENDAR).ranking_cutoffs)[::-1]
    snapshot, *past_snapshots = load_snapshots(
        built,
        ["validation", *past],
        FeatureTables(
            articles=articles_features,
            customers=customers_features,
            purchase_histories=purchase_histories_features,
            copurchases=copurchases_features,
            article_index=article_index,
            customer_index=customer_index,
        ),
    )
    # The IO manager takes the folder over.
    folder = Path(tempfile.mkdtemp(prefix="hm-model-"))
    trained = train_week(
        WeekData(snapshot, past_snapshots, train, validation, Encoders.from_table(encoders)),
        config.params(),
        config.ranking_params(),
        plan.seed,
        folder,
        context.log.info,
    )
    return Output(
        folder,
        metadata={
            "model_version": trained.version,
            "published": trained.chosen,
            "best_epoch": trained.best_epoch,
            "fingerprints": dict(trained.data),
            "validation": MetadataValue.md(_board(trained.validation)),
            "model_card": MetadataValue.md((folder / CARD).read_text()),
            "curves": MetadataValue.md(curves_markdown(read_curves(folder))),
            "ranker_curves": MetadataValue.md(curves_markdown(read_curves(folder, RANKER_CURVES))),
        },
    )


def _board(validation: Mapping[str, Mapping[str, float]]) -> str:
    metrics = ("map", "recall", "ndcg", "hit_rate", "coverage")
    lines = ["| recommender | " + " | ".join(metrics) + " |", "|---|" + "---:|" * len(metrics)]
    for name, values in sorted(validation.items(), key=lambda item: -item[1]["map"]):
        lines.append(f"| {name} | " + " | ".join(f"{values[m]:.4f}" for m in metrics) + " |")
    return "\n".join(lines)


ASSETS = [recommender]
