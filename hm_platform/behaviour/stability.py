"""Whether small changes of what is known of a customer change the list little."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hm_platform.behaviour.bootstrap import Bootstrap
from hm_platform.behaviour.effects import Effect
from hm_platform.behaviour.membership import entries
from hm_platform.features.snapshot import Histories, Snapshot
from hm_platform.modelling.recommenders import Recommender

MOST = 500
"""How many customers are asked again: an estimate of an overlap needs no more."""


@dataclass(frozen=True)
class Stability:
    """How much of m customers' lists stays, each as a share of the list from 0 to 1; shape (m,).

    asked_again : the same customers, in another order and some twice; 1 where the list is the same
        to the last place, else 0
    without_last : their last purchase is forgotten; over those who made another one
    reordered : the articles that they bought on one day are in another order; over those who
        bought several on a day
    """

    asked_again: NDArray[np.float64]
    without_last: NDArray[np.float64]
    reordered: NDArray[np.float64]


def asked_again(customers: NDArray[np.int32]) -> NDArray[np.int32]:
    """Which of these customers are asked again: at most MOST of them, evenly spread."""
    return customers[_chosen(len(customers))]


def stability(
    recommender: Recommender,
    snapshot: Snapshot,
    customers: NDArray[np.int32],
    lists: NDArray[np.int32],
    purchases: pa.Table,
    seed: int,
) -> Stability:
    """Ask a recommender again after small changes.

    recommender : as it is published, so with what steps in where it has nothing to go by
    customers : indices, shape (n,), of whom :func:`asked_again` says who is asked
    lists : shape (n, k), what it recommends to them
    purchases : all that those who are asked bought before the cut-off, as
        :func:`~hm_platform.features.forgetting.without_last_purchase` reads them
    """
    # Hamilton takes seconds to import.
    from hm_platform.features.forgetting import without_last_purchase

    chosen = _chosen(len(customers))
    asked, lists, k = customers[chosen], lists[chosen], lists.shape[1]
    random = np.random.default_rng(seed)

    order = random.permutation(len(asked))
    twice = np.concatenate([order, order[: len(order) // 2]])
    again = recommender.prepare(snapshot).top(asked[twice], k).articles
    same = np.ones(len(asked))
    np.minimum.at(same, twice, (again == lists[twice]).all(axis=1).astype(float))

    several = snapshot.customers["purchases_total"][asked] > 1
    # One changed snapshot at a time: the histories of a large shop fill a gigabyte.
    changed = without_last_purchase(snapshot, asked[several], purchases)
    without_last = _kept(recommender, changed, asked[several], lists[several], k)
    del changed
    shuffled, moved = _shuffled_days(snapshot.histories, asked, random)
    changed = replace(snapshot, histories=shuffled)
    reordered = _kept(recommender, changed, asked[moved], lists[moved], k)
    return Stability(same, without_last, reordered)


def effects(found: Stability | None, seed: int) -> list[Effect]:
    """The mean share of a list that stays."""
    if found is None:
        return []
    named = {
        "same list for the same customer": found.asked_again,
        "kept without the last purchase": found.without_last,
        "kept when a day is reordered": found.reordered,
    }
    result = []
    for name, kept in named.items():
        if not len(kept):
            result.append(Effect(name, None, 0))
        elif name.startswith("same"):
            # A property of the code and not of who happened to buy: one exception is a fault.
            result.append(Effect(name, float(kept.mean()), len(kept)))
        else:
            result.append(Bootstrap(len(kept), seed).mean(name, kept))
    return result


def _chosen(n: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, n - 1, MOST).astype(np.int64))


def _kept(
    recommender: Recommender,
    changed: Snapshot,
    customers: NDArray[np.int32],
    before: NDArray[np.int32],
    k: int,
) -> NDArray[np.float64]:
    """The share of each list from before that is in the list after a change."""
    if not len(customers):
        return np.zeros(0)
    after = recommender.prepare(changed).top(customers, k).articles
    kept = np.zeros(len(customers))
    for column in range(k):
        article = before[:, column, None]
        kept += ((after == article) & (article >= 0)).any(axis=1)
    return kept / np.maximum((before >= 0).sum(axis=1), 1)


def _shuffled_days(
    history: Histories, asked: NDArray[np.int32], random: np.random.Generator
) -> tuple[Histories, NDArray[np.bool_]]:
    """The histories with the articles of each day in random order, and which of the asked customers
    have a day with several."""
    where, owner = entries(history.offsets, asked)
    by_day = np.lexsort((random.random(len(where)), history.days_since_last[where], owner))
    order = np.arange(len(history.articles))
    order[where] = where[by_day]
    moved = np.zeros(len(asked), dtype=bool)
    moved[owner[by_day != np.arange(len(by_day))]] = True
    return history.taking(history.offsets, order), moved
