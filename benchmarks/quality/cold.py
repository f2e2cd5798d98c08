"""What the published models say where there is no past: new customers, articles without a sale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmarks.quality.ours import NAME, published, week_before
from benchmarks.quality.protocol import TargetWeek
from benchmarks.quality.scoring import write
from benchmarks.quality.stages import serving_snapshot
from hm_platform.behaviour.cold_articles import ColdScores, VectorScorer, cold_articles
from hm_platform.behaviour.cold_customers import as_if_new
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.baselines.popularity import SegmentPopularity
from hm_platform.modelling.fallback import WithFallback
from hm_platform.modelling.metrics import K, Purchased, purchased
from hm_platform.modelling.pipeline import OpenModel, open_model
from hm_platform.modelling.recommenders import Recommender

METHODS = ("first_sales", "two_tower", "product_type")
"""How articles without a sale are put in order, see :func:`cold_articles`."""


@dataclass(frozen=True)
class HiddenPast:
    """A week's buyers with a history, asked for as if they were new; all of shape (n,).

    customers : int32, as in the target week
    ours, segments : float64, their average precision at 12 in what hm_platform publishes and in the
        best sellers of their segment
    """

    customers: NDArray[np.int32]
    ours: NDArray[np.float64]
    segments: NDArray[np.float64]


@dataclass(frozen=True)
class NeverSold:
    """A week's buyers of articles that had not been sold before, for whom those were put in order.

    customers : int32, shape (n,), as in the target week
    articles : how many there were to choose from
    methods : METHODS -> how well for each of the customers
    """

    customers: NDArray[np.int32]
    articles: int
    methods: Mapping[str, ColdScores]


def measure_as_if_new(home: Path, target: TargetWeek, cache: Path) -> HiddenPast:
    """The buyers as if they were new to what was published; the week before is built already."""
    version, _ = published(home / "warehouse.duckdb", target)
    file = cache / f"{target.first_day}-{NAME}-as-if-new-{version}.npz"
    if file.exists():
        with np.load(file) as stored:
            return HiddenPast(**stored)
    model, snapshot = _opened(home, target, version)
    found = hidden_past(model.published(), snapshot, target)
    write(file, **vars(found))
    return found


def measure_never_sold(home: Path, target: TargetWeek) -> NeverSold:
    """Articles without a sale, put in order; the week before is built already."""
    version, _ = published(home / "warehouse.duckdb", target)
    model, snapshot = _opened(home, target, version)
    return never_sold(model.retrieval().prepare(snapshot), snapshot, target)


def hidden_past(recommender: Recommender, snapshot: Snapshot, target: TargetWeek) -> HiddenPast:
    """The target week's buyers as if they were new; ``snapshot`` is what is known before it."""
    ours, segments = WithFallback(recommender), SegmentPopularity()
    found = as_if_new([ours, segments], snapshot, bought_by_known(snapshot, target), K)
    return HiddenPast(
        _as_in_target(found.customers, snapshot, target),
        found.average_precision[ours.name],
        found.average_precision[segments.name],
    )


def never_sold(scorer: VectorScorer, snapshot: Snapshot, target: TargetWeek) -> NeverSold:
    """The target week's buyers of articles of the catalogue without a sale before it.

    scorer : the retrieval model, prepared for the snapshot
    """
    bought = bought_by_known(snapshot, target)
    customer = np.repeat(bought.customers, np.diff(bought.offsets))
    in_catalogue = bought.articles < snapshot.n_articles
    known = purchased(customer[in_catalogue], bought.articles[in_catalogue])
    found = cold_articles(scorer, snapshot, known, K)
    nobody = ColdScores(np.zeros(0), np.zeros(0))
    return NeverSold(
        _as_in_target(found.customers, snapshot, target),
        found.articles,
        {name: found.methods.get(name, nobody) for name in METHODS},
    )


def bought_by_known(snapshot: Snapshot, target: TargetWeek) -> Purchased:
    """What the customers whom the snapshot has bought in the target week, by its own indices.

    Articles that it lacks have indices beyond its own: they cannot be hit, but they count.
    """
    bought, catalogue = target.bought, target.history.catalogue
    article = _positions(catalogue.article_ids, snapshot.article_ids)
    article = np.where(article < 0, snapshot.n_articles + np.arange(len(article)), article)
    customer = _positions(catalogue.customer_ids, snapshot.customer_ids)[bought.customers]
    customers = np.repeat(customer, np.diff(bought.offsets))
    known = customers >= 0
    return purchased(customers[known], article[bought.articles][known])


def _opened(home: Path, target: TargetWeek, version: str) -> tuple[OpenModel, Snapshot]:
    """The model that was published for the target week, and what it was published from."""
    week = date.fromisoformat(week_before(target.first_day))
    model = open_model(home / "models" / "recommender" / version)
    return model, serving_snapshot(home / "warehouse.duckdb", week)


def _as_in_target(
    customers: NDArray[np.int32], snapshot: Snapshot, target: TargetWeek
) -> NDArray[np.int32]:
    """The target week's indices of some of the snapshot's customers."""
    ids = snapshot.customer_ids.take(pa.array(customers)).to_numpy(zero_copy_only=False)
    catalogue = target.history.catalogue.customer_ids
    return np.searchsorted(catalogue, ids.astype(str)).astype(np.int32)


def _positions(ids: NDArray[np.str_], among: pa.StringArray) -> NDArray[np.int64]:
    """Where each id is among others, -1 where it is not."""
    found = pc.fill_null(pc.index_in(pa.array(ids, pa.string()), value_set=among), -1)
    return found.to_numpy(zero_copy_only=False).astype(np.int64)
