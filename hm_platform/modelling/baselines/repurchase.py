"""What a customer bought before, by how recently and how often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hm_platform.features.snapshot import Histories, Snapshot
from hm_platform.modelling.baselines.popularity import BestSellers, Popularity
from hm_platform.modelling.ranking import best, fill, gather_rows, in_blocks
from hm_platform.modelling.recommenders import SOURCES, Recommendations, popularity_rank

REPURCHASE = SOURCES.index("repurchase")
BLOCK = 4096


def decayed_purchases(
    histories: Histories, entries: NDArray[np.int64], half_life: float
) -> NDArray[np.float64]:
    """Purchases of (customer, article) pairs, each worth half as much every ``half_life`` days.

    A history holds the first and the last day of a pair and on how many days it occurred, not
    every day, so the days are taken to lie evenly between the two: with d days, last seen l days
    ago and g days between two of them, the sum is the geometric series
    ``r**l * (1 - r**(g * d)) / (1 - r**g)`` with ``r = 2**(-1 / half_life)``.

    Shape (entries,).
    """
    last = histories.days_since_last[entries].astype(np.float64)
    first = histories.days_since_first[entries].astype(np.float64)
    days = histories.days[entries].astype(np.float64)
    rate = np.log(2.0) / half_life
    gap = (first - last) / np.maximum(days - 1, 1) * rate
    repeated = days > 1
    series = np.ones_like(last)
    series[repeated] = np.expm1(-gap[repeated] * days[repeated]) / np.expm1(-gap[repeated])
    return np.exp(-rate * last) * series


@dataclass(frozen=True)
class RepurchaseScorer:
    """Repurchase at one cut-off."""

    snapshot: Snapshot
    half_life: float
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
            decayed_purchases(histories, entry, self.half_life),
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

    half_life : days in which a purchase loses half of its weight
    """

    name = "repurchase"
    needs_history = True

    def __init__(self, half_life: float = 60.0) -> None:
        self.half_life = half_life

    def prepare(self, snapshot: Snapshot) -> RepurchaseScorer:
        return RepurchaseScorer(
            snapshot,
            self.half_life,
            popularity_rank(snapshot),
            np.asarray(snapshot.articles["purchases_total"]) > 0,
            Popularity().prepare(snapshot),
        )
