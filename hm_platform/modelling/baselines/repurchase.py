"""What a customer bought before, by how recently and how often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hm_platform.features.decay import HALF_LIVES
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.baselines.popularity import BestSellers, Popularity
from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.ranking import best, fill, gather_rows, in_blocks
from hm_platform.modelling.recommenders import SOURCES, Recommendations, popularity_rank

REPURCHASE = SOURCES.index("repurchase")
BLOCK = 4096


@dataclass(frozen=True)
class RepurchaseScorer:
    """Repurchase at one cut-off."""

    snapshot: Snapshot
    half_life: int
    rank: NDArray[np.int32]
    eligible: NDArray[np.bool_]
    filler: BestSellers

    def top(self, customers: NDArray[np.int32], k: int) -> Recommendations:
        return in_blocks(customers, k, BLOCK, lambda block: self._top(block, k))

    def _top(self, customers: NDArray[np.int32], k: int) -> Recommendations:
        histories = self.snapshot.histories
        row, entry = gather_rows(histories.offsets, customers)
        sellable = self.eligible[histories.articles[entry]]
        row, entry = row[sellable], entry[sellable]
        articles = histories.articles[entry]
        own = best(
            row,
            articles,
            histories.decayed[entry, HALF_LIVES.index(self.half_life)].astype(np.float64),
            self.rank[articles],
            len(customers),
            k,
            REPURCHASE,
        )
        return fill(own, self.filler.top(customers, k))


class Repurchase:
    """The customer's own past articles by decayed shopping days, filled with best sellers.

    Equal scores go to the more popular article. The score of a row from ``repurchase`` is in
    decayed days with a purchase.

    half_life : days in which a shopping day loses half of its weight; one of HALF_LIVES

    Raises ModellingError for another half-life: histories do not know every day.
    """

    name = "repurchase"
    needs_history = True

    def __init__(self, half_life: int = 60) -> None:
        if half_life not in HALF_LIVES:
            raise ModellingError(f"half-lives are {', '.join(map(str, HALF_LIVES))}: {half_life}")
        self.half_life = half_life

    def prepare(self, snapshot: Snapshot) -> RepurchaseScorer:
        return RepurchaseScorer(
            snapshot,
            self.half_life,
            popularity_rank(snapshot),
            np.asarray(snapshot.articles["purchases_total"]) > 0,
            Popularity().prepare(snapshot),
        )
