"""From a week's tables to a stored model that was compared with the baselines, and back."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hm_platform import __version__
from hm_platform.datasets.fingerprint import fingerprint
from hm_platform.datasets.plan import ranking_customers
from hm_platform.features.encoders import Encoders
from hm_platform.features.snapshot import Snapshot
from hm_platform.machine import give_back_memory
from hm_platform.modelling.fallback import WithFallback
from hm_platform.modelling.metrics import Purchased, measure, purchased
from hm_platform.modelling.model_store import (
    RANKER_CURVES,
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
    from hm_platform.modelling.ranker.lists import LabelledWeek
    from hm_platform.modelling.training import TrainedModel
    from hm_platform.modelling.two_tower import TwoTowerRecommender

Progress = Callable[[str], None]
WEEK = timedelta(weeks=1)

MOST_COMPARED = 20_000
"""Customers of the validation week whom recommenders are compared on, at most. More would tell more
of this week, and hardly more of the next."""


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

    @cached_property
    def too_short(self) -> str:
        """Why no ranking can be learnt from the past weeks; empty where one can be tried."""
        if not self.past:
            return "the training split is too short to learn a ranking from past weeks"
        if not between(self.train, date.min, self.past[0].cutoff).num_rows:
            return "nothing was bought before the weeks that it would learn from"
        return ""

    def week_after(self, snapshot: Snapshot) -> pa.Table:
        """The training purchases of the week that begins with a past snapshot's cut-off, of the
        customers whose histories it holds."""
        week = between(self.train, snapshot.cutoff, snapshot.cutoff + WEEK)
        step = ranking_customers(snapshot.training_customers).step
        return week.filter(pa.array(week["customer_index"].to_numpy() % step == 0))


def between(purchases: pa.Table, start: date, end: date) -> pa.Table:
    """The purchases of these days, ``end`` not included."""
    day = purchases["t_dat"]
    return purchases.filter(
        pc.and_(pc.greater_equal(day, pa.scalar(start)), pc.less(day, pa.scalar(end)))
    )


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

    folder : where the model goes

    Raises ModellingError when there is nothing to train on.
    """
    progress(f"training on {data.train.num_rows:,} purchases")
    with tempfile.TemporaryDirectory(prefix="hm-training-") as scratch:
        trained = _train_stages(data, params, ranking, seed, Path(scratch), progress)
    models: list[Recommender] = [trained.retrieval.recommender]
    if trained.ranker:
        models.insert(0, trained.ranker.validated)
    scores = validation_scores((*models, *baselines()), data.snapshot, data.validation)
    return save_model(
        folder,
        trained,
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


def _train_stages(
    data: WeekData,
    params: TrainingParams,
    ranking: RankingParams,
    seed: int,
    scratch: Path,
    progress: Progress,
) -> Training:
    """Both stages, or the first alone, trained on all there is, where a ranker cannot be."""
    from hm_platform.modelling.candidates import sources_without
    from hm_platform.modelling.ranker.examples import TooLittleToRankError, features_without
    from hm_platform.modelling.ranker.training import train_ranker

    # Before minutes of training, not after.
    sources_without(ranking.without_sources)
    features_without(ranking.without_groups)
    no_ranker = data.too_short
    if not no_ranker:
        retrieval = train_retrieval(data, params, scratch, seed, progress)
        # Here and below: a trainer, its batches and its optimisers hold each other.
        give_back_memory()
        *past, validation = labelled_weeks(data)
        try:
            ranker = train_ranker(
                retrieval.recommender, past, validation, ranking, scratch, seed, progress
            )
            give_back_memory()
            return Training(retrieval, ranker)
        except TooLittleToRankError as error:
            no_ranker = str(error)
    progress(f"no ranker: {no_ranker}")
    alone = train_retrieval(replace(data, past=()), params, scratch, seed, progress)
    return Training(alone, None, no_ranker)


def train_retrieval(
    data: WeekData,
    params: TrainingParams,
    directory: Path,
    seed: int,
    progress: Progress | None = None,
) -> TrainedModel:
    """The first stage: the two-tower model.

    It learns from what lies before the oldest past snapshot, and stops by the week after it: so it
    recommends in the past weeks, as later, to customers whose next purchases it has not seen, and
    the ranker learns how far it can be trusted. Without past weeks to learn from it learns from the
    whole split and stops by the validation week.

    Raises ModellingError when there is nothing to train on.
    """
    from hm_platform.modelling.training import TrainingInputs, train

    inputs = TrainingInputs(data.snapshot, data.train, data.validation, data.encoders)
    if not data.too_short:
        first = data.past[0]
        inputs = TrainingInputs(
            first,
            between(data.train, date.min, first.cutoff),
            data.week_after(first),
            data.encoders,
        )
    return train(inputs, params, directory, seed, progress)


def labelled_weeks(data: WeekData) -> Sequence[LabelledWeek]:
    """The past weeks that a ranker learns from, oldest first, and last the validation week.

    Of a longer validation split it is the first week: what was bought in two weeks is no example of
    what is bought in one.
    """
    from hm_platform.modelling.ranker.lists import LabelledWeek

    past = [LabelledWeek(snapshot, bought_in(data.week_after(snapshot))) for snapshot in data.past]
    bought = bought_in(between(data.validation, data.snapshot.cutoff, data.snapshot.cutoff + WEEK))
    return [*past, LabelledWeek(data.snapshot, bought)]


def validation_scores(
    recommenders: Sequence[Recommender], snapshot: Snapshot, validation: pa.Table
) -> dict[str, dict[str, float]]:
    """Each recommender's scores on the validation week; none where nobody bought.

    Each is asked as when it is published, with best sellers for customers it does not know.
    Of more than MOST_COMPARED customers every n-th is, which is without regard to what they bought.
    Beside the metrics there is ``map_noise``, the standard error of the difference in MAP from the
    first one, over the same customers.
    """
    bought = bought_in(validation)
    if not len(bought.customers):
        return {}
    step = -(-len(bought.customers) // MOST_COMPARED)
    bought = bought.of(np.arange(len(bought.customers)) % step == 0)
    eligible = eligible_articles(snapshot)
    found = {
        recommender.name: measure(WithFallback(recommender).prepare(snapshot), bought, eligible)
        for recommender in recommenders
    }
    first = found[recommenders[0].name].per_customer.map
    root = len(first) ** 0.5
    return {
        name: {
            **measured.summary(),
            "map_noise": float(np.std(measured.per_customer.map - first) / root),
        }
        for name, measured in found.items()
    }


@dataclass(frozen=True)
class OpenModel:
    """A stored model: ready to recommend, with what it says of itself.

    models : the ranker, where there is one, and the retrieval model
    training : each stage's epochs, by the name of its recommender, in the order of training; None
        for what was not measured in an epoch
    """

    models: Sequence[Recommender]
    manifest: Manifest
    training: Mapping[str, Sequence[Mapping[str, float | None]]]

    def published(self) -> Recommender:
        """The recommender that is published: a model, or the baseline that beat it."""
        return recommender_named(self.manifest.chosen, self.models)

    def retrieval(self) -> TwoTowerRecommender:
        """The retrieval model, which there always is."""
        from hm_platform.modelling.two_tower import TwoTowerRecommender

        return next(model for model in self.models if isinstance(model, TwoTowerRecommender))

    def reason(self) -> str:
        """Why that one, in a sentence or two."""
        scores = self.manifest.validation
        none = self.manifest.ranker.get("reason")
        about = f" There is no ranker: {none}." if none else ""
        if not scores:
            return f"Nobody bought in the validation week, so the model is published.{about}"
        mine = scores[self.manifest.chosen]["map"]
        best = max(scores, key=lambda name: scores[name]["map"])
        if scores[best]["map"] == mine:
            return f"It had the highest MAP@12 of all on the validation week: {mine:.4f}.{about}"
        return (
            f"Its MAP@12 on the validation week, {mine:.4f}, is within the noise of the highest, "
            f"{scores[best]['map']:.4f} of {best}, and it has learnt from more weeks.{about}"
        )


def open_model(folder: Path) -> OpenModel:
    """The stored model in ``folder``. Raises ModellingError when it is not whole."""
    return OpenModel(
        load_models(folder),
        read_manifest(folder),
        {"two_tower": read_curves(folder), "ranker": read_curves(folder, RANKER_CURVES)},
    )
