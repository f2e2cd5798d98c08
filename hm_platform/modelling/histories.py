"""Purchase histories as the customer tower reads them, at any moment.

Two sources give the same thing: a snapshot's histories (as of its cut-off) and the purchase states
of the training split (as of any day in it). Both become a padded block with the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hm_platform.features.decay import HALF_LIVES
from hm_platform.features.snapshot import Histories
from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.ranking import gather_rows, rank_within

PAIR_NUMBERS = 9
CUSTOMER_NUMBERS = 4
AGE = 0
"""Which of the pair numbers is the logarithm of days since the last purchase."""
BURST, HABIT = HALF_LIVES.index(14), HALF_LIVES.index(60)
FLOOR = np.float32(0.03)
"""Added to decayed days before a logarithm: one purchase, about five half-lives ago."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class HistoryEntries:
    """Distinct past articles of several customers, each seen at the customer's own moment.

    row : int64, shape (entries,), whose; not decreasing, and within a row most recent first (then
        more purchases, then the lower index)
    articles, purchases, days, days_since_last, days_since_first : int32, shape (entries,), as in
        Histories
    decayed : float32, shape (entries, len(HALF_LIVES)), decayed shopping days
    """

    row: NDArray[np.int64]
    articles: NDArray[np.int32]
    purchases: NDArray[np.int32]
    days: NDArray[np.int32]
    days_since_last: NDArray[np.int32]
    days_since_first: NDArray[np.int32]
    decayed: Floats

    def take(self, row: NDArray[np.int64], entry: NDArray[np.integer]) -> HistoryEntries:
        """Some entries, with whose they are now."""
        return HistoryEntries(
            row,
            self.articles[entry],
            self.purchases[entry],
            self.days[entry],
            self.days_since_last[entry],
            self.days_since_first[entry],
            self.decayed[entry],
        )


@dataclass(frozen=True)
class HistoryBlock:
    """Histories of n customers, padded to one length.

    articles : int64, shape (n, length), article indices; 0 where ``known`` is False
    known : bool, shape (n, length)
    numbers : float32, shape (n, length, PAIR_NUMBERS), on the customer with the article; 0 where
        ``known`` is False
    customer : float32, shape (n, CUSTOMER_NUMBERS), on the history as a whole
    """

    articles: NDArray[np.int64]
    known: NDArray[np.bool_]
    numbers: Floats
    customer: Floats


def snapshot_entries(
    histories: Histories, customers: NDArray[np.integer], length: int
) -> HistoryEntries:
    """The ``length`` most recent articles of each of these customers at the cut-off."""
    row, entry = gather_rows(histories.offsets, customers)
    recent = rank_within(row) < length
    row, entry = row[recent], entry[recent]
    return HistoryEntries(
        row,
        histories.articles[entry],
        histories.purchases[entry],
        histories.days[entry],
        histories.days_since_last[entry],
        histories.days_since_first[entry],
        histories.decayed[entry],
    )


