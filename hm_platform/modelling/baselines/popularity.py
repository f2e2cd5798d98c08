"""Best sellers: of everybody, and of the customer's segment."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.ranking import best, take
from hm_platform.modelling.recommenders import (
    SOURCES,
    Recommendations,
    eligible_articles,
    popularity_rank,
)

POPULARITY = SOURCES.index("popularity")
SEGMENT_POPULARITY = SOURCES.index("segment_popularity")
WEEK_DAYS = 7


class BestSellers:
    """A list of best sellers for each group of customers: a customer gets its group's list.

    groups : shape (customers,), row of the lists
    lists : gives the k best of every group, for any k; asked once for each k
    """

    def __init__(
        self, groups: NDArray[np.integer], lists: Callable[[int], Recommendations]
    ) -> None:
        self._groups = groups
        self._make = lists
        self._lists: dict[int, Recommendations] = {}

    def top(self, customers: NDArray[np.int32], k: int) -> Recommendations:
        if k not in self._lists:
            self._lists[k] = self._make(k)
        return take(self._lists[k], self._groups[customers])


class Popularity:
    """Last week's best sellers, the same for every customer; the score is last week's purchases.

    The order is that of :func:`popularity_rank`, so that a week without sales falls back on the
    last four, and those on all time.
    """

    name = "popularity"

    def prepare(self, snapshot: Snapshot) -> BestSellers:
        eligible = eligible_articles(snapshot)
        sold = snapshot.articles["purchases_last_week"][eligible]
        rank = popularity_rank(snapshot)[eligible]

        def lists(k: int) -> Recommendations:
            everybody = np.zeros(len(eligible), dtype=np.int64)
            return best(everybody, eligible, sold, rank, 1, k, POPULARITY)

        return BestSellers(np.zeros(snapshot.n_customers, dtype=np.int64), lists)


class SegmentPopularity:
    """Last week's best sellers among customers like this one, for customers without a history.

    The score of an article in a segment is the share of the segment's customers with a purchase
    in the last week who bought it, shrunk towards the share of all customers as if ``prior``
    further customers had bought like everybody (the mean of a Dirichlet-multinomial posterior,
    e.g. Gelman et al., Bayesian Data Analysis, 3rd ed., section 3.4): a small segment has
    everybody's list, a large one its own. An article that nobody of the segment bought comes from
    ``popularity``. Customers of the unknown segment (code 0) get everybody's list.

    prior : customers
    """

    name = "segment_popularity"

    def __init__(self, prior: float = 100.0) -> None:
        self.prior = prior

    def prepare(self, snapshot: Snapshot) -> BestSellers:
        segments = np.asarray(snapshot.customers["segment_code"], dtype=np.int64)
        n_segments = int(segments.max(initial=0)) + 1
        histories = snapshot.histories
        recent = np.flatnonzero(histories.days_since_last <= WEEK_DAYS)
        customer = np.searchsorted(histories.offsets, recent, side="right") - 1
        articles = histories.articles[recent].astype(np.int64)

        everybody = np.bincount(articles, minlength=snapshot.n_articles)
        buyers = np.unique(customer)
        share = everybody / max(len(buyers), 1)
        segment_buyers = np.bincount(segments[buyers], minlength=n_segments)

        pairs, counts = np.unique(
            segments[customer] * snapshot.n_articles + articles, return_counts=True
        )
        segment, article = np.divmod(pairs, snapshot.n_articles)
        known = segment > 0
        segment, article, counts = segment[known], article[known], counts[known]
        rank = popularity_rank(snapshot)
        eligible = eligible_articles(snapshot)
        # Ordered once for all: what a segment did not buy is ranked by everybody's share.
        by_share = eligible[np.lexsort((rank[eligible], -share[eligible]))].astype(np.int64)

        def lists(k: int) -> Recommendations:
            overall = by_share[:k]
            others_segment = np.repeat(np.arange(n_segments), len(overall))
            others = np.tile(overall, n_segments)
            taken = np.isin(others_segment * snapshot.n_articles + others, pairs[known])
            others_segment, others = others_segment[~taken], others[~taken]
            rows = np.concatenate([segment, others_segment])
            candidates = np.concatenate([article, others])
            bought = np.concatenate([counts, np.zeros(len(others), dtype=counts.dtype)])
            scores = (bought + self.prior * share[candidates]) / (segment_buyers[rows] + self.prior)
            return best(
                rows,
                candidates,
                scores,
                rank[candidates],
                n_segments,
                k,
                np.where(bought > 0, SEGMENT_POPULARITY, POPULARITY).astype(np.int8),
            )

        return BestSellers(segments, lists)
