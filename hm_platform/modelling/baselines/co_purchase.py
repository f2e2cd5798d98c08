"""Articles that are bought together with what the customer bought lately."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray

from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.baselines.popularity import BestSellers, Popularity
from hm_platform.modelling.ranking import best, fill, gather_rows, in_blocks, rank_within
from hm_platform.modelling.recommenders import SOURCES, Recommendations, popularity_rank

CO_PURCHASE = SOURCES.index("co_purchase")
BLOCK = 1024


@dataclass(frozen=True)
class CoPurchaseScorer:
    """CoPurchase at one cut-off."""

    snapshot: Snapshot
    half_life: float
    recent: int
    rank: NDArray[np.int32]
    eligible: NDArray[np.bool_]
    neighbours: sparse.csr_matrix
    filler: BestSellers

    def top(self, customers: NDArray[np.int32], k: int) -> Recommendations:
        return in_blocks(customers, k, BLOCK, lambda block: self._top(block, k))

    def _top(self, customers: NDArray[np.int32], k: int) -> Recommendations:
        histories = self.snapshot.histories
        row, entry = gather_rows(histories.offsets, customers)
        kept = rank_within(row) < self.recent
        row, entry = row[kept], entry[kept]
        weights = np.exp2(-histories.days_since_last[entry] / self.half_life)
        recent = sparse.csr_matrix(
            (weights, (row, histories.articles[entry])),
            shape=(len(customers), self.snapshot.n_articles),
        )
        scores = (recent @ self.neighbours).tocoo()
        sellable = self.eligible[scores.col] & (scores.data > 0)
        articles = scores.col[sellable]
        found = best(
            scores.row[sellable],
            articles,
            scores.data[sellable],
            self.rank[articles],
            len(customers),
            k,
            CO_PURCHASE,
        )
        return fill(found, self.filler.top(customers, k))


class CoPurchase:
    """Item-to-item: neighbours of the customer's recent articles, filled with best sellers.

    The score of an article is the sum over the customer's ``recent`` latest articles of their
    co-purchase cosine with it (Sarwar et al. 2001, "Item-based collaborative filtering
    recommendation algorithms", section 3.2.1), each weighted by the age of its last purchase.
    Articles that the customer has already bought stay in: whether they come back is for the data
    to say. Equal scores go to the more popular article.

    half_life : days in which a purchase loses half of its weight
    recent : how many of a customer's latest distinct articles count
    """

    name = "co_purchase"
    needs_history = True

    def __init__(self, half_life: float = 30.0, recent: int = 50) -> None:
        self.half_life = half_life
        self.recent = recent

    def prepare(self, snapshot: Snapshot) -> CoPurchaseScorer:
        pairs = snapshot.copurchases
        n = snapshot.n_articles
        return CoPurchaseScorer(
            snapshot,
            self.half_life,
            self.recent,
            popularity_rank(snapshot),
            np.asarray(snapshot.articles["purchases_total"]) > 0,
            sparse.csr_matrix(
                (pairs.scores.astype(np.float64), pairs.articles, pairs.offsets), shape=(n, n)
            ),
            Popularity().prepare(snapshot),
        )
