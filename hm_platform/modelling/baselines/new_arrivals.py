"""Articles that are new in the catalogue, near what the customer buys."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hm_platform.features.snapshot import Histories, Snapshot
from hm_platform.modelling.ranking import empty, gather_rows, in_blocks
from hm_platform.modelling.recommenders import SOURCES, Recommendations, popularity_rank

NEW_ARRIVALS = SOURCES.index("new_arrivals")
BLOCK = 1024
ATTRIBUTES = ("product_type_code", "department_code")
"""What taste is made of: the kind of thing, and where in the shop it is found."""


@dataclass(frozen=True)
class NewArrivalsScorer:
    """NewArrivals at one cut-off.

    arrivals : int32, shape (arrivals,), the new articles, best sellers first
    weight : float64, shape (arrivals,), by how much taste counts
    codes : an array an attribute, shape (articles,), 0 where it is unknown
    """

    histories: Histories
    half_life: float
    arrivals: NDArray[np.int32]
    weight: NDArray[np.float64]
    codes: tuple[NDArray[np.int32], ...]

    def top(self, customers: NDArray[np.int32], k: int) -> Recommendations:
        return in_blocks(customers, k, BLOCK, lambda block: self._top(block, k))

    def _top(self, customers: NDArray[np.int32], k: int) -> Recommendations:
        import torch

        from hm_platform.modelling.search import top_k

        n = len(customers)
        row, entry = gather_rows(self.histories.offsets, customers)
        age = np.exp2(-self.histories.days_since_last[entry] / self.half_life)
        age /= np.bincount(row, age, minlength=n)[row]
        bought = self.histories.articles[entry]
        scores = np.zeros((n, len(self.arrivals)))
        for codes in self.codes:
            categories = int(codes.max(initial=0)) + 1
            keys = row * categories + codes[bought]
            taste = np.bincount(keys, age, minlength=n * categories).astype(np.float64)
            taste = taste.reshape(n, categories)
            taste[:, 0] = 0
            liking: NDArray[np.float64] = np.take(taste, codes[self.arrivals], axis=1)
            liking *= self.weight
            scores += liking
        found = empty(n, k)
        # Of equal scores the lower column, which is the better seller.
        values, columns = top_k(torch.from_numpy(scores.astype(np.float32)), k)
        liked = values.numpy() > 0
        place = np.nonzero(liked)
        found.articles[place] = self.arrivals[columns.numpy()[liked]]
        found.scores[place] = values.numpy()[liked]
        found.sources[place] = NEW_ARRIVALS
        return found


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
        new = new[np.argsort(popularity_rank(snapshot)[new])][: self.most]
        return NewArrivalsScorer(
            snapshot.histories,
            self.half_life,
            new,
            np.log1p(sold[new]).astype(np.float64),
            tuple(np.asarray(sales[name]) for name in ATTRIBUTES),
        )
