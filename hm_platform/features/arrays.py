"""The array types that feature functions take and give, and the arithmetic they share.

The aliases are annotations that both the type checker and Hamilton read: Hamilton refuses a graph
in which a function takes another type than the one its input is declared to have. An output's
alias also decides its column type (see ``hm_platform.features.catalogue``).
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Float32s = NDArray[np.float32]
Float64s = NDArray[np.float64]
Days = NDArray[np.datetime64]
"""Calendar days, ``datetime64[D]``."""
Strings = pa.ChunkedArray
"""Texts, one per article or customer; null where unknown."""
Int32Lists = pa.ListArray
"""A list of int32 per row."""
Float32Lists = pa.ListArray
"""A list of float32 per row."""

NEVER = -1
"""The number of days since something that has not happened."""


def totals(groups: Int32s, values: Int32s, n: int) -> Int32s:
    """The sum of ``values`` in each of the groups 0..n-1; shape (n,)."""
    # bincount adds in float64, which is exact for whole numbers up to 2**53.
    return np.bincount(groups, weights=values, minlength=n).astype(np.int32)


def shares(part: Int32s, whole: Int32s) -> Float32s:
    """``part / whole``, NaN where the whole is 0; shape (n,)."""
    result = np.full(len(whole), np.nan, np.float32)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def placed(groups: Int32s, values: NDArray, n: int) -> NDArray:
    """``values`` at their places among the groups 0..n-1, 0 elsewhere; no group occurs twice."""
    result = np.zeros(n, values.dtype)
    result[groups] = values
    return result


def days_before(cutoff: date, days: Days) -> Int32s:
    """Whole days from each day to the cut-off; 1 means the day before it."""
    return (np.datetime64(cutoff, "D") - days).astype(np.int32)


def fewest(groups: Int32s, values: Int32s, n: int) -> Int32s:
    """The smallest of ``values`` in each of the groups 0..n-1, NEVER where a group is empty."""
    result = np.full(n, np.iinfo(np.int32).max, np.int32)
    np.minimum.at(result, groups, values)
    result[result == np.iinfo(np.int32).max] = NEVER
    return result


def most(groups: Int32s, values: Int32s, n: int) -> Int32s:
    """The largest of ``values`` (none negative) in each group 0..n-1, NEVER where one is empty."""
    result = np.full(n, NEVER, np.int32)
    np.maximum.at(result, groups, values)
    return result


def group_offsets(groups: Int32s | Int64s) -> Int64s:
    """Where each run of equal values starts, and where the last one ends; none may be negative."""
    return np.append(np.flatnonzero(np.diff(groups, prepend=np.int32(-1))), len(groups))


def first_of_each(offsets: Int64s, n: int) -> NDArray[np.bool_]:
    """Which rows are among the first ``n`` of their group; shape (offsets[-1],)."""
    lengths = np.diff(offsets)
    return np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths) < n


def lists(offsets: Int64s, values: NDArray) -> pa.ListArray:
    """``values`` cut into lists: list i holds ``values[offsets[i]:offsets[i + 1]]``."""
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pa.array(values))


def spread_days(first: Days, last: Days, days: Int32s) -> tuple[Int64s, Days]:
    """The days that weekly rows stand for: each row's number, ``days`` times over, and the days.

    A row knows its first day, its last day and how many days there were; those between the two
    are taken to lie evenly. Rows of one or two days, nearly all there are, are exact.
    """
    row = np.repeat(np.arange(len(days)), days)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(days) - days, days)
    span = (last - first).astype(np.int64)
    return row, last[row] - span[row] * nth // np.maximum(days - 1, 1)[row]
