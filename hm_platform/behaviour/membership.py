"""Which pairs (row, article) are in compressed sparse rows: vectorised, in bounded memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK = 8192
"""Rows looked up at a time. A history holds at most 1000 articles, so a block's keys stay under
65 MB however many customers there are."""


def entries(offsets: NDArray[np.int64], rows: NDArray) -> tuple[NDArray[np.int64], NDArray]:
    """The entries that ``rows`` own, and which of the rows owns each.

    Returns positions into the values, and positions into ``rows``; both of shape (entries,).
    """
    starts = offsets[rows]
    lengths = offsets[np.asarray(rows, dtype=np.int64) + 1] - starts
    owner = np.repeat(np.arange(len(rows)), lengths)
    before = np.cumsum(lengths) - lengths
    return np.arange(len(owner)) + (starts - before)[owner], owner


def contains(
    offsets: NDArray[np.int64],
    values: NDArray[np.int32],
    rows: NDArray,
    asked: NDArray[np.int32],
    n_values: int,
) -> NDArray[np.bool_]:
    """Whether each article asked about is among its row's values.

    Parameters
    ----------
    offsets, values : the compressed sparse rows
    rows : shape (n,), the row that each line of ``asked`` is about
    asked : shape (n, k), article indices; -1 is in no row
    n_values : one more than the largest value there can be

    Returns
    -------
    bool, shape (n, k)
    """
    found = np.zeros(asked.shape, dtype=bool)
    for start in range(0, len(rows), BLOCK):
        block = slice(start, start + BLOCK)
        where, owner = entries(offsets, rows[block])
        keys = np.sort(owner * n_values + values[where])
        if not len(keys):
            continue
        lists = asked[block].astype(np.int64)
        queries = np.arange(len(lists))[:, None] * n_values + lists
        at = np.minimum(np.searchsorted(keys, queries), len(keys) - 1)
        found[block] = (keys[at] == queries) & (lists >= 0)
    return found
