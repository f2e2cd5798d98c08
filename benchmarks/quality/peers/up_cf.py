"""UP-CF: Faggioli, Polato and Aiolli, "Recency aware collaborative filtering for next basket
recommendation", UMAP 2020; with time decay in place of the paper's window of baskets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.lists import best_sellers, top_of
from benchmarks.quality.pairs import pairs
from benchmarks.quality.protocol import History


@dataclass(frozen=True)
class UpCf:
    """The decayed purchases of all customers, weighted by how alike they are.

    locality : q, the power of the similarity; the larger, the more one's own purchases count
    alpha : of the asymmetric cosine, ``|A and B| / (|A| ** alpha * |B| ** (1 - alpha))``; a
        customer's similarity to itself is 1
    """

    half_life: float = 60.0
    locality: float = 3.0
    alpha: float = 0.25

    def recommend(
        self, history: History, customers: NDArray[np.int32], k: int
    ) -> NDArray[np.int32]:
        found = pairs(history)
        has = found.matrix(np.ones(len(found.customers)))
        size = np.maximum(np.diff(found.offsets), 1).astype(np.float64)
        common = (has[customers] @ has.T).toarray()
        alike = common / (size[customers, None] ** self.alpha * size ** (1 - self.alpha))
        decayed = found.matrix(found.decayed(self.half_life))
        order = best_sellers(history)
        lists = [
            top_of((alike[rows] ** self.locality).astype(np.float32) @ decayed, k, order)
            for rows in np.array_split(np.arange(len(customers)), -(-len(customers) // 256))
        ]
        return np.concatenate(lists)
