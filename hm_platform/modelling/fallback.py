"""Twelve articles for everybody: what steps in where a recommender has too little to go by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.baselines.popularity import SegmentPopularity
from hm_platform.modelling.ranking import empty, fill
from hm_platform.modelling.recommenders import Recommendations, Recommender, Scorer


@dataclass(frozen=True)
class FallbackScorer:
    """WithFallback at one cut-off.

    asked : bool, shape (customers,), for whom the recommender itself is asked
    """

    scorer: Scorer
    filler: Scorer
    asked: NDArray[np.bool_]

    def top(self, customers: NDArray[np.int32], k: int) -> Recommendations:
        known = self.asked[customers]
        found = empty(len(customers), k)
        part = self.scorer.top(customers[known], k)
        found.articles[known] = part.articles
        found.scores[known] = part.scores
        found.sources[known] = part.sources
        return fill(found, self.filler.top(customers, k))


class WithFallback:
    """A recommender that answers for every customer.

    After the recommender's own articles, a customer for whom it has fewer than k gets the best
    sellers of the segment; one without any purchase before the cut-off gets nothing else, where
    the recommender needs a history. A row is shorter than k only when fewer than k articles can be
    recommended at all.
    """

    def __init__(self, recommender: Recommender, filler: Recommender | None = None) -> None:
        self.recommender = recommender
        self.filler: Recommender = filler or SegmentPopularity()

    needs_history = False

    @property
    def name(self) -> str:
        return self.recommender.name

    def prepare(self, snapshot: Snapshot) -> FallbackScorer:
        return FallbackScorer(
            self.recommender.prepare(snapshot),
            self.filler.prepare(snapshot),
            (snapshot.histories.lengths() > 0) | (not self.recommender.needs_history),
        )
