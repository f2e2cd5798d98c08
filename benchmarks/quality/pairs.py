"""Purchases gathered by customer and article: the sums over time that the recommenders share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmarks.quality.protocol import History

Number = np.floating | np.integer | np.bool_


@dataclass(frozen=True)
class Pairs:
    """The (customer, article) pairs of a history and the days on which they occurred.

    customers, articles : int32, shape (pairs,), sorted by customer, then article
    purchases : int64, shape (pairs,), rows of the history
    offsets : int64, shape (customers + 1,): where each customer's pairs are
    event_pair : int64, shape (events,), not decreasing: the pair of each distinct day
    event_day : int32, shape (events,), ascending within a pair
    """

    cutoff: int
    shape: tuple[int, int]
    customers: NDArray[np.int32]
    articles: NDArray[np.int32]
    purchases: NDArray[np.int64]
    offsets: NDArray[np.int64]
    event_pair: NDArray[np.int64]
    event_day: NDArray[np.int32]

    def sum_events(self, weights: NDArray[Number]) -> NDArray[np.float64]:
        """The sum of a weight per event over the events of each pair."""
        sums = np.bincount(self.event_pair, weights, minlength=len(self.customers))
        return sums.astype(np.float64)

    def decayed(self, half_life: float) -> NDArray[np.float64]:
        """Days of purchase, each worth half as much after ``half_life`` days."""
        return self.sum_events(np.exp2((self.event_day - self.cutoff) / half_life))

    def days(self) -> NDArray[np.int64]:
        """On how many days each pair occurred."""
        return np.bincount(self.event_pair, minlength=len(self.customers))

    def matrix(self, values: NDArray[Number]) -> sparse.csr_matrix:
        """A value per pair as a sparse matrix, customers × articles."""
        data = values.astype(np.float32)
        return sparse.csr_matrix((data, self.articles, self.offsets), shape=self.shape)


def pairs(history: History) -> Pairs:
    """The pairs of a history."""
    base = history.n_articles
    keys = history.customers.astype(np.int64) * base + history.articles
    order = np.argsort(keys, kind="stable")  # the days stay ascending within a pair
    keys, days = keys[order], history.days[order]
    new_pair = np.r_[True, keys[1:] != keys[:-1]][: len(keys)]
    new_event = new_pair | np.r_[True, days[1:] != days[:-1]][: len(keys)]
    pair = np.cumsum(new_pair) - 1
    customers, articles = np.divmod(keys[new_pair], base)
    return Pairs(
        cutoff=history.cutoff,
        shape=(history.n_customers, base),
        customers=customers.astype(np.int32),
        articles=articles.astype(np.int32),
        purchases=np.bincount(pair),
        offsets=np.searchsorted(customers, np.arange(history.n_customers + 1)),
        event_pair=pair[new_event],
        event_day=days[new_event],
    )


def trips(history: History) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The distinct (customer, day) of a history, sorted: a customer's shopping days."""
    keys = np.unique(history.customers.astype(np.int64) << 32 | history.days)
    return (keys >> 32).astype(np.int32), (keys & 0xFFFFFFFF).astype(np.int32)
