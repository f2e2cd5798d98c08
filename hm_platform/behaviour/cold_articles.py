"""How well articles that nobody has bought yet could be put in order, from their attributes alone.

Only a sale proves that an article can be bought, so lists never hold such an article, and no metric
of lists can say anything about it. Here the articles without a sale are a catalogue of their own,
for the customers who bought one of them in the test week.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.baselines.popularity import SegmentShares
from hm_platform.modelling.first_sales import first_sale_rates
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
    """How good one order is for each of n customers; float64, shape (n,), from 0 to 1.

    recall : of what the customer bought, the share among the first k
    percentile : where what the customer bought stands on average, 0 for the first place and 1 for
        the last; 0.5 is chance (the expected percentile ranking of Hu, Koren and Volinsky 2008,
        "Collaborative filtering for implicit feedback datasets", section 5). Twelve places among
        tens of thousands say little; this does.
    """

    recall: NDArray[np.float64]
    percentile: NDArray[np.float64]


@dataclass(frozen=True)
class ColdArticles:
    """What became of the articles without a sale before the cut-off.

    customers : int32, shape (n,), indices, who bought one of them in the test week, in the order of
        the test customers; there may be none
    articles : how many there are to choose from
    k : how many of them are looked at
    methods : what ordered them (``first_sales``, ``two_tower``, ``product_type``) -> how well;
        empty without customers
    """

    customers: NDArray[np.int32]
    articles: int
    k: int = K
    methods: Mapping[str, ColdScores] = field(default_factory=dict)


def cold_articles(
    two_tower_scorer: VectorScorer, snapshot: Snapshot, bought: Purchased, k: int = K
) -> ColdArticles:
    """Order all articles without a sale for each customer who bought one of them, in three ways.

    ``first_sales`` is how soon articles like it have been sold lately (:func:`first_sale_rates`),
    the same for every customer. ``two_tower`` is the dense part of the retrieval model's score:
    without a sale there is neither an id embedding nor a history, so attributes speak.
    ``product_type`` is how much the customer's segment bought of the article's product type in the
    last week (:class:`SegmentShares`, summed over the type's articles; 0 for an unknown type). Ties
    go to the lower article index.

    snapshot : what is known at the cut-off, for which ``two_tower_scorer`` was prepared
    bought : the week after the cut-off
    """
    unsold = snapshot.articles["purchases_total"] == 0
    cold = np.flatnonzero(unsold).astype(np.int32)
    wanted = _among(bought, unsold)
    n = len(wanted.customers)
    if n == 0:
        return ColdArticles(wanted.customers, len(cold), k)
    soon = np.broadcast_to(first_sale_rates(snapshot)[cold], (n, len(cold)))
    by_type, segment_of = _type_shares(snapshot, wanted.customers, cold)
    scores: Mapping[str, Callable[[slice], NDArray]] = {
        "first_sales": lambda rows: soon[rows],
        "two_tower": lambda rows: two_tower_scorer.score_all(wanted.customers[rows], cold),
        "product_type": lambda rows: by_type[segment_of[rows]],
    }
    methods = {name: _measured(of, wanted, cold, k) for name, of in scores.items()}
    return ColdArticles(wanted.customers, len(cold), k, methods)


def _among(bought: Purchased, asked: NDArray[np.bool_]) -> Purchased:
    """The purchases of the articles asked about, and the customers who have any."""
    kept = asked[bought.articles]
    owner = np.repeat(np.arange(len(bought.customers)), np.diff(bought.offsets))[kept]
    rows, counts = np.unique(owner, return_counts=True)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Purchased(bought.customers[rows], offsets, bought.articles[kept])


def _measured(
    scores_of: Callable[[slice], NDArray], wanted: Purchased, cold: NDArray[np.int32], k: int
) -> ColdScores:
    """How good the order by these scores is, a block of customers at a time.

    scores_of : some of the customers -> their scores of the cold articles
    """
    n, block = len(wanted.customers), max(1, PAIRS // len(cold))
    lists = np.empty((n, k), dtype=np.int32)
    places = np.empty(len(wanted.articles))
    for start in range(0, n, block):
        rows = slice(start, min(start + block, n))
        # As ``best`` compares them, so that both see the same ties.
        scores = scores_of(rows).astype(np.float32, copy=False)
        lists[rows] = _first(scores, cold, k)
        for row in range(rows.start, rows.stop):
            bought = slice(*wanted.offsets[row : row + 2])
            column = np.searchsorted(cold, wanted.articles[bought])
            places[bought] = _percentiles(scores[row - rows.start], column)
    means = np.add.reduceat(places, wanted.offsets[:-1]) / np.diff(wanted.offsets)
    return ColdScores(evaluate(lists, wanted).recall, means)


def _percentiles(scores: NDArray[np.float32], column: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where these places stand in the order of the scores; equal ones share their middle."""
    ordered = np.sort(scores)
    first = len(scores) - np.searchsorted(ordered, scores[column], side="right")
    last = len(scores) - 1 - np.searchsorted(ordered, scores[column], side="left")
    return (first + last) / 2 / max(len(scores) - 1, 1)


def _type_shares(
    snapshot: Snapshot, customers: NDArray[np.int32], cold: NDArray[np.int32]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """What each segment bought of the product types of the cold articles, and whose is which.

    Returns shape (segments, articles) and the row for each of the customers.
    """
    shares = SegmentShares(snapshot)
    types = snapshot.articles["product_type_code"].astype(np.int64)
    everything = np.arange(snapshot.n_articles)
    segments, segment_of = np.unique(shares.of_customer[customers], return_inverse=True)
    found = np.empty((len(segments), len(cold)), dtype=np.float32)
    for i, segment in enumerate(segments):
        share = shares.mean(np.full(snapshot.n_articles, segment), everything)
        of_type = np.bincount(types, weights=share)
        # Articles of unknown types have nothing in common.
        of_type[0] = 0
        found[i] = of_type[types[cold]]
    return found, segment_of


def _first(scores: NDArray, articles: NDArray[np.int32], k: int) -> NDArray[np.int32]:
    """The k articles with the highest scores, -1 where there are fewer; shape (n, k).

    scores : float32, shape (n, articles)
    articles : ascending
    """
    size = min(k, len(articles))
    lowest = np.partition(scores, -size, axis=1)[:, -size, None]
    above, level = scores > lowest, scores == lowest
    # Articles with the same attributes are level, and there may be very many of them.
    free = size - np.count_nonzero(above, axis=1)
    row, column = np.nonzero(
        above | (level & (np.cumsum(level, axis=1, dtype=np.int32) <= free[:, None]))
    )
    return best(row, articles[column], scores[row, column], column, len(scores), k, 0).articles
