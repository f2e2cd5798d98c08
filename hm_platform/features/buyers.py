"""Article features that tell of its buyers: how many there are, and how they come back to it.

Hamilton functions, a part of ``features/articles`` beside ``hm_platform.features.articles``.
Inputs, bound by ``hm_platform.features.driver``: the ``bought_*`` arrays are sums over
``marts.weekly_customer_article_purchases`` before the cut-off, a row an article that was sold. A
buyer is a customer who bought the article at all. A day on which a buyer bought it counts once,
however many were bought:

bought_article : int32, the article's index
bought_buyers : int64, distinct customers
bought_buyers_last_week, bought_buyers_last_4_weeks : int64, those of the last 7 and 28 days
bought_repeat_buyers : int64, customers who bought it on two days or more
bought_days : int64, days of all buyers
bought_span : int64, days from the first to the last purchase, summed over the buyers
bought_earlier_buyers : int64, customers who bought it before the last 28 days
bought_returned_buyers : int64, those of them who also bought it in the last 28 days
n_articles : how many articles there are; every feature has this length

A feature is a function with an ``entity`` tag. Shares and means start from what is usual, as if a
few more buyers had been seen, so that an article with one buyer is not taken for one that is known.
"""

from __future__ import annotations

import numpy as np
from hamilton.function_modifiers import check_output_custom, tag

from hm_platform.features.arrays import Float32s, Int32s, Int64s, placed
from hm_platform.features.checks import Array

COUNT = Array(np.int32, low=0)


@tag(entity="article", fitted="no", unit="customers")
@check_output_custom(COUNT)
def buyers_total(bought_article: Int32s, bought_buyers: Int64s, n_articles: int) -> Int32s:
    """How many customers bought the article before the cut-off."""
    return placed(bought_article, bought_buyers, n_articles).astype(np.int32)


@tag(entity="article", fitted="no", unit="customers")
@check_output_custom(COUNT)
def buyers_last_week(
    bought_article: Int32s, bought_buyers_last_week: Int64s, n_articles: int
) -> Int32s:
    """How many customers bought the article in the week before the cut-off."""
    return placed(bought_article, bought_buyers_last_week, n_articles).astype(np.int32)


@tag(entity="article", fitted="no", unit="customers")
@check_output_custom(COUNT)
def buyers_last_4_weeks(
    bought_article: Int32s, bought_buyers_last_4_weeks: Int64s, n_articles: int
) -> Int32s:
    """How many customers bought the article in the four weeks before the cut-off."""
    return placed(bought_article, bought_buyers_last_4_weeks, n_articles).astype(np.int32)


def _share(
    article: Int32s, part: Int64s, whole: Int64s, n: int, more_part: float, more_whole: float
) -> Float32s:
    """``(part + more_part) / (whole + more_whole)`` of each article."""
    shares = (placed(article, part, n) + more_part) / (placed(article, whole, n) + more_whole)
    return shares.astype(np.float32)


@tag(entity="article", fitted="no", unit="days")
@check_output_custom(Array(np.float32, low=0))
def days_per_buyer(
    bought_article: Int32s, bought_days: Int64s, bought_buyers: Int64s, n_articles: int
) -> Float32s:
    """On how many days its buyers bought the article, on average; 0 where it was never sold."""
    return placed(bought_article, bought_days / bought_buyers, n_articles).astype(np.float32)


@tag(entity="article", fitted="no", unit="share")
@check_output_custom(Array(np.float32, low=0, high=1))
def repeat_buyers_share(
    bought_article: Int32s, bought_repeat_buyers: Int64s, bought_buyers: Int64s, n_articles: int
) -> Float32s:
    """Share of its buyers who bought the article on two days or more.

    Drawn towards a quarter by two buyers that are made up.
    """
    return _share(bought_article, bought_repeat_buyers, bought_buyers, n_articles, 0.5, 2)


@tag(entity="article", fitted="no", unit="days")
@check_output_custom(Array(np.float32, low=0))
def mean_gap_days(
    bought_article: Int32s,
    bought_span: Int64s,
    bought_days: Int64s,
    bought_buyers: Int64s,
    n_articles: int,
) -> Float32s:
    """Mean days between two days on which the same customer bought the article.

    Drawn towards a month by one gap that is made up.
    """
    gaps = bought_days - bought_buyers
    return _share(bought_article, bought_span, gaps, n_articles, 30, 1)


@tag(entity="article", fitted="no", unit="share")
@check_output_custom(Array(np.float32, low=0, high=1))
def repurchase_rate_4_weeks(
    bought_article: Int32s,
    bought_returned_buyers: Int64s,
    bought_earlier_buyers: Int64s,
    n_articles: int,
) -> Float32s:
    """Share of its earlier buyers who bought the article again in the last four weeks.

    Drawn towards 3 % by ten buyers that are made up.
    """
    return _share(
        bought_article, bought_returned_buyers, bought_earlier_buyers, n_articles, 0.3, 10
    )
