"""Ranking metrics over the full catalogue, per customer, for all who bought.

All are computed at a cut of k articles against the distinct articles that a customer bought in
the scored week; a customer is scored only when there is at least one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.recommenders import Scorer

K = 12
BLOCK = 4096


@dataclass(frozen=True)
class Purchased:
    """What each of n customers bought in a week, in compressed sparse rows.

    customers : int32, shape (n,), customer indices, ascending; all have bought something
    offsets : int64, shape (n + 1,)
    articles : int32, shape (entries,), distinct within a customer, ascending
    """

    customers: NDArray[np.int32]
    offsets: NDArray[np.int64]
    articles: NDArray[np.int32]

    def of(self, asked: NDArray[np.bool_]) -> Purchased:
        """What some of them bought; ``asked`` has shape (n,)."""
        counts = np.diff(self.offsets)
        return Purchased(
            self.customers[asked],
            np.concatenate([[0], np.cumsum(counts[asked])]).astype(np.int64),
            self.articles[np.repeat(asked, counts)],
        )


def purchased(customers: NDArray[np.integer], articles: NDArray[np.integer]) -> Purchased:
    """Purchased from a week's purchases, one (customer, article) a purchase, in any order."""
    base = int(articles.max(initial=0)) + 1
    pairs = np.unique(customers.astype(np.int64) * base + articles)
    owner, article = np.divmod(pairs, base)
    who, counts = np.unique(owner, return_counts=True)
    return Purchased(
        who.astype(np.int32),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        article.astype(np.int32),
    )


@dataclass(frozen=True)
class CustomerMetrics:
    """A value per scored customer; each array float64 of shape (n,), all in [0, 1].

    map : average precision at k, whose mean is MAP@k as Kaggle's H&M competition defines it: the
        precisions at the ranks of hits, summed and divided by min(k, bought)
    recall : hits / bought
    ndcg : gain 1 a hit, discounted by log2(rank + 1), over that of a perfect list of
        min(k, bought) hits (Järvelin and Kekäläinen 2002)
    hit_rate : 1 where there is any hit
    mrr : 1 / rank of the first hit, 0 without one
    """

    map: NDArray[np.float64]
    recall: NDArray[np.float64]
    ndcg: NDArray[np.float64]
    hit_rate: NDArray[np.float64]
    mrr: NDArray[np.float64]

    def means(self) -> dict[str, float]:
        """The mean of each metric over the customers."""
        return {name: float(np.mean(values)) for name, values in vars(self).items()}


def evaluate(recommended: NDArray[np.int32], bought: Purchased) -> CustomerMetrics:
    """Score lists of k articles against what was bought.

    recommended : shape (n, k), best first, a row for each of ``bought.customers``; -1 = nothing.
        An article that is repeated in a row counts at its first place only, as on Kaggle.
    """
    n, k = recommended.shape
    if n != len(bought.customers):
        raise ModellingError(f"{n} lists to score for {len(bought.customers)} customers who bought")
    if n == 0:
        raise ModellingError("nobody bought in the scored week, so there is nothing to measure")
    counts = np.diff(bought.offsets)
    hits = _hits(recommended, bought)
    ranks = np.arange(1, k + 1)
    possible = np.minimum(counts, k)
    discounts = 1.0 / np.log2(ranks + 1)
    hit: NDArray[np.bool_] = np.logical_or.reduce(hits, axis=1)
    return CustomerMetrics(
        map=(hits * np.cumsum(hits, axis=1) / ranks).sum(axis=1) / possible,
        recall=hits.sum(axis=1) / counts,
        ndcg=(hits * discounts).sum(axis=1) / np.cumsum(discounts)[possible - 1],
        hit_rate=hit.astype(np.float64),
        mrr=np.where(hit, 1.0 / (np.argmax(hits, axis=1) + 1), 0.0),
    )


def _hits(recommended: NDArray[np.int32], bought: Purchased) -> NDArray[np.bool_]:
    """Where a list holds a bought article for the first time; shape (n, k)."""
    n, k = recommended.shape
    base = 1 + max(int(recommended.max(initial=0)), int(bought.articles.max(initial=0)))
    owner = np.repeat(np.arange(n, dtype=np.int64), np.diff(bought.offsets))
    keys = owner * base + bought.articles
    wanted = np.arange(n, dtype=np.int64)[:, None] * base + recommended
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    hits = (keys[place] == wanted) & (recommended >= 0)
    for column in range(1, k):
        hits[:, column] &= (recommended[:, :column] != recommended[:, column, None]).all(axis=1)
    return hits


def coverage(recommended: NDArray[np.int32], eligible: NDArray[np.int32]) -> float:
    """The share of the articles that may be recommended which is, to anybody."""
    shown = np.unique(recommended[recommended >= 0])
    return len(shown) / max(len(eligible), 1)


@dataclass(frozen=True)
class Evaluation:
    """A recommender's scores on one week.

    per_customer : a value per customer of ``Purchased.customers``
    coverage : the share of the articles that could be recommended which was, to anybody
    """

    per_customer: CustomerMetrics
    coverage: float

    def summary(self) -> dict[str, float]:
        """Mean metrics, coverage and the number of customers they are over."""
        return {
            **self.per_customer.means(),
            "coverage": self.coverage,
            "customers": float(len(self.per_customer.map)),
        }


def measure(
    scorer: Scorer, bought: Purchased, eligible: NDArray[np.int32], k: int = K
) -> Evaluation:
    """Score a recommender on all customers who bought, a block of customers at a time.

    eligible : the articles that may be recommended
    """
    lists = np.empty((len(bought.customers), k), dtype=np.int32)
    for start in range(0, len(lists), BLOCK):
        block = slice(start, start + BLOCK)
        lists[block] = scorer.top(bought.customers[block], k).articles
    return Evaluation(evaluate(lists, bought), coverage(lists, eligible))
