"""Ranking of sparse candidates, over a whole batch of customers at once.

What several recommenders need to turn (customer, article, score) triples into
:class:`Recommendations`: gathering sparse rows, the k best of each row, and filling up short
rows. Nothing here knows where candidates come from.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hm_platform.modelling.parallel import in_parallel
from hm_platform.modelling.recommenders import Recommendations


def gather_rows(
    offsets: NDArray[np.int64], rows: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the entries of some rows of a compressed sparse matrix lie.

    offsets : shape (all rows + 1,)
    rows : shape (n,), row numbers, in any order, repeated or not

    Returns ``(position, entry)``, both of shape (entries of these rows,): the position in
    ``rows`` that an entry belongs to (not decreasing), and the entry's place in the matrix.
    """
    starts = offsets[rows]
    lengths = offsets[np.asarray(rows) + 1] - starts
    position = np.repeat(np.arange(len(rows), dtype=np.int64), lengths)
    first = np.cumsum(lengths) - lengths
    entry = np.arange(len(position), dtype=np.int64) - np.repeat(first - starts, lengths)
    return position, entry


def rank_within(groups: NDArray[np.integer]) -> NDArray[np.int64]:
    """0, 1, 2, … within each run of equal values of ``groups``, which is not decreasing."""
    if len(groups) == 0:
        return np.zeros(0, dtype=np.int64)
    starts = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]])
    lengths = np.diff(np.r_[starts, len(groups)])
    return np.arange(len(groups), dtype=np.int64) - np.repeat(starts, lengths)


def find(keys: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each of ``wanted`` is among ``keys``, which are distinct and ascending; -1 where it is
    not. Shape as ``wanted``."""
    if not len(keys):
        return np.full(wanted.shape, -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, place, -1)


def empty(rows: int, k: int) -> Recommendations:
    """Recommendations without an article yet."""
    return Recommendations(
        articles=np.full((rows, k), -1, dtype=np.int32),
        scores=np.full((rows, k), -np.inf, dtype=np.float32),
        sources=np.full((rows, k), 0, dtype=np.int8),
    )


def best(
    rows: NDArray[np.integer],
    articles: NDArray[np.integer],
    scores: NDArray[np.floating],
    ties: NDArray[np.integer],
    n: int,
    k: int,
    source: int | NDArray[np.int8],
) -> Recommendations:
    """The k best-scored candidates of each of n rows; equal scores go to the lower tie number.

    rows, articles, scores, ties : shape (candidates,), no (row, article) pair twice, any order
    source : a position in SOURCES for all, or one per candidate
    """
    # Compared as they are published, so that two scores that look equal are a tie.
    published = scores.astype(np.float32)
    kept = _reaching(rows, published, n, k)
    order = kept[np.lexsort((ties[kept], -published[kept], rows[kept]))]
    rank = rank_within(rows[order])
    order = order[rank < k]
    rank = rank[rank < k]
    result = empty(n, k)
    at = (rows[order], rank)
    result.articles[at] = articles[order]
    result.scores[at] = published[order]
    result.sources[at] = np.broadcast_to(source, published.shape)[order]
    return result


def _reaching(
    rows: NDArray[np.integer], scores: NDArray[np.float32], n: int, k: int
) -> NDArray[np.int64]:
    """The candidates whose score reaches the k-th best of their row, where the row has so many.

    One sort of whole numbers, which numpy does several times faster than one by three keys; most
    candidates need no other.
    """
    if len(rows) <= n * k or np.isnan(scores).any():
        return np.arange(len(rows), dtype=np.int64)
    # Floats as whole numbers of the opposite order, minus zero as zero.
    bits = (scores + np.float32(0)).view(np.uint32)
    descending = np.where(bits >> 31, bits, ~bits & np.uint32(0x7FFFFFFF))
    keys = (rows.astype(np.uint64) << np.uint64(32)) | descending
    ordered = np.sort(keys)
    bounds = np.searchsorted(ordered, np.arange(n + 1, dtype=np.uint64) << np.uint64(32))
    last = np.minimum(bounds[:-1] + k, bounds[1:]) - 1
    return np.flatnonzero(keys <= ordered[last][rows])


def fill(partial: Recommendations, filler: Recommendations) -> Recommendations:
    """Complete each row of ``partial`` with what the same row of ``filler`` has and it lacks.

    The order of both is kept. A row of ``partial`` that is empty takes over the filler's scores;
    in any other row a filled article has no score of the row's own kind: it gets minus its place
    in the filler's row (-1, -2, …), or the row's last score where that is lower still, so that
    scores never increase along a row.
    """
    n, k = partial.articles.shape
    own = partial.articles >= 0
    if own.all():
        return partial
    missing: NDArray[np.bool_] = filler.articles >= 0
    for place in range(k):
        missing &= filler.articles != partial.articles[:, place, None]
    lowest = np.where(own, partial.scores, np.inf).min(axis=1, keepdims=True, initial=np.inf)
    behind = np.minimum(-np.arange(1, filler.articles.shape[1] + 1), lowest)
    started = np.logical_or.reduce(own, axis=1, keepdims=True)
    scores = np.where(started, behind, filler.scores).astype(np.float32)

    valid = np.concatenate([own, missing], axis=1)
    target = np.cumsum(valid, axis=1) - 1
    row, column = np.nonzero(valid & (target < k))
    at = (row, target[row, column])
    result = empty(n, k)
    result.articles[at] = np.concatenate([partial.articles, filler.articles], 1)[row, column]
    result.scores[at] = np.concatenate([partial.scores, scores], 1)[row, column]
    result.sources[at] = np.concatenate([partial.sources, filler.sources], 1)[row, column]
    return result


def take(recommendations: Recommendations, rows: NDArray[np.integer]) -> Recommendations:
    """Some rows, in the given order."""
    return Recommendations(
        recommendations.articles[rows], recommendations.scores[rows], recommendations.sources[rows]
    )


def in_blocks(
    customers: NDArray[np.int32],
    k: int,
    block: int,
    top: Callable[[NDArray[np.int32]], Recommendations],
) -> Recommendations:
    """Ask ``top`` for at most ``block`` customers at a time, so that memory stays bounded.

    Several threads may ask at once (see ``in_parallel``).
    """
    result = empty(len(customers), k)
    starts = range(0, len(customers), block)
    parts = in_parallel(lambda start: top(customers[start : start + block]), starts)
    # Strictly, so that the parts are gone through to their end.
    for start, part in zip(starts, parts, strict=True):
        rows = slice(start, start + block)
        result.articles[rows] = part.articles
        result.scores[rows] = part.scores
        result.sources[rows] = part.sources
    return result
