"""Features of customer and article pairs as Hamilton functions: what the ranker reads.

Inputs, bound by ``hm_platform.modelling.ranker.inputs``; all of shape (pairs,) unless said
otherwise, NaN where something does not apply:

days_since_last, days_since_first, days_since_previous, shopping_days, purchases,
trips_since_last, trips_since_first, decayed_14, decayed_60, decayed_180 : of the pair, from the
    customer's history; all NaN where the article was never bought
customer_* : columns of ``features/customers``
article_* : columns of ``features/articles``
distinct_articles : how many different articles the customer bought
usual_price : the customer's mean standardised price, weighted by recency
segment_share : how much the customer's segment bought of the article last week
product_type, product : how the customer bought articles of the same kind (GroupHistory)
same_buyers_age : mean standardised age of the article's buyers
source_* : each candidate source's own score
two_tower_dense, two_tower_repeat : the two parts of the retrieval model's score

A feature is a function with a ``group`` tag: features of a group are left out together to see what
they are worth. A value may be NaN (it does not apply) and may have any scale: the ranker reads its
quantile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hamilton.function_modifiers import check_output_custom, tag
from numpy.typing import NDArray

from hm_platform.features.arrays import Float32s
from hm_platform.features.checks import Array

NUMBER = Array(np.float32, nan=True)
POSITIVE = Array(np.float32, low=0, nan=True)


@dataclass(frozen=True)
class GroupHistory:
    """How the customer bought articles of one kind, for each pair; float32, shape (pairs,).

    All NaN where the kind is unknown or was never bought.
    """

    days_since_last: Float32s
    days_since_first: Float32s
    shopping_days: Float32s
    decayed_60: Float32s
    articles: Float32s


def _ratio(part: NDArray[np.floating], whole: NDArray[np.floating]) -> Float32s:
    """part / whole, NaN where either is unknown or whole is not positive."""
    result = np.full(part.shape, np.nan, np.float32)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


# The customer with the article.


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
    return _ratio(shopping_days, trips_since_first)


@tag(group="share")
@check_output_custom(POSITIVE)
def share_of_trips_14(
    decayed_14: Float32s, customer_decayed_shopping_days_14: Float32s
) -> Float32s:
    """The article's share of the customer's shopping days, by a half-life of 14 days."""
    return _ratio(decayed_14, customer_decayed_shopping_days_14)


@tag(group="share")
@check_output_custom(POSITIVE)
def share_of_trips_60(
    decayed_60: Float32s, customer_decayed_shopping_days_60: Float32s
) -> Float32s:
    """The same with 60 days."""
    return _ratio(decayed_60, customer_decayed_shopping_days_60)


@tag(group="share")
@check_output_custom(POSITIVE)
def share_of_trips_180(
    decayed_180: Float32s, customer_decayed_shopping_days_180: Float32s
) -> Float32s:
    """The same with 180 days."""
    return _ratio(decayed_180, customer_decayed_shopping_days_180)


def _repeated(values: Float32s, shopping_days: Float32s) -> Float32s:
    """values where the pair has two shopping days or more, else NaN."""
    return np.where(shopping_days > 1, values, np.float32(np.nan))


@tag(group="rhythm")
@check_output_custom(POSITIVE)
def gap(days_since_first: Float32s, days_since_last: Float32s, shopping_days: Float32s) -> Float32s:
    """Mean days between two purchases of the article by the customer."""
    mean = _ratio(days_since_first - days_since_last, np.maximum(shopping_days - 1, 1))
    return _repeated(mean, shopping_days)


@tag(group="rhythm")
@check_output_custom(POSITIVE)
def latest_gap(
    days_since_previous: Float32s, days_since_last: Float32s, shopping_days: Float32s
) -> Float32s:
    """Days between the last two purchases of the article by the customer."""
    return _repeated(days_since_previous - days_since_last, shopping_days)


@tag(group="rhythm")
@check_output_custom(POSITIVE)
def due(days_since_last: Float32s, gap: Float32s) -> Float32s:
    """Days since the last purchase in units of the mean gap: 1 is the day when it is due."""
    return _ratio(days_since_last, np.maximum(gap, 1))


@tag(group="rhythm")
@check_output_custom(POSITIVE)
def due_by_latest_gap(days_since_last: Float32s, latest_gap: Float32s) -> Float32s:
    """Days since the last purchase in units of the latest gap."""
    return _ratio(days_since_last, np.maximum(latest_gap, 1))


@tag(group="rhythm")
@check_output_custom(POSITIVE)
def due_by_trips(
    trips_since_last: Float32s, trips_since_first: Float32s, shopping_days: Float32s
) -> Float32s:
    """Trips since the last purchase in units of the trips that lie between two."""
    between = (trips_since_first - trips_since_last) / shopping_days
    return _repeated(_ratio(trips_since_last + 1, between), shopping_days)


@tag(group="rhythm")
@check_output_custom(POSITIVE)
def due_by_article(days_since_last: Float32s, article_mean_gap_days: Float32s) -> Float32s:
    """Days since the last purchase in units of all customers' mean gap for the article."""
    return _ratio(days_since_last, np.maximum(article_mean_gap_days, 1))


