"""The candidates of the two-stage peer: own articles, those of similar customers, best sellers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmarks.quality.lists import best_sellers, strongest
from benchmarks.quality.pairs import Pairs
from benchmarks.quality.protocol import History


@dataclass(frozen=True)
class Candidates:
    """(customer, article) pairs to rank, sorted by row, then article, none twice.

    rows : int64, positions in ``of``
    of : int32, the customers, ascending
    """

    of: NDArray[np.int32]
    rows: NDArray[np.int64]
    articles: NDArray[np.int32]

    @property
    def customers(self) -> NDArray[np.int32]:
        """The customer of each candidate."""
        return self.of[self.rows]

    def groups(self) -> NDArray[np.int64]:
        """How many candidates each customer has."""
        return np.bincount(self.rows, minlength=len(self.of))


def candidates(
    history: History,
    found: Pairs,
    neighbours: sparse.csr_matrix,
    customers: NDArray[np.int32],
    own: int,
    others: int,
    popular: int,
) -> Candidates:
    """Candidates of some customers, at most ``own + others + popular`` each.

    neighbours : customers × articles, what similar customers buy
    customers : ascending
    """
    habits = found.matrix(found.decayed(60))[customers]
    similar = neighbours[customers]
    # What the customer never bought: the own articles have a source of their own.
    similar = similar - similar.multiply(habits > 0)
    similar.eliminate_zeros()
    sellers = best_sellers(history)[:popular]
    sources = (
        strongest(habits, own)[:2],
        strongest(similar.tocsr(), others)[:2],
        (
            np.repeat(np.arange(len(customers), dtype=np.int64), len(sellers)),
            np.tile(sellers, len(customers)),
        ),
    )
    keys = np.unique(
        np.concatenate([row * history.n_articles + article for row, article in sources])
    )
    rows, articles = np.divmod(keys, history.n_articles)
    return Candidates(customers, rows, articles.astype(np.int32))
