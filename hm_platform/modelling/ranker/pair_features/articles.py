"""The article: its popularity, whether buyers return, novelty, price against the habit."""

from __future__ import annotations

from hamilton.function_modifiers import check_output_custom, tag

from hm_platform.features.arrays import Float32s
from hm_platform.modelling.ranker.pair_features.values import NUMBER, POSITIVE, ratio


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
    return ratio(article_buyers_last_week + 1, article_buyers_last_4_weeks / 4 + 1)


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