# The customer with articles of the same kind.


@tag(group="kind")
@check_output_custom(POSITIVE)
def type_days_since_last(product_type: GroupHistory) -> Float32s:
    """Days since the customer last bought the product type."""
    return product_type.days_since_last


@tag(group="kind")
@check_output_custom(POSITIVE)
def type_shopping_days(product_type: GroupHistory) -> Float32s:
    """How often the customer bought the product type, summed over its articles."""
    return product_type.shopping_days


@tag(group="kind")
@check_output_custom(POSITIVE)
def type_articles(product_type: GroupHistory) -> Float32s:
    """How many articles of the product type the customer has bought."""
    return product_type.articles


@tag(group="kind")
@check_output_custom(POSITIVE)
def type_decayed_60(product_type: GroupHistory) -> Float32s:
    """Decayed purchases of the product type."""
    return product_type.decayed_60


@tag(group="kind")
@check_output_custom(POSITIVE)
def share_of_type(decayed_60: Float32s, product_type: GroupHistory) -> Float32s:
    """The article's share of the customer's purchases of its product type."""
    return _ratio(decayed_60, product_type.decayed_60)


def _group_due(group: GroupHistory) -> Float32s:
    between = (group.days_since_first - group.days_since_last) / np.maximum(
        group.shopping_days - 1, 1
    )
    return _repeated(_ratio(group.days_since_last, np.maximum(between, 1)), group.shopping_days)


@tag(group="kind")
@check_output_custom(POSITIVE)
def type_due(product_type: GroupHistory) -> Float32s:
    """Days since the product type was bought in units of the mean gap between its purchases."""
    return _group_due(product_type)


@tag(group="kind")
@check_output_custom(POSITIVE)
def product_days_since_last(product: GroupHistory) -> Float32s:
    """Days since the customer last bought a variant of the product."""
    return product.days_since_last


@tag(group="kind")
@check_output_custom(POSITIVE)
def product_decayed_60(product: GroupHistory) -> Float32s:
    """Decayed purchases of variants of the product."""
    return product.decayed_60


@tag(group="kind")
@check_output_custom(POSITIVE)
def share_of_product(decayed_60: Float32s, product: GroupHistory) -> Float32s:
    """The article's share of the customer's purchases of variants of its product."""
    return _ratio(decayed_60, product.decayed_60)


@tag(group="kind")
@check_output_custom(POSITIVE)
def product_due(product: GroupHistory) -> Float32s:
    """Days since the product was bought in units of the mean gap between its purchases."""
    return _group_due(product)


@tag(group="kind")
@check_output_custom(POSITIVE)
def product_articles(product: GroupHistory) -> Float32s:
    """How many variants of the product the customer has bought."""
    return product.articles


# The article.


@tag(group="popularity")
@check_output_custom(POSITIVE)
def buyers(article_buyers_total: Float32s) -> Float32s:
    """How many customers ever bought the article."""
    return article_buyers_total


