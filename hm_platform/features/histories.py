"""Purchase histories as Hamilton functions: what each customer bought before a cut-off.

Run for a block of customers at a time. A *visit* is a customer, an article and a day on which the
one bought the other. Inputs, bound by ``hm_platform.features.driver``: the ``visit_*`` arrays, a
row a visit before the cut-off, ordered by customer, article and day:

visit_customer, visit_article : int32, indices
visit_day : datetime64[D]
visit_purchases : int32, how many were bought; a week's purchases stand at its last visit, the
    earlier ones of the week have 0
visit_trip : int32, which of the customer's shopping days it is, counted from 1; 0 where the day
    itself is a guess (never the first or the last visit of a pair)
cutoff : the first day that is not known yet
longest_history : how many articles of a customer are kept, at most

The ``bought_*`` steps have a row a customer and article, by customer, then article. Sums run over
the ordered visits of each pair, in float64 where they are not whole numbers, so that the same
purchases give the same bytes in whatever order they come.

A function with an ``entity`` tag is a column of ``features/purchase_histories``.
"""

from __future__ import annotations

from datetime import date

import numpy as np
from hamilton.function_modifiers import check_output_custom, tag

from hm_platform.features.arrays import (
    NEVER,
    Days,
    Float32Lists,
    Float32s,
    Int32Lists,
    Int32s,
    Int64s,
    days_before,
    first_of_each,
    group_offsets,
    lists,
)
from hm_platform.features.checks import Array, Lists
from hm_platform.features.decay import weights

COUNTS = Lists(np.int32, low=1)
DECAYED = Lists(np.float32, low=0)


def pair_offsets(visit_customer: Int32s, visit_article: Int32s) -> Int64s:
    """Where each pair's visits start, and where the last ones end; shape (pairs + 1,)."""
    return group_offsets((visit_customer.astype(np.int64) << 32) | visit_article)


def bought_customer(visit_customer: Int32s, pair_offsets: Int64s) -> Int32s:
    """Whose pair it is."""
    return visit_customer[pair_offsets[:-1]]


def bought_article(visit_article: Int32s, pair_offsets: Int64s) -> Int32s:
    """What the customer bought."""
    return visit_article[pair_offsets[:-1]]


def bought_purchases(visit_purchases: Int32s, pair_offsets: Int64s) -> Int32s:
    """How many the customer bought."""
    return np.add.reduceat(visit_purchases, pair_offsets[:-1], dtype=np.int32)


def bought_days(pair_offsets: Int64s) -> Int32s:
    """On how many days."""
    return np.diff(pair_offsets).astype(np.int32)


def bought_first_day(visit_day: Days, pair_offsets: Int64s) -> Days:
    """The first of them."""
    return visit_day[pair_offsets[:-1]]


def bought_last_day(visit_day: Days, pair_offsets: Int64s) -> Days:
    """The last of them."""
    return visit_day[pair_offsets[1:] - 1]


def bought_trips(bought_customer: Int32s, visit_trip: Int32s, pair_offsets: Int64s) -> Int32s:
    """How many shopping days the pair's customer has; each is the last one of some article."""
    customers = group_offsets(bought_customer)
    trips = np.maximum.reduceat(visit_trip[pair_offsets[1:] - 1], customers[:-1])
    return np.repeat(trips, np.diff(customers))


def history_order(
    bought_customer: Int32s,
    bought_article: Int32s,
    bought_purchases: Int32s,
    bought_last_day: Days,
    longest_history: int,
) -> Int64s:
    """The rows in the order of the histories, those that are too far back left out.

    By customer, the most recent article first; of articles last bought on the same day the one
    bought more often, then the one with the lower index.
    """
    # Two numbers to sort by instead of four: an index is below 2**31, and so are days and counts.
    by_customer = (bought_customer.astype(np.int64) << 32) - bought_last_day.astype(np.int64)
    by_purchases = bought_article - (bought_purchases.astype(np.int64) << 32)
    order = np.lexsort((by_purchases, by_customer))
    return order[first_of_each(group_offsets(bought_customer[order]), longest_history)]


def history_offsets(bought_customer: Int32s, history_order: Int64s) -> Int64s:
    """Where each customer's history starts among the ordered rows, and where the last one ends."""
    return group_offsets(bought_customer[history_order])


@tag(entity="customer", fitted="no", unit="index")
@check_output_custom(Array(np.int32, low=0))
def customer_index(
    bought_customer: Int32s, history_order: Int64s, history_offsets: Int64s
) -> Int32s:
    """The customer; only customers who bought something before the cut-off have a row."""
    return bought_customer[history_order][history_offsets[:-1]]


@tag(entity="customer", fitted="no", unit="index")
@check_output_custom(Lists(np.int32, low=0))
def articles(bought_article: Int32s, history_order: Int64s, history_offsets: Int64s) -> Int32Lists:
    """The distinct articles that the customer bought before the cut-off, most recent first."""
    return lists(history_offsets, bought_article[history_order])


