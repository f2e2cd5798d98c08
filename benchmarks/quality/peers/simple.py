"""Peers that count: best sellers, best sellers of a segment, and a customer's own purchases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.lists import best_sellers, top, top_of
from benchmarks.quality.pairs import pairs
from benchmarks.quality.protocol import History


@dataclass(frozen=True)
class Popularity:
    """The best sellers of the last days, the same for every customer."""

    days: int = 7

    def recommend(
        self, history: History, customers: NDArray[np.int32], k: int
    ) -> NDArray[np.int32]:
        return np.tile(best_sellers(history, self.days)[:k], (len(customers), 1))


@dataclass(frozen=True)
class SegmentPopularity:
    """The best sellers of the last days among customers of the same age.

    prior : customers; a segment's shares are shrunk towards everybody's as if so many of its
        customers had bought like all
    """

    days: int = 7
    prior: float = 100.0

    def recommend(
        self, history: History, customers: NDArray[np.int32], k: int
    ) -> NDArray[np.int32]:
        recent = pairs(history.last(self.days))
        _, segment = np.unique(history.catalogue.ages, return_inverse=True)
        n, n_articles = int(segment.max()) + 1, history.n_articles
        buyers = np.unique(recent.customers)
        share = np.bincount(recent.articles, minlength=n_articles) / max(len(buyers), 1)
        keys = segment[recent.customers] * n_articles + recent.articles
        counts = np.bincount(keys, minlength=n * n_articles).reshape(n, n_articles)
        size = np.bincount(segment[buyers], minlength=n)[:, None]
        lists = top_of(
            (counts + self.prior * share) / (size + self.prior), k, best_sellers(history)
        )
        return lists[segment[customers]]


@dataclass(frozen=True)
class Repurchase:
    """What the customer bought on most days, each worth half after ``half_life`` days.

    Filled with last week's best sellers. An infinite half-life counts all days alike.
    """

    half_life: float = 60.0

    def recommend(
        self, history: History, customers: NDArray[np.int32], k: int
    ) -> NDArray[np.int32]:
        found = pairs(history)
        habits = found.matrix(found.decayed(self.half_life))[customers].tocoo()
        order = best_sellers(history)
        return top(habits.row, habits.col, habits.data, len(customers), k, order)
