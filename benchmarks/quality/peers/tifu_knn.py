"""TIFU-KNN, from its paper: Hu, He, Gao and Zhang, "Modeling Personalized Item Frequency
Information for Next-basket Recommendation", SIGIR 2020."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmarks.quality.lists import best_sellers, top_of
from benchmarks.quality.pairs import Pairs, pairs, trips
from benchmarks.quality.protocol import History


@dataclass(frozen=True)
class TifuKnn:
    """A customer's decayed frequencies, mixed with those of the nearest customers.

    The settings are near those of the paper for grocery data; ``own`` was chosen on the target
    weeks 2017-09-11 and 2017-09-25.

    size : m, the baskets of a group; a customer's oldest group may have fewer
    within : r_b, what a basket is worth against the next one of its group
    between : r_g, what a group is worth against the next one
    neighbours : how many nearest customers
    own : alpha, the weight of the customer's own vector
    """

    size: int = 3
    within: float = 0.9
    between: float = 0.85
    neighbours: int = 50
    own: float = 0.5

    def recommend(
        self, history: History, customers: NDArray[np.int32], k: int
    ) -> NDArray[np.int32]:
        found = pairs(history)
        weight = basket_weights(history, found, self.size, self.within, self.between)
        vectors = found.matrix(found.sum_events(weight))
        others = nearest_mean(vectors, customers, self.neighbours)
        scores = self.own * vectors[customers] + (1 - self.own) * others
        return top_of(scores.tocsr(), k, best_sellers(history))


def basket_weights(
    history: History, found: Pairs, size: int, within: float, between: float
) -> NDArray[np.float64]:
    """What an article in a basket adds to its customer's vector, for each event of the pairs.

    A day's purchases are a basket. With x baskets in group i of g, the j-th of them adds
    ``r_b ** (x - j) / x * r_g ** (g - i) / g`` (equations 1 to 3 of the paper).
    """
    who, days = trips(history)
    number = np.bincount(who, minlength=history.n_customers)
    later = np.cumsum(number)[who] - np.arange(len(who)) - 1
    groups = -(-number[who] // size)
    group, place = np.divmod(later, size)  # both counted from the latest
    length = np.minimum(size, number[who] - group * size)
    weight = within**place / length * between**group / groups
    baskets = who.astype(np.int64) << 32 | days
    events = found.customers[found.event_pair].astype(np.int64) << 32 | found.event_day
    return weight[np.searchsorted(baskets, events)]


def nearest_mean(vectors: sparse.csr_matrix, rows: NDArray[np.int32], k: int) -> sparse.csr_matrix:
    """The mean of the k vectors with the smallest Euclidean distance to each of some rows.

    A row is no neighbour of itself, and those without any purchase are nobody's.
    """
    squares = np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel()
    distance = squares - 2 * (vectors[rows] @ vectors.T).toarray()
    distance[:, squares == 0] = np.inf
    distance[np.arange(len(rows)), rows] = np.inf
    k = min(k, vectors.shape[0])
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :k]
    usable = np.isfinite(np.take_along_axis(distance, nearest, axis=1))
    row, _ = np.nonzero(usable)
    share = 1 / np.maximum(usable.sum(axis=1), 1)[row]
    chosen = sparse.csr_matrix((share, (row, nearest[usable])), shape=distance.shape)
    return (chosen @ vectors).tocsr()
