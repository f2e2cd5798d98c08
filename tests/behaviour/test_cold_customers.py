"""Buyers asked for as if they were new: who is asked, with what hidden, and what comes of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hm_platform.behaviour.cold_customers import as_if_new, compared
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.baselines.popularity import Popularity, SegmentPopularity
from hm_platform.modelling.baselines.repurchase import Repurchase
from hm_platform.modelling.fallback import WithFallback
from hm_platform.modelling.metrics import Purchased, evaluate
from hm_platform.modelling.pipeline import bought_in
from hm_platform.modelling.recommenders import Recommendations, Recommender
from tests.modelling.networks import recommender_for
from tests.modelling.worlds import VALIDATION, World, day, random_world

WORLD = random_world(1)


class Watched:
    """Segment popularity that remembers what it was shown and who was asked for."""

    name = "watched"
    needs_history = False

    def __init__(self) -> None:
        self.shown: list[Snapshot] = []
        self.asked: list[list[int]] = []

    def prepare(self, snapshot: Snapshot) -> Watched:
        self.shown.append(snapshot)
        self._scorer = SegmentPopularity().prepare(snapshot)
        return self

    def top(self, customers: np.ndarray, k: int) -> Recommendations:
        self.asked.append(customers.tolist())
        return self._scorer.top(customers, k)


def with_newcomers(world: World) -> World:
    """The same shop, where two customers had not bought before the week."""
    kept = [p for p in world.purchases if p[1] not in (0, 7) or p[0] >= VALIDATION]
    return replace(world, purchases=kept)


def week(world: World) -> tuple[Snapshot, Purchased]:
    return world.snapshot(), bought_in(world.validation)


def test_everybody_with_a_history_is_asked_for_once_without_it() -> None:
    world = with_newcomers(WORLD)
    snapshot, bought = week(world)
    watched = Watched()
    found = as_if_new([watched], snapshot, bought)

    new = set(np.flatnonzero(snapshot.histories.lengths() == 0).tolist())
    assert new & set(bought.customers.tolist())
    assert found.customers.tolist() == [c for c in bought.customers.tolist() if c not in new]
    asked = [customer for part in watched.asked for customer in part]
    assert sorted(asked) == found.customers.tolist()
    assert len(watched.shown) > 1
    for shown, part in zip(watched.shown, watched.asked, strict=True):
        lengths = shown.histories.lengths()
        others = np.setdiff1d(np.arange(snapshot.n_customers), part)
        assert not lengths[part].any()
        assert not shown.customers["purchases_total"][part].any()
        np.testing.assert_array_equal(lengths[others], snapshot.histories.lengths()[others])


def test_precision_stands_in_the_order_of_the_customers() -> None:
    snapshot, bought = week(WORLD)
    found = as_if_new([SegmentPopularity()], snapshot, bought, k=5)
    for row, customer in enumerate(found.customers):
        fold = found.customers[row % 4 :: 4]
        scorer = SegmentPopularity().prepare(snapshot.as_if_new(fold))
        lists = scorer.top(np.array([customer]), 5).articles
        alone = evaluate(lists, bought.of(bought.customers == customer)).map[0]
        assert found.average_precision["segment_popularity"][row] == alone


def test_who_needs_a_history_serves_the_best_sellers_of_the_segment() -> None:
    snapshot, bought = week(WORLD)
    two_tower, repurchase = recommender_for(WORLD), Repurchase()
    found = as_if_new(compared([two_tower], repurchase), snapshot, bought)
    segments = found.average_precision["segment_popularity"]
    for name in ("two_tower", "repurchase"):
        np.testing.assert_array_equal(found.average_precision[name], segments)
    assert (found.average_precision["popularity"] != segments).any()


@pytest.mark.parametrize(
    ("published", "names"),
    [
        (Repurchase(), ["watched", "repurchase", "segment_popularity", "popularity"]),
        (SegmentPopularity(), ["watched", "segment_popularity", "popularity"]),
        (Popularity(), ["watched", "popularity", "segment_popularity"]),
    ],
)
def test_each_is_compared_once_and_what_is_published_as_it_serves(
    published: Recommender, names: list[str]
) -> None:
    found = compared([Watched()], published)
    assert [one.name for one in found] == names
    served = {one.name: isinstance(one, WithFallback) for one in found}
    assert served == {name: name in ("watched", published.name) for name in names}


def test_nobody_has_a_history() -> None:
    world = replace(WORLD, purchases=[p for p in WORLD.purchases if p[0] >= VALIDATION])
    found = as_if_new([SegmentPopularity(), Popularity()], *week(world))
    assert not len(found.customers)
    assert [values.shape for values in found.average_precision.values()] == [(0,), (0,)]


@pytest.mark.parametrize("customers", [1, 2, 5])
def test_few_buyers(customers: int) -> None:
    snapshot, bought = week(WORLD)
    few = bought.of(np.arange(len(bought.customers)) < customers)
    found = as_if_new([SegmentPopularity()], snapshot, few)
    assert found.customers.tolist() == few.customers.tolist()
    values = found.average_precision["segment_popularity"]
    assert ((values >= 0) & (values <= 1)).all()


def test_the_only_customer_of_a_shop() -> None:
    world = World([(day(3), 0, 1), (day(0), 0, 1)], 3, 1)
    found = as_if_new(compared([recommender_for(world)], Popularity()), *week(world))
    assert found.average_precision["popularity"].tolist() == [1.0]
