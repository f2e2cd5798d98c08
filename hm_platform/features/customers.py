"""Customer features as Hamilton functions: what is known of each customer at a cut-off.

Inputs, bound by ``hm_platform.features.driver``. The ``shopped_*`` arrays are columns of
``marts.weekly_customer_purchases``, a row a customer and week, every row before the cut-off:

shopped_customer : int32, the customer's index
shopped_week, shopped_first_day, shopped_last_day : datetime64[D], the week and the first and last
    day of shopping in it
shopped_days : int32, on how many days of the week the customer bought something
shopped_purchases, shopped_purchases_online : int32, purchases in the week, and those made online
n_customers : how many customers there are; every feature has this length
cutoff : the first day that is not known yet

A feature is a function with an ``entity`` tag. Its name is a column of ``features/customers``, its
docstring the column's description, the order of the functions the order of the columns.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from hamilton.function_modifiers import check_output_custom, tag

from hm_platform.features.arrays import (
    NEVER,
    Days,
    Float32s,
    Int32s,
    Strings,
    days_before,
    fewest,
    shares,
    spread_days,
    totals,
)
from hm_platform.features.checks import Array
from hm_platform.features.decay import weights
from hm_platform.features.encoders import AGE_BANDS, FLAG_CODES, Encoders

COUNT = Array(np.int32, low=0)
CODE = Array(np.int32, low=0)
FLAG = Array(np.int32, low=0, high=max(FLAG_CODES.values()))


@tag(entity="customer", fitted="no", unit="purchases")
@check_output_custom(COUNT)
def purchases_total(
    shopped_customer: Int32s, shopped_purchases: Int32s, n_customers: int
) -> Int32s:
    """How many purchases the customer made before the cut-off."""
    return totals(shopped_customer, shopped_purchases, n_customers)


@tag(entity="customer", fitted="no", unit="purchases")
@check_output_custom(COUNT)
def purchases_last_4_weeks(
    shopped_customer: Int32s,
    shopped_week: Days,
    shopped_purchases: Int32s,
    n_customers: int,
    cutoff: date,
) -> Int32s:
    """How many purchases the customer made in the four weeks before the cut-off."""
    recent = shopped_week >= np.datetime64(cutoff - timedelta(weeks=4), "D")
    return totals(shopped_customer[recent], shopped_purchases[recent], n_customers)


@tag(entity="customer", fitted="no", unit="share")
@check_output_custom(Array(np.float32, low=0, high=1, nan=True))
def online_share(
    shopped_customer: Int32s,
    shopped_purchases_online: Int32s,
    purchases_total: Int32s,
    n_customers: int,
) -> Float32s:
    """Share of the customer's purchases before the cut-off that were online; NaN without any."""
    return shares(totals(shopped_customer, shopped_purchases_online, n_customers), purchases_total)


@tag(entity="customer", fitted="no", unit="days")
@check_output_custom(Array(np.int32, low=NEVER))
def days_since_last_purchase(
    shopped_customer: Int32s, shopped_last_day: Days, n_customers: int, cutoff: date
) -> Int32s:
    """Days from the customer's last purchase to the cut-off; 1 is the day before it, -1 none."""
    return fewest(shopped_customer, days_before(cutoff, shopped_last_day), n_customers)


@tag(entity="customer", fitted="no", unit="days")
@check_output_custom(COUNT)
def shopping_days_total(shopped_customer: Int32s, shopped_days: Int32s, n_customers: int) -> Int32s:
    """On how many days the customer bought something before the cut-off."""
    return totals(shopped_customer, shopped_days, n_customers)


@tag(entity="customer", fitted="no", unit="days")
@check_output_custom(COUNT)
def shopping_days_last_4_weeks(
    shopped_customer: Int32s,
    shopped_week: Days,
    shopped_days: Int32s,
    n_customers: int,
    cutoff: date,
) -> Int32s:
    """On how many days of the four weeks before the cut-off the customer bought something."""
    recent = shopped_week >= np.datetime64(cutoff - timedelta(weeks=4), "D")
    return totals(shopped_customer[recent], shopped_days[recent], n_customers)


