"""Articles bought together as Hamilton functions: item-to-item neighbours at a cut-off.

A basket is what one customer bought in one week. Inputs, bound by
``hm_platform.features.driver``, a row a basket and article, rows of
``marts.weekly_customer_article_purchases`` in the weeks that count, all before the cut-off:

basket_customer, basket_article : int32, indices
basket_week : datetime64[D]
n_articles : how many articles there are
largest_basket : baskets with more distinct articles are left out. A basket of b articles makes
    b * (b - 1) pairs, so a few bulk buyers would cost more than all others together, and say
    little of what goes with what
damping : what is added to the denominator of the cosine
neighbours_each : how many neighbours an article has, at most

A function with an ``entity`` tag is a column of ``features/copurchases``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hamilton.function_modifiers import check_output_custom, tag
from scipy.sparse import csr_matrix

from hm_platform.features.arrays import (
    Days,
    Float32Lists,
    Float32s,
    Int32Lists,
    Int32s,
    Int64s,
    first_of_each,
    group_offsets,
    lists,
)
from hm_platform.features.checks import Array, Lists

PAIRS_AT_ONCE = 4_000_000
"""How many pairs of articles are in memory at once (about 60 bytes each), before equal pairs of
different baskets are added up."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of an article and a neighbour; by article, the strongest neighbour first.

    article, neighbour : int32, shape (pairs,), indices
    score : float32, shape (pairs,)
    """

    article: Int32s
    neighbour: Int32s
    score: Float32s


def baskets(
    basket_customer: Int32s,
    basket_week: Days,
    basket_article: Int32s,
    n_articles: int,
    largest_basket: int,
) -> csr_matrix:
    """Which articles each basket holds: ones in a sparse int32 matrix, baskets by articles."""
    key = (basket_week.astype(np.int64) << 32) | basket_customer
    _, basket, size = np.unique(key, return_inverse=True, return_counts=True)
    kept = size[basket] <= largest_basket
    ones = np.ones(np.count_nonzero(kept), np.int32)
    shape = (len(size), n_articles)
    return csr_matrix((ones, (basket[kept], basket_article[kept])), shape=shape)


def baskets_of_article(baskets: csr_matrix) -> Int64s:
    """How many baskets hold each article; shape (articles,)."""
    return np.bincount(baskets.indices, minlength=baskets.shape[1])


def strongest_pairs(
    baskets: csr_matrix, baskets_of_article: Int64s, damping: float, neighbours_each: int
) -> Pairs:
    """Each article's neighbours with the highest damped cosine; ties go to the lower index.

    The score of articles i and j is ``n_ij / (sqrt(n_i * n_j) + damping)``, where n_i baskets
    hold i and n_ij hold both: the cosine of item-based collaborative filtering (Sarwar et al.,
    WWW 2001, section 3.1.1) with the shrink term of the ItemKNN baseline in Ferrari Dacrema,
    Cremonesi and Jannach (RecSys 2019), without which two articles bought once, together, would
    be perfect neighbours. Counts are whole numbers, so the result does not depend on the order
    of the rows.
    """
    by_article = baskets.T.tocsr()
    size = np.diff(baskets.indptr).astype(np.int64)
    # An article's row of the product costs the sizes of all baskets that hold it.
    cost = np.concatenate([[0], np.cumsum(by_article @ size)])
    found = []
    start = 0
    while start < len(cost) - 1:
        end = int(np.searchsorted(cost, cost[start] + PAIRS_AT_ONCE, side="right")) - 1
        end = max(end, start + 1)
        block = _strongest(
            by_article[start:end] @ baskets, start, baskets_of_article, damping, neighbours_each
        )
        found.append(block)
        start = end
    return Pairs(
        np.concatenate([block.article for block in found]),
        np.concatenate([block.neighbour for block in found]),
        np.concatenate([block.score for block in found]),
    )


def _strongest(
    together: csr_matrix, start: int, held: Int64s, damping: float, neighbours_each: int
) -> Pairs:
    """The strongest pairs of a block of rows of the co-occurrence matrix, from row ``start``."""
    row = np.repeat(np.arange(together.shape[0], dtype=np.int64), np.diff(together.indptr))
    article, neighbour = row + start, together.indices
    norm = np.sqrt(held.astype(np.float64))
    score = (together.data / (norm[article] * norm[neighbour] + damping)).astype(np.float32)
    # One key for two sort orders: rows up, scores down (the bits of positive floats order like the
    # floats). An article is no neighbour of its own: its key is the last of the row.
    key = (row << 32) - score.view(np.int32)
    key[article == neighbour] = (row[article == neighbour] << 32) + 1
    # The keys alone sort several times as fast as their order, and say what the weakest is worth
    # that each row keeps. Only what is left is put into order, ties by index.
    last = np.minimum(together.indptr[:-1] + neighbours_each, together.indptr[1:]) - 1
    weakest = np.sort(key)[np.maximum(last, 0)] if len(key) else key
    kept = np.flatnonzero((article != neighbour) & (key <= weakest[row]))
    order = kept[np.lexsort((neighbour[kept], key[kept]))]
    order = order[first_of_each(group_offsets(row[order]), neighbours_each)]
    return Pairs(article[order].astype(np.int32), neighbour[order].astype(np.int32), score[order])


def neighbour_offsets(strongest_pairs: Pairs) -> Int64s:
    """Where each article's neighbours start among the pairs, and where the last ones end."""
    return group_offsets(strongest_pairs.article)


@tag(entity="article", fitted="no", unit="index")
@check_output_custom(Array(np.int32, low=0))
def article_index(strongest_pairs: Pairs, neighbour_offsets: Int64s) -> Int32s:
    """The article; only articles that were bought with another one have a row."""
    return strongest_pairs.article[neighbour_offsets[:-1]]


@tag(entity="article", fitted="no", unit="index")
@check_output_custom(Lists(np.int32, low=0))
def neighbours(strongest_pairs: Pairs, neighbour_offsets: Int64s) -> Int32Lists:
    """The articles that the same customers bought in the same weeks, strongest first."""
    return lists(neighbour_offsets, strongest_pairs.neighbour)


@tag(entity="article", fitted="no", unit="cosine")
@check_output_custom(Lists(np.float32, low=0, high=1))
def scores(strongest_pairs: Pairs, neighbour_offsets: Int64s) -> Float32Lists:
    """How strongly each neighbour goes with the article: damped cosine, in (0, 1]."""
    return lists(neighbour_offsets, strongest_pairs.score)
