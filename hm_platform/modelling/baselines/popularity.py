"""Best sellers: of everybody, and of the customer's segment."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.ranking import best, find, take
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
        self._making = Lock()

    def top(self, customers: NDArray[np.int32], k: int) -> Recommendations:
        with self._making:
            if k not in self._lists:
                self._lists[k] = self._make(k)
        return take(self._lists[k], self._groups[customers])


class Popularity:
    """Last week's best sellers, the same for every customer; the score is last week's purchases.

    The order is that of :func:`popularity_rank`, so that a week without sales falls back on the
    last four, and those on all time.
    """

    name = "popularity"
    needs_history = True

    def prepare(self, snapshot: Snapshot) -> BestSellers:
        eligible = eligible_articles(snapshot)
        sold = snapshot.articles["purchases_last_week"][eligible]
        rank = popularity_rank(snapshot)[eligible]

        def lists(k: int) -> Recommendations:
            everybody = np.zeros(len(eligible), dtype=np.int64)
            return best(everybody, eligible, sold, rank, 1, k, POPULARITY)

        return BestSellers(np.zeros(snapshot.n_customers, dtype=np.int64), lists)


class SegmentShares:
    """How much of each article the customers of each segment bought in the last week.

    The share of a segment's buyers who bought the article, shrunk towards the share of all buyers
    as if ``prior`` further ones had bought like everybody (the mean of a Dirichlet-multinomial
    posterior, e.g. Gelman et al., Bayesian Data Analysis, 3rd ed., section 3.4): a small segment
    is like everybody, a large one itself.

    n_articles, n_segments : how many there are
    share : float64, shape (articles,), the share of all buyers
    segment, article, counts : int64, shape (pairs,), how many of a known segment bought an article;
        by segment, then article
    """

    def __init__(self, snapshot: Snapshot, prior: float = 100.0) -> None:
        self.prior = prior
        self.n_articles = snapshot.n_articles
        self.of_customer = np.asarray(snapshot.customers["segment_code"], dtype=np.int64)
        self.n_segments = int(self.of_customer.max(initial=0)) + 1
        histories = snapshot.histories
        recent = np.flatnonzero(histories.days_since_last <= WEEK_DAYS)
        customer = np.searchsorted(histories.offsets, recent, side="right") - 1
        articles = histories.articles[recent].astype(np.int64)
        buyers = np.unique(customer)
        self.share = np.bincount(articles, minlength=self.n_articles) / max(len(buyers), 1)
        self._buyers = np.bincount(self.of_customer[buyers], minlength=self.n_segments)
        known = self.of_customer[customer] > 0
        self._pairs, self.counts = np.unique(
            self.of_customer[customer[known]] * self.n_articles + articles[known],
            return_counts=True,
        )
        self.segment, self.article = np.divmod(self._pairs, self.n_articles)

    def bought(
        self, segments: NDArray[np.integer], articles: NDArray[np.integer]
    ) -> NDArray[np.int64]:
        """How many of the segment bought the article; shape (pairs,)."""
        place = find(self._pairs, segments.astype(np.int64) * self.n_articles + articles)
        result = np.zeros(len(place), dtype=np.int64)
        result[place >= 0] = self.counts[place[place >= 0]]
        return result

    def mean(
        self, segments: NDArray[np.integer], articles: NDArray[np.integer]
    ) -> NDArray[np.float64]:
        """The shrunk share of each pair; everybody's share in the unknown segment 0."""
        buyers = np.where(segments > 0, self._buyers[segments], 0)
        bought = self.bought(segments, articles)
        return (bought + self.prior * self.share[articles]) / (buyers + self.prior)


class SegmentPopularity:
    """Last week's best sellers among customers like this one, for customers without a history.

    The score is that of :class:`SegmentShares`. An article that nobody of the segment bought comes
    from ``popularity``. Customers of the unknown segment (code 0) get everybody's list.

    prior : customers
    """

    name = "segment_popularity"
    needs_history = True

    def __init__(self, prior: float = 100.0) -> None:
        self.prior = prior

    def prepare(self, snapshot: Snapshot) -> BestSellers:
        shares = SegmentShares(snapshot, self.prior)
        rank = popularity_rank(snapshot)
        eligible = eligible_articles(snapshot)
        # Ordered once for all: what a segment did not buy is ranked by everybody's share.
        by_share = eligible[np.lexsort((rank[eligible], -shares.share[eligible]))].astype(np.int64)

        def lists(k: int) -> Recommendations:
            overall = by_share[:k]
            others_segment = np.repeat(np.arange(shares.n_segments), len(overall))
            others = np.tile(overall, shares.n_segments)
            other = shares.bought(others_segment, others) == 0
            rows = np.concatenate([shares.segment, others_segment[other]])
            candidates = np.concatenate([shares.article, others[other]])
            return best(
                rows,
                candidates,
                shares.mean(rows, candidates),
                rank[candidates],
                shares.n_segments,
                k,
                np.where(
                    np.arange(len(rows)) < len(shares.segment), SEGMENT_POPULARITY, POPULARITY
                ).astype(np.int8),
            )

        return BestSellers(shares.of_customer, lists)
