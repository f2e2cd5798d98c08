"""The customer with the article: recency, frequency, share of trips, rhythm."""

from __future__ import annotations

import numpy as np
from hamilton.function_modifiers import check_output_custom, tag

from hm_platform.features.arrays import Float32s
from hm_platform.modelling.ranker.pair_features.values import POSITIVE, ratio, repeated


@tag(group="recency")
@check_output_custom(POSITIVE)
def pair_days_since_last(days_since_last: Float32s) -> Float32s:
    """Days since the customer last bought the article."""
    return days_since_last


@tag(group="recency")
@check_output_custom(POSITIVE)
def pair_days_since_first(days_since_first: Float32s) -> Float32s:
    """Days since the customer first bought the article."""
    return days_since_first


@tag(group="recency")
@check_output_custom(POSITIVE)
def pair_trips_since_last(trips_since_last: Float32s) -> Float32s:
    """How often the customer went shopping since, without buying it."""
    return trips_since_last


@tag(group="frequency")
@check_output_custom(POSITIVE)
def pair_shopping_days(shopping_days: Float32s) -> Float32s:
    """On how many days the customer bought the article."""
    return shopping_days


@tag(group="frequency")
@check_output_custom(POSITIVE)
def pair_purchases(purchases: Float32s) -> Float32s:
    """How many the customer bought."""
    return purchases


@tag(group="frequency")
@check_output_custom(POSITIVE)
def pair_decayed_14(decayed_14: Float32s) -> Float32s:
    """Shopping days with the article, each worth half after 14 days: a burst."""
    return decayed_14


@tag(group="frequency")
@check_output_custom(POSITIVE)
def pair_decayed_60(decayed_60: Float32s) -> Float32s:
    """The same with 60 days: a habit."""
    return decayed_60


@tag(group="frequency")
@check_output_custom(POSITIVE)
def pair_decayed_180(decayed_180: Float32s) -> Float32s:
    """The same with 180 days: a staple."""
    return decayed_180


@tag(group="share")
@check_output_custom(POSITIVE)
def share_of_trips(shopping_days: Float32s, trips_since_first: Float32s) -> Float32s:
    """Share of the shopping days, from the first with the article on, that had it."""
    return ratio(shopping_days, trips_since_first)


@tag(group="share")
@check_output_custom(POSITIVE)
def share_of_trips_14(
    decayed_14: Float32s, customer_decayed_shopping_days_14: Float32s
) -> Float32s:
    """The article's share of the customer's shopping days, by a half-life of 14 days."""
    return ratio(decayed_14, customer_decayed_shopping_days_14)


@tag(group="share")
@check_output_custom(POSITIVE)
def share_of_trips_60(
    decayed_60: Float32s, customer_decayed_shopping_days_60: Float32s
) -> Float32s:
    """The same with 60 days."""
    return ratio(decayed_60, customer_decayed_shopping_days_60)


@tag(group="share")
@check_output_custom(POSITIVE)
def share_of_trips_180(
    decayed_180: Float32s, customer_decayed_shopping_days_180: Float32s
) -> Float32s:
    """The same with 180 days."""
    return ratio(decayed_180, customer_decayed_shopping_days_180)


@tag(group="rhythm")
@check_output_custom(POSITIVE)
def gap(days_since_first: Float32s, days_since_last: Float32s, shopping_days: Float32s) -> Float32s:
    """Mean days between two purchases of the article by the customer."""
    mean = ratio(days_since_first - days_since_last, np.maximum(shopping_days - 1, 1))
    return repeated(mean, shopping_days)


@tag(group="rhythm")
@check_output_custom(POSITIVE)
def latest_gap(
    days_since_previous: Float32s, days_since_last: Float32s, shopping_days: Float32s
) -> Float32s:
    """Days between the last two purchases of the article by the customer."""
    return repeated(days_since_previous - days_since_last, shopping_days)


@tag(group="rhythm")
@check_output_custom(POSITIVE)
def due(days_since_last: Float32s, gap: Float32s) -> Float32s:
    """Days since the last purchase in units of the mean gap: 1 is the day when it is due."""
    return ratio(days_since_last, np.maximum(gap, 1))


@tag(group="rhythm")
@check_output_custom(POSITIVE)
def due_by_latest_gap(days_since_last: Float32s, latest_gap: Float32s) -> Float32s:
    """Days since the last purchase in units of the latest gap."""
    return ratio(days_since_last, np.maximum(latest_gap, 1))


@tag(group="rhythm")
@check_output_custom(POSITIVE)
def due_by_trips(
    trips_since_last: Float32s, trips_since_first: Float32s, shopping_days: Float32s
) -> Float32s:
    """Trips since the last purchase in units of the trips that lie between two."""
    between = (trips_since_first - trips_since_last) / shopping_days
    return repeated(ratio(trips_since_last + 1, between), shopping_days)


@tag(group="rhythm")
@check_output_custom(POSITIVE)
def due_by_article(days_since_last: Float32s, article_mean_gap_days: Float32s) -> Float32s:
    """Days since the last purchase in units of all customers' mean gap for the article."""
    return ratio(days_since_last, np.maximum(article_mean_gap_days, 1))