def shopping_days(
    shopped_customer: Int32s,
    shopped_days: Int32s,
    shopped_first_day: Days,
    shopped_last_day: Days,
    cutoff: date,
) -> tuple[Int32s, Int32s]:
    """The shopping days, one by one: whose, and how many days before the cut-off."""
    row, day = spread_days(shopped_first_day, shopped_last_day, shopped_days)
    return shopped_customer[row], days_before(cutoff, day)


def _decayed(shopping_days: tuple[Int32s, Int32s], half_life: int, n: int) -> Float32s:
    # Added up in float64 in the order of the rows, which is fixed: the same bytes every time.
    customer, age = shopping_days
    decayed = np.bincount(customer, weights=weights(age, half_life), minlength=n)
    return decayed.astype(np.float32)


@tag(entity="customer", fitted="no", unit="days")
@check_output_custom(Array(np.float32, low=0))
def decayed_shopping_days_14(shopping_days: tuple[Int32s, Int32s], n_customers: int) -> Float32s:
    """The customer's shopping days, each worth half as much for every 14 days of its age."""
    return _decayed(shopping_days, 14, n_customers)


@tag(entity="customer", fitted="no", unit="days")
@check_output_custom(Array(np.float32, low=0))
def decayed_shopping_days_60(shopping_days: tuple[Int32s, Int32s], n_customers: int) -> Float32s:
    """The customer's shopping days, each worth half as much for every 60 days of its age."""
    return _decayed(shopping_days, 60, n_customers)


@tag(entity="customer", fitted="no", unit="days")
@check_output_custom(Array(np.float32, low=0))
def decayed_shopping_days_180(shopping_days: tuple[Int32s, Int32s], n_customers: int) -> Float32s:
    """The customer's shopping days, each worth half as much for every 180 days of its age."""
    return _decayed(shopping_days, 180, n_customers)


@tag(entity="customer", fitted="training", unit="standard deviations")
@check_output_custom(Array(np.float32))
def age_scaled(age: Float32s, encoders: Encoders) -> Float32s:
    """The customer's age, standardised; 0 where it is unknown."""
    return encoders.scaled_ages(age)


@tag(entity="customer", fitted="no", unit="code")
@check_output_custom(Array(np.int32, low=0, high=len(AGE_BANDS)))
def age_band_code(age: Float32s) -> Int32s:
    """Code of the customer's age band: 1 under 20, then one a decade, 7 from 70; 0 unknown."""
    band = np.searchsorted(np.array(AGE_BANDS, np.float32), age, side="right")
    return np.where(np.isnan(age), 0, band).astype(np.int32)


@tag(entity="customer", fitted="training", unit="code")
@check_output_custom(CODE)
def club_member_status_code(club_member_status: Strings, encoders: Encoders) -> Int32s:
    """Code of the customer's standing in the membership club; 0 unknown."""
    return encoders.encode("club_member_status_code", club_member_status)


@tag(entity="customer", fitted="training", unit="code")
@check_output_custom(CODE)
def fashion_news_frequency_code(fashion_news_frequency: Strings, encoders: Encoders) -> Int32s:
    """Code of how often the customer wants to hear of fashion news; 0 unknown."""
    return encoders.encode("fashion_news_frequency_code", fashion_news_frequency)


def _flag(values: pa.ChunkedArray) -> Int32s:
    """FLAG_CODES of a column of booleans."""
    codes = pc.if_else(values, FLAG_CODES[True], FLAG_CODES[False])
    return pc.cast(pc.fill_null(codes, FLAG_CODES[None]), pa.int32()).to_numpy()


@tag(entity="customer", fitted="no", unit="code")
@check_output_custom(FLAG)
def is_active_code(is_active: pa.ChunkedArray) -> Int32s:
    """Whether the customer is active for communication: 1 no, 2 yes, 0 unknown."""
    return _flag(is_active)


@tag(entity="customer", fitted="no", unit="code")
@check_output_custom(FLAG)
def receives_fashion_news_code(receives_fashion_news: pa.ChunkedArray) -> Int32s:
    """Whether the customer receives fashion news: 1 no, 2 yes, 0 unknown."""
    return _flag(receives_fashion_news)


@tag(entity="customer", fitted="training", unit="code")
@check_output_custom(CODE)
def segment_code(
    age_band_code: Int32s, club_member_status_code: Int32s, encoders: Encoders
) -> Int32s:
    """Code of the customer's segment, age band by club status; 0 where both are unknown."""
    return encoders.segments(age_band_code, club_member_status_code)