def listed_entries(
    articles: Sequence[NDArray[np.integer]],
    ages: Sequence[NDArray[np.integer]] | None,
    length: int,
) -> HistoryEntries:
    """Histories that are given as lists of articles, each bought once, the latest last.

    ages : for each list the days since each purchase, 1 or more; without them all were bought on
        the day before, in the given order. Articles of one age keep their order.

    An article that is listed twice counts as bought twice, and has the place of its later purchase.
    """
    counts = np.array([len(one) for one in articles], dtype=np.int64)
    row = np.repeat(np.arange(len(counts)), counts)
    what = np.concatenate([np.zeros(0, np.int64), *articles]).astype(np.int64)
    if ages is None:
        age = np.ones(len(what), dtype=np.int64)
    else:
        age = np.concatenate([np.zeros(0, np.int64), *ages]).astype(np.int64)
        if [len(one) for one in ages] != counts.tolist() or age.min(initial=1) < 1:
            raise ModellingError("ages must be 1 or more, one for each article of each list")
    # Most recent first; then one entry for each pair, at its first place.
    order = np.lexsort((-np.arange(len(what)), age, row))
    row, what, age = row[order], what[order], age[order]
    pairs = np.stack([row, what], axis=1)
    _, first, pair, purchases = np.unique(
        pairs, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    trips = np.unique(np.stack([pair.ravel(), age], axis=1), axis=0)
    weights = np.exp2(-trips[:, 1, None] / np.array(HALF_LIVES))
    decayed = np.zeros((len(first), len(HALF_LIVES)))
    np.add.at(decayed, trips[:, 0], weights)
    days = np.bincount(trips[:, 0], minlength=len(first))
    oldest = np.zeros(len(first), dtype=np.int64)
    np.maximum.at(oldest, trips[:, 0], trips[:, 1])
    chosen = np.argsort(first)
    at = first[chosen]
    recent = rank_within(row[at]) < length
    chosen, at = chosen[recent], at[recent]
    return HistoryEntries(
        row[at],
        what[at].astype(np.int32),
        purchases[chosen].astype(np.int32),
        days[chosen].astype(np.int32),
        age[at].astype(np.int32),
        oldest[chosen].astype(np.int32),
        decayed[chosen].astype(np.float32),
    )


def history_block(entries: HistoryEntries, n: int, length: int | None = None) -> HistoryBlock:
    """Pad the histories of n customers to ``length`` (default: the longest of them)."""
    column = rank_within(entries.row)
    width = int(column.max(initial=-1)) + 1 if length is None else length
    at = (entries.row, column)
    block = HistoryBlock(
        np.zeros((n, width), dtype=np.int64),
        np.zeros((n, width), dtype=np.bool_),
        np.zeros((n, width, PAIR_NUMBERS), dtype=np.float32),
        _customer_numbers(entries, n, column == 0),
    )
    block.articles[at] = entries.articles
    block.known[at] = True
    block.numbers[at] = _pair_numbers(entries, block.customer)
    return block


def _customer_numbers(entries: HistoryEntries, n: int, latest: NDArray[np.bool_]) -> Floats:
    """How long, how recent and how busy a history is; shape (n, CUSTOMER_NUMBERS)."""
    size = np.bincount(entries.row, minlength=n)
    since = np.zeros(n, dtype=np.float32)
    since[entries.row[latest]] = entries.days_since_last[latest]
    habit = np.bincount(entries.row, entries.decayed[:, HABIT], minlength=n)
    columns = [
        np.log1p(size) / 2 - 2,
        np.log1p(since) / 2 - 1,
        size == 0,
        np.log(habit + FLOOR) / 3,
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _pair_numbers(entries: HistoryEntries, customer: Floats) -> Floats:
    """Recency, frequency and rhythm of each entry; shape (entries, PAIR_NUMBERS).

    Plain counts and the age of the first purchase are left out: they grow with the time that is
    known, which is longer when a model is published than it was for the first of its examples.
    """
    last = entries.days_since_last.astype(np.float32)
    first = entries.days_since_first.astype(np.float32)
    days = entries.days.astype(np.float32)
    repeated = days > 1
    gap = (first - last) / np.maximum(days - 1, 1)
    decayed = np.log(entries.decayed + FLOOR)
    columns = [
        np.log1p(last) / 3 - 1,
        decayed[:, BURST] / 2,
        decayed[:, HABIT] / 2,
        # Its share of what the customer buys.
        (decayed[:, HABIT] - 3 * customer[entries.row, 3]) / 2 + 2,
        repeated,
        # When the article is due: its age against the mean gap between its purchases.
        np.where(repeated, np.log1p(gap) / 3 - 1, 0),
        np.where(repeated, np.log((last + 1) / (gap + 1)), 0),
        *(customer[entries.row, c] for c in (0, 1)),
    ]
    return np.stack(columns, axis=1).astype(np.float32)
