"""From a week's tables to a stored model that was compared with the baselines, and back."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from hm_platform import __version__
from hm_platform.datasets.fingerprint import fingerprint
from hm_platform.features.encoders import Encoders
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.fallback import WithFallback
from hm_platform.modelling.metrics import measure, purchased
from hm_platform.modelling.model_store import (
    Manifest,
    load_model,
    read_curves,
    read_manifest,
    save_model,
)
from hm_platform.modelling.parameters import TrainingParams
from hm_platform.modelling.recommenders import Recommender, eligible_articles
from hm_platform.modelling.selection import baselines, choose_recommender, recommender_named


def train_week(
    snapshot: Snapshot,
    train: pa.Table,
    validation: pa.Table,
    encoders: Encoders,
    params: TrainingParams,
    seed: int,
    folder: Path,
    progress: Callable[[str], None],
) -> Manifest:
    """Train on the week's splits, compare with the baselines on the validation week, and store.

    snapshot : the validation snapshot
    train, validation : the splits
    folder : where the model goes

    Raises ModellingError when there is nothing to train on.
    """
    from hm_platform.modelling.training import TrainingInputs
    from hm_platform.modelling.training import train as train_model

    progress(f"training on {train.num_rows:,} purchases")
    inputs = TrainingInputs(snapshot, train, validation)
    with tempfile.TemporaryDirectory(prefix="hm-training-") as scratch:
        trained = train_model(inputs, params, Path(scratch), seed, progress)
    scores = validation_scores((trained.recommender, *baselines()), snapshot, validation)
    return save_model(
        folder,
        trained,
        encoders,
        week=snapshot.week,
        code_version=__version__,
        data={
            "train": fingerprint(train.schema, train.to_batches()),
            "validation": fingerprint(validation.schema, validation.to_batches()),
        },
        validation=scores,
        chosen=choose_recommender(scores),
    )


def validation_scores(
    recommenders: Sequence[Recommender], snapshot: Snapshot, validation: pa.Table
) -> dict[str, dict[str, float]]:
    """Each recommender's scores on the validation week; none where nobody bought.

    Each is asked as it is when it is published, with best sellers for customers it does not know.
    """
    bought = purchased(
        validation["customer_index"].to_numpy(), validation["article_index"].to_numpy()
    )
    if not len(bought.customers):
        return {}
    eligible = eligible_articles(snapshot)
    return {
        recommender.name: measure(
            WithFallback(recommender).prepare(snapshot), bought, eligible
        ).summary()
        for recommender in recommenders
    }


@dataclass(frozen=True)
class OpenModel:
    """A stored model: ready to recommend, with what it says of itself."""

    recommender: Recommender
    manifest: Manifest
    epochs: Sequence[Mapping[str, float]]

    def published(self) -> Recommender:
        """The recommender that is published: the model, or the baseline that beat it."""
        return recommender_named(self.manifest.chosen, self.recommender)

    def reason(self) -> str:
        """Why that one, in a sentence."""
        scores = self.manifest.validation
        if not scores:
            return "Nobody bought in the validation week, so the model is published."
        best = scores[self.manifest.chosen]["map"]
        return f"It had the highest MAP@12 of all on the validation week: {best:.4f}."


def open_model(folder: Path) -> OpenModel:
    """The stored model in ``folder``. Raises ModellingError when it is not whole."""
    return OpenModel(load_model(folder), read_manifest(folder), read_curves(folder))
