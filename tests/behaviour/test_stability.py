"""Recommenders that bear small changes, and ones that do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from hm_platform.behaviour import stability as module
from hm_platform.behaviour.stability import Stability, asked_again, effects, stability
from hm_platform.features.snapshot import Histories, Snapshot
from hm_platform.modelling.baselines.popularity import Popularity
from hm_platform.modelling.baselines.repurchase import Repurchase
from hm_platform.modelling.fallback import WithFallback
from hm_platform.modelling.ranking import empty
from hm_platform.modelling.recommenders import Recommendations, Recommender
from tests.behaviour.numbers import named
from tests.behaviour.rich import ARTICLES, BUYERS, CUSTOMERS, K, histories, purchases_of, rich
from tests.modelling.worlds import World, day

ALL = np.arange(BUYERS, dtype=np.int32)
Lists = Callable[[Histories, NDArray[np.int32], int], NDArray[np.int32]]


@dataclass(frozen=True)
class Toy:
    """A recommender whose lists are a function of histories, customers and the length."""

    lists: Lists
    name: str = "toy"
    needs_history: bool = False

    def prepare(self, snapshot: Snapshot) -> _Prepared:
        return _Prepared(self.lists, snapshot.histories)


@dataclass(frozen=True)
class _Prepared:
    lists: Lists
    histories: Histories

    def top(self, customers: NDArray[np.int32], k: int) -> Recommendations:
        found = empty(len(customers), k)
        found.articles[:] = self.lists(self.histories, customers, k)
        return found


def asked(
    recommender: Recommender, known: Snapshot, customers: NDArray[np.int32], seed: int = 1
) -> Stability:
    """What becomes of the lists that the recommender gives these customers."""
    lists = recommender.prepare(known).top(customers, K).articles
    return stability(recommender, known, customers, lists, purchases_of(known), seed)


def steady(known: Histories, customers: NDArray[np.int32], k: int) -> NDArray[np.int32]:
    """Always the same, another list for each customer."""
    return ((customers[:, None] + np.arange(k)) % ARTICLES).astype(np.int32)


def by_place(known: Histories, customers: NDArray[np.int32], k: int) -> NDArray[np.int32]:
    """What stands first in a batch has other articles."""
    lists = steady(known, customers, k)
    lists[0] = lists[0, ::-1]
    return lists


def by_neighbours(known: Histories, customers: NDArray[np.int32], k: int) -> NDArray[np.int32]:
    """A list that depends on how many others are asked for."""
    return (steady(known, customers, k) + len(customers)) % ARTICLES


def last_bought(known: Histories, customers: NDArray[np.int32], k: int) -> NDArray[np.int32]:
    """The first half of the list hangs on the article at the head of the history."""
    lists = steady(known, customers, k)
    had = known.lengths()[customers] > 0
    heads = np.full(len(customers), 7)
    heads[had] = known.articles[known.offsets[customers[had]]]
    half = k // 2
    # Articles of its own for each head, apart from those of the other half.
    lists[:, :half] = 1000 + heads[:, None] * half + np.arange(half)
    return lists


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return rich().snapshot


def test_lists_that_never_change(snapshot: Snapshot) -> None:
    found = asked(Toy(steady), snapshot, ALL)
    assert found.asked_again.tolist() == [1] * BUYERS
    assert set(found.without_last.tolist()) == {1}
    assert set(found.reordered.tolist()) == {1}
    lengths = snapshot.histories.lengths()[:BUYERS]
    assert len(found.without_last) == np.count_nonzero(lengths > 1)
    assert 0 < len(found.reordered) <= len(found.without_last)


@pytest.mark.parametrize("lists", [by_place, by_neighbours])
def test_a_list_that_depends_on_the_batch_is_caught(snapshot: Snapshot, lists: Lists) -> None:
    found = asked(Toy(lists), snapshot, ALL)
    assert found.asked_again.min() == 0
    named_effects = named(effects(found, 1))
    same = named_effects["same list for the same customer"]
    assert same.value is not None
    assert same.value < 1
    # Counted: one exception is a fault, however few the customers.
    assert not same.estimated


def test_one_customer_who_gets_another_list_is_one(snapshot: Snapshot) -> None:
    found = asked(Toy(by_place), snapshot, ALL)
    # Who stood first in one of the two batches.
    assert 1 <= np.count_nonzero(found.asked_again == 0) <= 2


def test_the_order_within_a_list_counts_when_it_is_asked_again(snapshot: Snapshot) -> None:
    def turned(known: Histories, customers: NDArray[np.int32], k: int) -> NDArray[np.int32]:
        lists = steady(known, customers, k)
        return lists if len(customers) == BUYERS else lists[:, ::-1]

    found = asked(Toy(turned), snapshot, ALL)
    assert found.asked_again.max() == 0
    # The same articles in another order are all kept.
    assert set(found.without_last.tolist()) == {1}


def test_a_list_that_hangs_on_the_last_purchase_is_half_kept(snapshot: Snapshot) -> None:
    found = asked(Toy(last_bought), snapshot, ALL)
    assert found.asked_again.min() == 1
    assert set(found.without_last.tolist()) == {0.5}


def test_a_list_that_hangs_on_the_order_within_a_day_is_caught(snapshot: Snapshot) -> None:
    found = asked(Toy(last_bought), snapshot, ALL)
    assert 0.5 <= found.reordered.mean() < 0.9
    # A day further back may be the one that was put in another order.
    assert set(found.reordered.tolist()) == {0.5, 1.0}


def test_whoever_only_looks_at_what_was_bought_bears_another_order(snapshot: Snapshot) -> None:
    def by_sum(known: Histories, customers: NDArray[np.int32], k: int) -> NDArray[np.int32]:
        sums = np.concatenate([[0], np.cumsum(known.articles)])
        total = sums[known.offsets[customers + 1]] - sums[known.offsets[customers]]
        return ((total[:, None] + np.arange(k)) % ARTICLES).astype(np.int32)

    found = asked(Toy(by_sum), snapshot, ALL)
    assert set(found.reordered.tolist()) == {1}
    assert found.without_last.mean() < 0.5


def test_the_platform_s_baselines_are_the_same_when_asked_again(snapshot: Snapshot) -> None:
    for recommender in (Popularity(), WithFallback(Repurchase(), Popularity())):
        found = asked(recommender, snapshot, ALL)
        assert found.asked_again.min() == 1, recommender.name
        assert found.reordered.mean() > 0.5, recommender.name


def test_short_lists_are_shares_of_what_was_there(snapshot: Snapshot) -> None:
    def one(known: Histories, customers: NDArray[np.int32], k: int) -> NDArray[np.int32]:
        lists = np.full((len(customers), k), -1, dtype=np.int32)
        lists[:, 0] = customers
        return lists

    def nothing(known: Histories, customers: NDArray[np.int32], k: int) -> NDArray[np.int32]:
        return np.full((len(customers), k), -1, dtype=np.int32)

    assert set(asked(Toy(one), snapshot, ALL).without_last.tolist()) == {1}
    assert set(asked(Toy(nothing), snapshot, ALL).without_last.tolist()) == {0}


def test_customers_with_one_purchase_have_none_to_forget(snapshot: Snapshot) -> None:
    once = np.ones(CUSTOMERS, dtype=np.int32)
    single = replace(
        snapshot,
        histories=histories(once, ARTICLES, np.random.default_rng(0)),
        customers={**snapshot.customers, "purchases_total": once},
    )
    found = asked(Toy(last_bought), single, ALL)
    assert len(found.asked_again) == BUYERS
    assert len(found.without_last) == 0
    assert len(found.reordered) == 0
    told = named(effects(found, 1))
    assert told["kept without the last purchase"].value is None
    assert told["kept when a day is reordered"].value is None
    assert told["same list for the same customer"].value == 1


def test_one_purchase_is_forgotten_and_not_its_article() -> None:
    """Customers who bought article 1 on three days, and article 2 once before."""
    bought = [(1, 1), (8, 1), (22, 1), (30, 2)]
    world = World([(day(d), c, a) for d, a in bought for c in range(3)], 4, 3)
    shown: list[Snapshot] = []

    class Watched(Toy):
        def prepare(self, snapshot: Snapshot) -> _Prepared:
            shown.append(snapshot)
            return super().prepare(snapshot)

    known, everybody = world.snapshot(), np.arange(3, dtype=np.int32)
    lists = steady(known.histories, everybody, K)
    stability(Watched(steady), known, everybody, lists, world.transactions(known.cutoff), 1)

    without = shown[1]
    assert without.histories.articles.tolist() == [1, 2] * 3
    assert without.histories.purchases.tolist() == [2, 1] * 3
    assert without.histories.days_since_last.tolist() == [8, 30] * 3
    assert without.histories.days_since_previous.tolist() == [22, -1] * 3
    assert without.customers["purchases_total"].tolist() == [3] * 3
    assert without.customers["days_since_last_purchase"].tolist() == [8] * 3


def test_nobody_is_asked_more_often_than_needed(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 10)
    assert len(asked(Toy(steady), snapshot, ALL).asked_again) == 10
    three = np.array([5, 1, 9], dtype=np.int32)
    assert len(asked(Toy(steady), snapshot, three).asked_again) == 3
    assert len(asked_again(ALL)) == 10
    assert asked_again(three).tolist() == [5, 1, 9]


def test_the_same_seed_gives_the_same_numbers(snapshot: Snapshot) -> None:
    one, same, other = (
        asked(Toy(last_bought), snapshot, ALL, seed).reordered.tolist() for seed in (1, 1, 2)
    )
    assert one == same != other


def test_effects_of_nobody_asked() -> None:
    assert effects(None, 0) == []


def test_effects_are_means_with_intervals_where_they_are_estimates() -> None:
    found = Stability(np.ones(60), np.tile([0.5, 1.0], 30), np.ones(60))
    same, last, day = effects(found, 3)
    assert (same.value, same.count, same.estimated) == (1, 60, False)
    assert (last.value, last.count, last.estimated) == (0.75, 60, True)
    assert (day.value, day.estimated) == (1, True)
