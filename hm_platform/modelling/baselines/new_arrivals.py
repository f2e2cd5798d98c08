"""Articles that are new in the catalogue, near what the customer buys."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray

from hm_platform.features.snapshot import Histories, Snapshot
from hm_platform.modelling.ranking import best, gather_rows, in_blocks
from hm_platform.modelling.recommenders import SOURCES, Recommendations, popularity_rank

NEW_ARRIVALS = SOURCES.index("new_arrivals")
BLOCK = 1024
ATTRIBUTES = ("product_type_code", "department_code")
"""What taste is made of: the kind of thing, and where in the shop it is found."""


@dataclass(frozen=True)
class NewArrivalsScorer:
    """NewArrivals at one cut-off.

    arrivals : int32, shape (arrivals,), the new articles
    rank : int32, shape (arrivals,), their popularity ranks
    described : a matrix an attribute, shape (categories, arrivals): the article's weight in the
        row of its category, zero elsewhere
    codes : an array an attribute, shape (articles,)
    """

    histories: Histories
    half_life: float
    arrivals: NDArray[np.int32]
    rank: NDArray[np.int32]
    described: tuple[sparse.csr_matrix, ...]
    codes: tuple[NDArray[np.int32], ...]

    def top(self, customers: NDArray[np.int32], k: int) -> Recommendations:
        return in_blocks(customers, k, BLOCK, lambda block: self._top(block, k))

    def _top(self, customers: NDArray[np.int32], k: int) -> Recommendations:
        row, entry = gather_rows(self.histories.offsets, customers)
        weight = np.exp2(-self.histories.days_since_last[entry] / self.half_life)
        weight /= np.bincount(row, weight, minlength=len(customers))[row]
        bought = self.histories.articles[entry]
        scores = sparse.csr_matrix((len(customers), len(self.arrivals)))
        for codes, described in zip(self.codes, self.described, strict=True):
            taste = sparse.csr_matrix(
                (weight, (row, codes[bought])), shape=(len(customers), described.shape[0])
            )
            scores = scores + taste @ described
        near = scores.tocoo()
        liked = near.data > 0
        column = near.col[liked]
        return best(
            near.row[liked],
            self.arrivals[column],
            near.data[liked],
            self.rank[column],
            len(customers),
            k,
            NEW_ARRIVALS,
        )


class NewArrivals:
    """Articles first sold a few weeks ago, by the customer's taste and their first sales.

    Taste is the share of a product type, and of a department, in the customer's past articles,
    each counted by the age of its last purchase. The score of a new article is the share of its
    type plus that of its department, times ``log(1 + purchases in the last week)``. Rows are
    shorter than k where too little is new or near.

    days : how long ago an article was first sold, at most
    most : how many new articles are looked at, the best sellers among them
    half_life : days in which a past purchase loses half of its weight
    """

    name = "new_arrivals"
    needs_history = True

    def __init__(self, days: int = 28, most: int = 2000, half_life: float = 60.0) -> None:
        self.days = days
        self.most = most
        self.half_life = half_life

    def prepare(self, snapshot: Snapshot) -> NewArrivalsScorer:
        sales = snapshot.articles
        age = sales["days_since_first_sale"]
        sold = sales["purchases_last_week"]
        new = np.flatnonzero((age > 0) & (age <= self.days) & (sold > 0)).astype(np.int32)
        rank = popularity_rank(snapshot)
        new = np.sort(new[np.argsort(rank[new])][: self.most])
        weight = np.log1p(sold[new])
        codes = tuple(np.asarray(sales[name]) for name in ATTRIBUTES)
        described = []
        for code in codes:
            known = np.flatnonzero(code[new] > 0)
            described.append(
                sparse.csr_matrix(
                    (weight[known], (code[new[known]], known)),
                    shape=(int(code.max(initial=0)) + 1, len(new)),
                )
            )
        return NewArrivalsScorer(
            snapshot.histories, self.half_life, new, rank[new], tuple(described), codes
        )
