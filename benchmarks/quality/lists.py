"""From scores to lists of k articles, over many customers at once.

Equal scores go to the better seller of the last week, then of all time, then to the lower index:
one rule for all, so that no peer wins or loses by the order of its ties.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmarks.quality.protocol import WEEK, History

BLOCK = 256
"""Customers whose scores of all articles are in memory at a time."""
FILLERS = 4
"""Best sellers at hand for filling, as a multiple of k; twice would do."""


def best_sellers(history: History, days: int = WEEK) -> NDArray[np.int32]:
    """All articles sold so far, most bought in the last days first."""
    recent = np.bincount(history.last(days).articles, minlength=history.n_articles)
    ever = np.bincount(history.articles, minlength=history.n_articles)
    order = np.lexsort((-ever, -recent))
    return order[ever[order] > 0].astype(np.int32)


def top(
    rows: NDArray[np.integer],
    articles: NDArray[np.int32],
    scores: NDArray[np.floating],
    n: int,
    k: int,
    order: NDArray[np.int32],
) -> NDArray[np.int32]:
    """The k best-scored articles of each of n rows, filled from ``order`` where a row has fewer.

    rows, articles, scores : shape (candidates,), no (row, article) twice, in any order
    order : :func:`best_sellers`, which also breaks ties
    """
    place = np.full(max(articles.max(initial=0), order.max(initial=0)) + 1, len(order))
    place[order] = np.arange(len(order))
    sequence = np.lexsort((place[articles], -scores.astype(np.float32), rows))
    row = rows[sequence]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    kept = rank < k
    lists = np.full((n, k), -1, dtype=np.int32)
    lists[row[kept], rank[kept]] = articles[sequence[kept]]
    return fill(lists, order)


def strongest(
    scores: NDArray[np.floating] | sparse.csr_matrix, k: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Row, column and value of the k largest entries above zero of each row of a matrix.

    Entries that are equal to the k-th are all there, so a row may have more than k.
    """
    matrix = sparse.csr_matrix(scores)
    n = matrix.shape[0]
    row = np.repeat(np.arange(n, dtype=np.int64), np.diff(matrix.indptr))
    value = matrix.data.astype(np.float32)
    above = value > 0
    row, column, value = row[above], matrix.indices[above].astype(np.int32), value[above]
    # One integer an entry, which sorts by row and then by falling value: the bits of floats above
    # zero rise with them. Integers sort several times as fast as two keys do.
    keys = row << 32 | (0xFFFFFFFF - value.view(np.uint32).astype(np.int64))
    ordered = np.sort(keys)
    limits = np.searchsorted(row, np.arange(n + 1))
    kth = np.minimum(limits[:-1] + k, limits[1:]) - 1
    kept = keys <= ordered[kth[row]]
    return row[kept], column[kept], value[kept]


def top_of(
    scores: NDArray[np.floating] | sparse.csr_matrix, k: int, order: NDArray[np.int32]
) -> NDArray[np.int32]:
    """:func:`top` of a whole matrix, customers × articles, where only what is above 0 counts."""
    return top(*strongest(scores, k), scores.shape[0], k, order)


def fill(lists: NDArray[np.int32], order: NDArray[np.int32]) -> NDArray[np.int32]:
    """Replace each row's trailing -1 by the first articles of ``order`` that the row lacks."""
    n, k = lists.shape
    if (lists >= 0).all():
        return lists
    filler = np.broadcast_to(order[: FILLERS * k], (n, min(FILLERS * k, len(order))))
    absent = (filler[:, :, None] != lists[:, None, :]).all(axis=2)
    both = np.concatenate([lists, filler], axis=1)
    usable = np.concatenate([lists >= 0, absent], axis=1)
    target = np.cumsum(usable, axis=1) - 1
    row, column = np.nonzero(usable & (target < k))
    filled = np.full_like(lists, -1)
    filled[row, target[row, column]] = both[row, column]
    return filled