@tag(entity="customer", fitted="no", unit="purchases")
@check_output_custom(COUNTS)
def purchases(
    bought_purchases: Int32s, history_order: Int64s, history_offsets: Int64s
) -> Int32Lists:
    """How often the customer bought each of the articles."""
    return lists(history_offsets, bought_purchases[history_order])


@tag(entity="customer", fitted="no", unit="days")
@check_output_custom(COUNTS)
def days(bought_days: Int32s, history_order: Int64s, history_offsets: Int64s) -> Int32Lists:
    """On how many days (shopping trips) the customer bought each of the articles."""
    return lists(history_offsets, bought_days[history_order])


@tag(entity="customer", fitted="no", unit="days")
@check_output_custom(COUNTS)
def days_since_last(
    bought_last_day: Days, history_order: Int64s, history_offsets: Int64s, cutoff: date
) -> Int32Lists:
    """Days from the last purchase of each article to the cut-off; 1 is the day before it."""
    return lists(history_offsets, days_before(cutoff, bought_last_day[history_order]))


@tag(entity="customer", fitted="no", unit="days")
@check_output_custom(COUNTS)
def days_since_first(
    bought_first_day: Days, history_order: Int64s, history_offsets: Int64s, cutoff: date
) -> Int32Lists:
    """Days from the first purchase of each article to the cut-off; 1 is the day before it."""
    return lists(history_offsets, days_before(cutoff, bought_first_day[history_order]))


@tag(entity="customer", fitted="no", unit="days")
@check_output_custom(Lists(np.int32, low=NEVER))
def days_since_previous(
    visit_day: Days,
    pair_offsets: Int64s,
    bought_days: Int32s,
    history_order: Int64s,
    history_offsets: Int64s,
    cutoff: date,
) -> Int32Lists:
    """Days from the last but one day with each article to the cut-off; -1 where it was one day."""
    previous = np.maximum(pair_offsets[1:] - 2, 0)
    age = np.where(bought_days > 1, days_before(cutoff, visit_day[previous]), np.int32(NEVER))
    return lists(history_offsets, age[history_order])


@tag(entity="customer", fitted="no", unit="shopping days")
@check_output_custom(Lists(np.int32, low=0))
def trips_since_last(
    visit_trip: Int32s,
    pair_offsets: Int64s,
    bought_trips: Int32s,
    history_order: Int64s,
    history_offsets: Int64s,
) -> Int32Lists:
    """The customer's shopping days after the last one with each article."""
    since = bought_trips - visit_trip[pair_offsets[1:] - 1]
    return lists(history_offsets, since[history_order])


@tag(entity="customer", fitted="no", unit="shopping days")
@check_output_custom(COUNTS)
def trips_since_first(
    visit_trip: Int32s,
    pair_offsets: Int64s,
    bought_trips: Int32s,
    history_order: Int64s,
    history_offsets: Int64s,
) -> Int32Lists:
    """The customer's shopping days from the first one with each article on, that one included."""
    since = bought_trips - visit_trip[pair_offsets[:-1]] + np.int32(1)
    return lists(history_offsets, since[history_order])


def visit_age(visit_day: Days, cutoff: date) -> Int32s:
    """Days from each visit to the cut-off."""
    return days_before(cutoff, visit_day)


def _decayed(age: Int32s, pair_offsets: Int64s, half_life: int) -> Float32s:
    """Visits of each pair, weighted by their age; shape (pairs,)."""
    return np.add.reduceat(weights(age, half_life), pair_offsets[:-1]).astype(np.float32)


@tag(entity="customer", fitted="no", unit="days")
@check_output_custom(DECAYED)
def decayed_14(
    visit_age: Int32s, pair_offsets: Int64s, history_order: Int64s, history_offsets: Int64s
) -> Float32Lists:
    """Days with each article, each worth half as much for every 14 days of its age."""
    return lists(history_offsets, _decayed(visit_age, pair_offsets, 14)[history_order])


@tag(entity="customer", fitted="no", unit="days")
@check_output_custom(DECAYED)
def decayed_60(
    visit_age: Int32s, pair_offsets: Int64s, history_order: Int64s, history_offsets: Int64s
) -> Float32Lists:
    """Days with each article, each worth half as much for every 60 days of its age."""
    return lists(history_offsets, _decayed(visit_age, pair_offsets, 60)[history_order])


@tag(entity="customer", fitted="no", unit="days")
@check_output_custom(DECAYED)
def decayed_180(
    visit_age: Int32s, pair_offsets: Int64s, history_order: Int64s, history_offsets: Int64s
) -> Float32Lists:
    """Days with each article, each worth half as much for every 180 days of its age."""
    return lists(history_offsets, _decayed(visit_age, pair_offsets, 180)[history_order])
