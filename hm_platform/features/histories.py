"""Purchase histories as Hamilton functions: what each customer bought before a cut-off.

Run for a block of customers at a time. Inputs, bound by ``hm_platform.features.driver``: the
``bought_*`` arrays, a row a customer and article, summed over the rows of
``marts.weekly_customer_article_purchases`` before the cut-off:

bought_customer, bought_article : int32, indices
bought_purchases : int32, how many were bought
bought_days : int32, on how many days
bought_first_day, bought_last_day : datetime64[D]
cutoff : the first day that is not known yet
longest_history : how many articles of a customer are kept, at most

A function with an ``entity`` tag is a column of ``features/purchase_histories``.
"""

from __future__ import annotations

from datetime import date

import numpy as np
from hamilton.function_modifiers import check_output_custom, tag

from hm_platform.features.arrays import (
    Days,
    Int32Lists,
    Int32s,
    Int64s,
    days_before,
    first_of_each,
    group_offsets,
    lists,
)
from hm_platform.features.checks import Array, Lists

COUNTS = Lists(np.int32, low=1)


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
