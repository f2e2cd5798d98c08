"""The training split's purchases, indexed so that any customer's history at any day is a slice.

A state is a customer, an article and a day on which the one bought the other, with everything
that was known of the pair at the end of that day and the next day on which it happened again. The
history of a customer before day t is then exactly the states with ``day < t <= next_day``, one for
each distinct article: nothing is aggregated when a batch is made, and nothing of day t or later
can be in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hm_platform.features.decay import HALF_LIVES
from hm_platform.modelling.histories import HistoryEntries
from hm_platform.modelling.ranking import rank_within

NEVER = np.iinfo(np.int32).max
"""The next day of a pair that does not occur again."""


@dataclass(frozen=True)
class PurchaseStates:
    """States in the order of customer, day, then fewer purchases, then the higher article index,
    so that a slice read backwards has the order of a history.

    offsets : int64, shape (customers + 1,), where each customer's states are
    keys : int64, shape (states,), ``customer * stride + day``, ascending
    stride : days that a customer's keys span
    articles, day, next_day, purchases, days, first_day : int32, shape (states,); days are counted
        from any fixed day on, ``purchases`` and ``days`` (shopping trips) up to and with ``day``
    decayed : float32, shape (states, len(HALF_LIVES)), decayed shopping days at the end of ``day``
    """

    offsets: NDArray[np.int64]
    keys: NDArray[np.int64]
    stride: int
    articles: NDArray[np.int32]
    day: NDArray[np.int32]
    next_day: NDArray[np.int32]
    purchases: NDArray[np.int32]
    days: NDArray[np.int32]
    first_day: NDArray[np.int32]
    decayed: NDArray[np.float32]

    def before(
        self, customers: NDArray[np.integer], day: NDArray[np.integer], length: int
    ) -> HistoryEntries:
        """Each customer's ``length`` most recent articles bought strictly before its ``day``.

        customers, day : shape (n,); a customer may occur several times, on any day
        """
        customers = customers.astype(np.int64)
        limit = customers * self.stride + np.clip(day, 0, self.stride)
        end = np.searchsorted(self.keys, limit)
        counts = end - self.offsets[customers]
        row = np.repeat(np.arange(len(customers), dtype=np.int64), counts)
        back = np.arange(len(row), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
        state = np.repeat(end, counts) - 1 - back
        current = self.next_day[state] >= day[row]
        row, state = row[current], state[current]
        recent = rank_within(row) < length
        row, state = row[recent], state[recent]
        now = day[row].astype(np.int32)
        age = now - self.day[state]
        return HistoryEntries(
            row,
            self.articles[state],
            self.purchases[state],
            self.days[state],
            age,
            now - self.first_day[state],
            self.decayed[state] * _decay(age),
        )


def purchase_states(
    customers: NDArray[np.integer],
    articles: NDArray[np.integer],
    day: NDArray[np.integer],
    n_customers: int,
) -> PurchaseStates:
    """States from purchases, one a row, in any order.

    customers, articles : indices; day : days from 0 on, all of shape (purchases,)
    """
    order = np.lexsort((day, articles, customers))
    who, what, when = (x[order].astype(np.int64) for x in (customers, articles, day))
    new_pair = np.ones(len(order), dtype=np.bool_)
    new_pair[1:] = (who[1:] != who[:-1]) | (what[1:] != what[:-1])
    new_state = new_pair.copy()
    new_state[1:] |= when[1:] != when[:-1]

    first = np.flatnonzero(new_state)
    bought = np.diff(np.append(first, len(order)))
    who, what, when, new_pair = who[first], what[first], when[first], new_pair[first]
    start = np.flatnonzero(new_pair)
    pair = np.cumsum(new_pair) - 1
    trips = rank_within(pair) + 1
    running = np.cumsum(bought)
    next_day = np.full(len(when), NEVER, dtype=np.int64)
    again = np.flatnonzero(~new_pair)
    next_day[again - 1] = when[again]

    purchases = running - (running - bought)[start][pair]
    final = np.lexsort((-what, purchases, when, who))
    stride = int(when.max(initial=0)) + 1
    return PurchaseStates(
        np.concatenate([[0], np.cumsum(np.bincount(who, minlength=n_customers))]).astype(np.int64),
        (who * stride + when)[final],
        stride,
        what[final].astype(np.int32),
        when[final].astype(np.int32),
        next_day[final].astype(np.int32),
        purchases[final].astype(np.int32),
        trips[final].astype(np.int32),
        when[start][pair][final].astype(np.int32),
        _decayed(when, trips)[final],
    )


def _decay(age: NDArray[np.integer]) -> NDArray[np.float32]:
    """What is left after ``age`` days at each half-life; shape (n, len(HALF_LIVES))."""
    return np.exp2(-age[:, None] / np.array(HALF_LIVES, dtype=np.float32)).astype(np.float32)


def _decayed(when: NDArray[np.int64], trips: NDArray[np.int64]) -> NDArray[np.float32]:
    """Decayed days at each state, from the state before: one pass for all second trips of pairs,
    one for all third trips, and so on."""
    result = np.ones((len(when), len(HALF_LIVES)), dtype=np.float32)
    by_trip = np.argsort(trips, kind="stable")
    bounds = np.searchsorted(trips[by_trip], np.arange(2, int(trips.max(initial=1)) + 2))
    for low, high in pairwise(bounds):
        at = by_trip[low:high]
        result[at] += result[at - 1] * _decay(when[at] - when[at - 1])
    return result
