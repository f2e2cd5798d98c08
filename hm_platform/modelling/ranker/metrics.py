"""How good an order of lists is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hm_platform.modelling.metrics import K
from hm_platform.modelling.ranker.lists import RankingLists
from hm_platform.modelling.ranking import rank_within


def mean_average_precision(lists: RankingLists, scores: NDArray[np.float32]) -> float:
    """MAP@12 of the lists in the order of these scores; equal ones stand by article."""
    return float(np.mean(average_precisions(lists, scores)))


def average_precisions(lists: RankingLists, scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """The average precision at 12 of each list; shape (lists,)."""
    row = np.repeat(np.arange(len(lists)), np.diff(lists.offsets))
    order = np.lexsort((lists.articles, -scores, row))
    place = rank_within(row[order])
    top = order[place < K]
    hit = np.zeros((len(lists), K))
    hit[row[top], place[place < K]] = lists.wanted[top]
    precision = hit * np.cumsum(hit, axis=1) / np.arange(1, K + 1)
    return precision.sum(axis=1) / np.minimum(lists.bought, K)