@tag(group="popularity")
@check_output_custom(POSITIVE)
def buyers_last_week(article_buyers_last_week: Float32s) -> Float32s:
    """How many customers bought it in the last week."""
    return article_buyers_last_week


@tag(group="popularity")
@check_output_custom(POSITIVE)
def buyers_last_4_weeks(article_buyers_last_4_weeks: Float32s) -> Float32s:
    """How many customers bought it in the last four weeks."""
    return article_buyers_last_4_weeks


@tag(group="popularity")
@check_output_custom(POSITIVE)
def trend(article_buyers_last_week: Float32s, article_buyers_last_4_weeks: Float32s) -> Float32s:
    """Last week's buyers against a week's share of the last four."""
    return _ratio(article_buyers_last_week + 1, article_buyers_last_4_weeks / 4 + 1)


@tag(group="popularity")
@check_output_custom(POSITIVE)
def popularity_in_segment(segment_share: Float32s) -> Float32s:
    """Share of the customer's segment that bought the article last week."""
    return segment_share


@tag(group="returning")
@check_output_custom(POSITIVE)
def days_per_buyer(article_days_per_buyer: Float32s) -> Float32s:
    """On how many days a buyer buys the article, on average."""
    return article_days_per_buyer


@tag(group="returning")
@check_output_custom(POSITIVE)
def repeat_buyers_share(article_repeat_buyers_share: Float32s) -> Float32s:
    """Share of the article's buyers who bought it again."""
    return article_repeat_buyers_share


@tag(group="returning")
@check_output_custom(POSITIVE)
def mean_gap_days(article_mean_gap_days: Float32s) -> Float32s:
    """Mean days between two purchases of the article by the same customer."""
    return article_mean_gap_days


@tag(group="returning")
@check_output_custom(POSITIVE)
def repurchase_rate(article_repurchase_rate_4_weeks: Float32s) -> Float32s:
    """Share of the earlier buyers who came back for the article in the last four weeks."""
    return article_repurchase_rate_4_weeks


@tag(group="novelty")
@check_output_custom(NUMBER)
def days_on_sale(article_days_since_first_sale: Float32s) -> Float32s:
    """Days since the article was first sold."""
    return article_days_since_first_sale


@tag(group="novelty")
@check_output_custom(NUMBER)
def days_since_sale(article_days_since_last_sale: Float32s) -> Float32s:
    """Days since anybody last bought the article."""
    return article_days_since_last_sale


@tag(group="price")
@check_output_custom(NUMBER)
def price(article_price_scaled: Float32s) -> Float32s:
    """The article's standardised price."""
    return article_price_scaled


@tag(group="price")
@check_output_custom(NUMBER)
def price_against_habit(article_price_scaled: Float32s, usual_price: Float32s) -> Float32s:
    """How far the price lies above what the customer usually pays."""
    return article_price_scaled - usual_price


@tag(group="price")
@check_output_custom(POSITIVE)
def price_last_week(article_price_last_week_ratio: Float32s) -> Float32s:
    """Last week's price against the mean of all time: a promotion is below 1."""
    return article_price_last_week_ratio


# The customer.


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
    return _ratio(distinct_articles, customer_purchases_total)


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


# The other models.


@tag(group="collaborative")
@check_output_custom(NUMBER)
def co_purchase_score(source_co_purchase: Float32s) -> Float32s:
    """How strongly the article goes with what the customer bought lately."""
    return source_co_purchase


@tag(group="collaborative")
@check_output_custom(NUMBER)
def new_arrivals_score(source_new_arrivals: Float32s) -> Float32s:
    """How near a new article is to the customer's taste."""
    return source_new_arrivals


@tag(group="two_tower")
@check_output_custom(NUMBER)
def two_tower_similarity(two_tower_dense: Float32s) -> Float32s:
    """The dense part of the retrieval model's score."""
    return two_tower_dense


@tag(group="two_tower")
@check_output_custom(NUMBER)
def two_tower_repetition(two_tower_repeat: Float32s) -> Float32s:
    """What the retrieval model makes of the pair's history; NaN without one."""
    return two_tower_repeat
