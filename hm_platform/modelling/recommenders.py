"""The interface that the model and every baseline share.

A recommender is prepared once for a snapshot (what is known at a cut-off) and then asked for the
best articles of batches of customers. Evaluation and publishing know nothing else about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hm_platform.features.snapshot import Snapshot

SOURCES = (
    "two_tower",
    "repurchase",
    "co_purchase",
    "segment_popularity",
    "popularity",
    "new_arrivals",
)
"""Where a recommended article can come from; ``Recommendations.sources`` holds positions in it."""


@dataclass(frozen=True)
class Recommendations:
    """The k best articles for each of n customers, best first, no article twice in a row.

    Where fewer than k articles can be recommended at all, the rest of a row is -1 with score
    ``-inf``.

    articles : int32, shape (n, k), article indices
    scores : float32, shape (n, k), not increasing along a row; comparable within a row only
    sources : int8, shape (n, k), positions in SOURCES
    """

    articles: NDArray[np.int32]
    scores: NDArray[np.float32]
    sources: NDArray[np.int8]


class Scorer(Protocol):
    """A recommender that is ready for one snapshot."""

    def top(self, customers: NDArray[np.int32], k: int) -> Recommendations:
        """The k best articles for these customers (indices).

        The answer for a customer does not depend on which others are asked for. Articles of equal
        score are ordered by popularity (:func:`popularity_rank`) in the baselines, and by index
        in the model.
        """
        ...


class Recommender(Protocol):
    """Something that recommends: the model or a baseline."""

    @property
    def name(self) -> str:
        """What it is called on boards and in manifests."""
        ...

    @property
    def needs_history(self) -> bool:
        """Whether a customer without any purchase is left to the best sellers of the segment."""
        ...

    def prepare(self, snapshot: Snapshot) -> Scorer:
        """Compute once what all customers share."""
        ...


def eligible_articles(snapshot: Snapshot) -> NDArray[np.int32]:
    """The articles that may be recommended, ascending: those sold before the cut-off.

    Only a sale proves that an article can be bought.
    """
    return np.flatnonzero(snapshot.articles["purchases_total"] > 0).astype(np.int32)


def popularity_rank(snapshot: Snapshot) -> NDArray[np.int32]:
    """Each article's place among all, best seller first (0); shape (articles,).

    By purchases in the last week before the cut-off, then in the last four, then in all time,
    then by index, so that no two articles share a place.
    """
    sales = snapshot.articles
    order = np.lexsort(
        (
            np.arange(snapshot.n_articles),
            -sales["purchases_total"],
            -sales["purchases_last_4_weeks"],
            -sales["purchases_last_week"],
        )
    )
    rank = np.empty(snapshot.n_articles, dtype=np.int32)
    rank[order] = np.arange(snapshot.n_articles, dtype=np.int32)
    return rank
