"""How well articles that nobody has bought yet could be put in order, from their attributes alone.

Only a sale proves that an article can be bought, so lists never hold such an article, and no metric
of lists can say anything about it. Here the articles without a sale are a catalogue of their own,
for the customers who bought one of them in the test week.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.baselines.popularity import SegmentShares
from hm_platform.modelling.metrics import K, Purchased, evaluate
from hm_platform.modelling.ranking import best

PAIRS = 1 << 22
"""Scores held at a time, about 80 MB with what is computed from them."""


class VectorScorer(Protocol):
    """The retrieval model, prepared for a snapshot."""

    def score_all(
        self, customers: NDArray[np.int32], articles: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """What vectors say of each customer with each article; shape (customers, articles)."""
        ...


@dataclass(frozen=True)
class ColdScores:
    """How good one order is, the means over customers; both from 0 to 1."""

    recall: float
    map: float


@dataclass(frozen=True)
class ColdArticles:
    """What became of the articles without a sale before the cut-off.

    customers : who bought one of them in the test week; there may be none
    articles : how many there are to choose from
    k : how many of them are looked at
    methods : what ordered them (``two_tower``, ``product_type``) -> how well; empty without
        customers
    """

    customers: int
    articles: int
    k: int = K
    methods: Mapping[str, ColdScores] = field(default_factory=dict)


def cold_articles(
    two_tower_scorer: VectorScorer, snapshot: Snapshot, bought: Purchased, k: int = K
) -> ColdArticles:
    """Order all articles without a sale for each customer who bought one of them, in two ways.

    ``two_tower`` is the dense part of the retrieval model's score: without a sale there is neither
    an id embedding nor a history, so attributes speak. ``product_type`` is how much the customer's
    segment bought of the article's product type in the last week (:class:`SegmentShares`, summed
    over the type's articles; 0 for an unknown type). Ties go to the lower article index.

    snapshot : what is known at the cut-off, for which ``two_tower_scorer`` was prepared
    bought : the week after the cut-off
    """
    unsold = snapshot.articles["purchases_total"] == 0
    cold = np.flatnonzero(unsold).astype(np.int32)
    wanted = _among(bought, unsold)
    n = len(wanted.customers)
    if n == 0:
        return ColdArticles(0, len(cold), k)
    lists = {
        "two_tower": _by_two_tower(two_tower_scorer, wanted.customers, cold, k),
        "product_type": _by_product_type(snapshot, wanted.customers, cold, k),
    }
    found = {name: evaluate(articles, wanted).means() for name, articles in lists.items()}
    return ColdArticles(
        n, len(cold), k, {name: ColdScores(m["recall"], m["map"]) for name, m in found.items()}
    )


def _among(bought: Purchased, asked: NDArray[np.bool_]) -> Purchased:
    """The purchases of the articles asked about, and the customers who have any."""
    kept = asked[bought.articles]
    owner = np.repeat(np.arange(len(bought.customers)), np.diff(bought.offsets))[kept]
    rows, counts = np.unique(owner, return_counts=True)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Purchased(bought.customers[rows], offsets, bought.articles[kept])


def _by_two_tower(
    scorer: VectorScorer, customers: NDArray[np.int32], cold: NDArray[np.int32], k: int
) -> NDArray[np.int32]:
    block = max(1, PAIRS // len(cold))
    lists = np.empty((len(customers), k), dtype=np.int32)
    for start in range(0, len(customers), block):
        asked = customers[start : start + block]
        lists[start : start + block] = _first(scorer.score_all(asked, cold), cold, k)
    return lists


def _by_product_type(
    snapshot: Snapshot, customers: NDArray[np.int32], cold: NDArray[np.int32], k: int
) -> NDArray[np.int32]:
    shares = SegmentShares(snapshot)
    types = snapshot.articles["product_type_code"].astype(np.int64)
    everything = np.arange(snapshot.n_articles)
    segments, segment_of = np.unique(shares.of_customer[customers], return_inverse=True)
    lists = np.empty((len(segments), k), dtype=np.int32)
    for i, segment in enumerate(segments):
        share = shares.mean(np.full(snapshot.n_articles, segment), everything)
        of_type = np.bincount(types, weights=share)
        # Articles of unknown types have nothing in common.
        of_type[0] = 0
        lists[i] = _first(of_type[types[cold]][None, :], cold, k)[0]
    return lists[segment_of]


def _first(scores: NDArray, articles: NDArray[np.int32], k: int) -> NDArray[np.int32]:
    """The k articles with the highest scores, -1 where there are fewer; shape (n, k).

    scores : shape (n, articles)
    articles : ascending
    """
    # As ``best`` compares them, so that both see the same ties.
    scores = scores.astype(np.float32, copy=False)
    size = min(k, len(articles))
    lowest = np.partition(scores, -size, axis=1)[:, -size, None]
    above, level = scores > lowest, scores == lowest
    # Articles with the same attributes are level, and there may be very many of them.
    free = size - np.count_nonzero(above, axis=1)
    row, column = np.nonzero(
        above | (level & (np.cumsum(level, axis=1, dtype=np.int32) <= free[:, None]))
    )
    return best(row, articles[column], scores[row, column], column, len(scores), k, 0).articles
