"""From a week's tables to a stored model that was compared with the baselines, and back."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from hm_platform import __version__
from hm_platform.datasets.fingerprint import fingerprint
from hm_platform.features.encoders import Encoders
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.fallback import WithFallback
from hm_platform.modelling.metrics import Purchased, measure, purchased
from hm_platform.modelling.model_store import (
    Manifest,
    Training,
    load_models,
    read_curves,
    read_manifest,
    save_model,
)
from hm_platform.modelling.parameters import RankingParams, TrainingParams
from hm_platform.modelling.recommenders import Recommender, eligible_articles
from hm_platform.modelling.selection import baselines, choose_recommender, recommender_named

if TYPE_CHECKING:
    from hm_platform.modelling.ranker.training import TrainedRanker
    from hm_platform.modelling.training import TrainedModel
    from hm_platform.modelling.two_tower import TwoTowerRecommender

Progress = Callable[[str], None]
WEEK = timedelta(weeks=1)


@dataclass(frozen=True)
class WeekData:
    """What a week's model is made from.

    snapshot : the validation snapshot
    past : snapshots of earlier weeks, oldest first, whose purchases lie in ``train``; the ranker
        learns from them. None: there is no ranker.
    train, validation : the splits
    """

    snapshot: Snapshot
    past: Sequence[Snapshot]
    train: pa.Table
    validation: pa.Table
    encoders: Encoders

    def between(self, start: date, end: date) -> pa.Table:
        """The training purchases of these days, ``end`` not included."""
        day = self.train["t_dat"]
        return self.train.filter(
            pc.and_(pc.greater_equal(day, pa.scalar(start)), pc.less(day, pa.scalar(end)))
        )

    def too_short(self) -> str:
        """Why no ranking can be learnt from the past weeks; empty where one can be tried."""
        if not self.past:
            return "the training split is too short to learn a ranking from past weeks"
        if not self.between(date.min, self.past[0].cutoff).num_rows:
            return "nothing was bought before the weeks that it would learn from"
        return ""

    def labels(self, snapshot: Snapshot) -> Purchased:
        """What was bought in the week that begins with a past snapshot's cut-off."""
        return bought_in(self.between(snapshot.cutoff, snapshot.cutoff + WEEK))


def bought_in(purchases: pa.Table) -> Purchased:
    """What was bought, from ``customer_index`` and ``article_index``."""
    return purchased(purchases["customer_index"].to_numpy(), purchases["article_index"].to_numpy())


def train_week(
    data: WeekData,
    params: TrainingParams,
    ranking: RankingParams,
    seed: int,
    folder: Path,
    progress: Progress,
) -> Manifest:
    """Train both stages, compare with the baselines on the validation week, and store.

    The retrieval model learns from what lies before the oldest past snapshot, and stops by the
    week after it: so it recommends in the past weeks, as later, to customers whose next purchases
    it has not seen, and the ranker learns how far it can be trusted. Where there is no ranker, for
    whatever reason, it learns from the whole split and stops by the validation week.

    folder : where the model goes

    Raises ModellingError when there is nothing to train on.
    """
    from hm_platform.modelling.training import TrainingInputs
    from hm_platform.modelling.training import train as train_retrieval

    def retrieval(snapshot: Snapshot, known: pa.Table, validation: pa.Table) -> TrainedModel:
        inputs = TrainingInputs(snapshot, known, validation, data.encoders)
        return train_retrieval(inputs, params, Path(scratch), seed, progress)

    progress(f"training on {data.train.num_rows:,} purchases")
    with tempfile.TemporaryDirectory(prefix="hm-training-") as scratch:
        ranker, no_ranker = None, data.too_short()
        if not no_ranker:
            first = data.past[0]
            earlier = data.between(date.min, first.cutoff)
            trained = retrieval(first, earlier, data.between(first.cutoff, first.cutoff + WEEK))
            ranker, no_ranker = _train_ranker(
                data, trained.recommender, ranking, Path(scratch), seed, progress
            )
        if no_ranker:
            progress(f"no ranker: {no_ranker}")
            trained = retrieval(data.snapshot, data.train, data.validation)
    models: list[Recommender] = [trained.recommender]
    if ranker:
        models.insert(0, ranker.recommender)
    scores = validation_scores((*models, *baselines()), data.snapshot, data.validation)
    return save_model(
        folder,
        Training(trained, ranker, no_ranker),
        data.encoders,
        week=data.snapshot.week,
        code_version=__version__,
        data={
            "train": fingerprint(data.train.schema, data.train.to_batches()),
            "validation": fingerprint(data.validation.schema, data.validation.to_batches()),
        },
        validation=scores,
        chosen=choose_recommender(scores, [model.name for model in models]),
    )


def _train_ranker(
    data: WeekData,
    two_tower: TwoTowerRecommender,
    params: RankingParams,
    scratch: Path,
    seed: int,
    progress: Progress,
) -> tuple[TrainedRanker | None, str]:
    """The ranker, or None and why there is none."""
    from hm_platform.modelling.ranker.lists import LabelledWeek
    from hm_platform.modelling.ranker.training import TooLittleToRankError, train_ranker

    try:
        return train_ranker(
            two_tower,
            [LabelledWeek(snapshot, data.labels(snapshot)) for snapshot in data.past],
            LabelledWeek(data.snapshot, bought_in(data.validation)),
            params,
            scratch,
            seed,
            progress,
        ), ""
    except TooLittleToRankError as error:
        return None, str(error)


def validation_scores(
    recommenders: Sequence[Recommender], snapshot: Snapshot, validation: pa.Table
) -> dict[str, dict[str, float]]:
    """Each recommender's scores on the validation week; none where nobody bought.

    Each is asked as it is when it is published, with best sellers for customers it does not know.
    """
    bought = bought_in(validation)
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
    """A stored model: ready to recommend, with what it says of itself.

    models : the ranker, where there is one, and the retrieval model
    """

    models: Sequence[Recommender]
    manifest: Manifest
    epochs: Sequence[Mapping[str, float]]

    def published(self) -> Recommender:
        """The recommender that is published: a model, or the baseline that beat it."""
        return recommender_named(self.manifest.chosen, self.models)

    def reason(self) -> str:
        """Why that one, in a sentence or two."""
        scores = self.manifest.validation
        none = self.manifest.ranker.get("reason")
        about = f" There is no ranker: {none}." if none else ""
        if not scores:
            return f"Nobody bought in the validation week, so the model is published.{about}"
        best = scores[self.manifest.chosen]["map"]
        return f"It had the highest MAP@12 of all on the validation week: {best:.4f}.{about}"


def open_model(folder: Path) -> OpenModel:
    """The stored model in ``folder``. Raises ModellingError when it is not whole."""
    return OpenModel(load_models(folder), read_manifest(folder), read_curves(folder))
