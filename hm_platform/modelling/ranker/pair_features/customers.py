"""The customer: activity, and age and channel against those of the article."""

from __future__ import annotations

import numpy as np
from hamilton.function_modifiers import check_output_custom, tag

from hm_platform.features.arrays import Float32s
from hm_platform.features.checks import Array
from hm_platform.modelling.ranker.pair_features.values import NUMBER, POSITIVE, ratio


@tag(group="customer")
@check_output_custom(POSITIVE)
def customer_trips(customer_shopping_days_total: Float32s) -> Float32s:
    """On how many days the customer went shopping."""
    return customer_shopping_days_total


@tag(group="customer")
@check_output_custom(POSITIVE)
def customer_trips_last_4_weeks(customer_shopping_days_last_4_weeks: Float32s) -> Float32s:
    """The same in the last four weeks."""
    return customer_shopping_days_last_4_weeks


@tag(group="customer")
@check_output_custom(NUMBER)
def customer_recency(customer_days_since_last_purchase: Float32s) -> Float32s:
    """Days since the customer's last purchase."""
    return customer_days_since_last_purchase


@tag(group="customer")
@check_output_custom(POSITIVE)
def customer_articles(distinct_articles: Float32s) -> Float32s:
    """How many different articles the customer bought."""
    return distinct_articles


@tag(group="customer")
@check_output_custom(POSITIVE)
def customer_repeats(distinct_articles: Float32s, customer_purchases_total: Float32s) -> Float32s:
    """Different articles a purchase: 1 for somebody who never buys the same again."""
    return ratio(distinct_articles, customer_purchases_total)


@tag(group="affinity")
@check_output_custom(NUMBER)
def age_against_buyers(customer_age_scaled: Float32s, same_buyers_age: Float32s) -> Float32s:
    """How far the customer's age lies from that of the article's buyers."""
    return np.abs(customer_age_scaled - same_buyers_age)


@tag(group="affinity")
@check_output_custom(Array(np.float32, low=0, high=1, nan=True))
def channel_against_habit(
    customer_online_share: Float32s, article_online_share_last_4_weeks: Float32s
) -> Float32s:
    """How far the customer's share of purchases online lies from the article's."""
    return np.abs(customer_online_share - article_online_share_last_4_weeks)
