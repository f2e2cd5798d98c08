"""Article features as Hamilton functions: what is known of each article at a cut-off.

Inputs, bound by ``hm_platform.features.driver``. The ``sold_*`` arrays are columns of
``marts.weekly_article_sales``, a row an article and week, every row before the cut-off:

sold_article : int32, the article's index
sold_week, sold_first_day, sold_last_day : datetime64[D], the week and the first and last day of
    sale in it
sold_purchases, sold_purchases_online : int32, purchases in the week, and those made online
sold_mean_price : float64, mean price in the week, NaN where no price is known
n_articles : how many articles there are; every feature has this length
cutoff : the first day that is not known yet

A feature is a function with an ``entity`` tag. Its name is a column of ``features/articles``, its
docstring the column's description, the order of the functions the order of the columns.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from hamilton.function_modifiers import check_output_custom, tag

from hm_platform.features.arrays import (
    NEVER,
    Days,
    Float32s,
    Float64s,
    Int32s,
    Strings,
    days_before,
    fewest,
    most,
    shares,
    totals,
)
from hm_platform.features.checks import Array
from hm_platform.features.encoders import Encoders

COUNT = Array(np.int32, low=0)
DAYS_SINCE = Array(np.int32, low=NEVER)
CODE = Array(np.int32, low=0)


@tag(entity="article", fitted="no", unit="purchases")
@check_output_custom(COUNT)
def purchases_total(sold_article: Int32s, sold_purchases: Int32s, n_articles: int) -> Int32s:
    """How often the article was bought before the cut-off."""
    return totals(sold_article, sold_purchases, n_articles)


def _purchases_since(
    start: date, article: Int32s, week: Days, purchases: Int32s, n_articles: int
) -> Int32s:
    recent = week >= np.datetime64(start, "D")
    return totals(article[recent], purchases[recent], n_articles)


@tag(entity="article", fitted="no", unit="purchases")
@check_output_custom(COUNT)
def purchases_last_week(
    sold_article: Int32s, sold_week: Days, sold_purchases: Int32s, n_articles: int, cutoff: date
) -> Int32s:
    """How often the article was bought in the week before the cut-off."""
    start = cutoff - timedelta(weeks=1)
    return _purchases_since(start, sold_article, sold_week, sold_purchases, n_articles)


@tag(entity="article", fitted="no", unit="purchases")
@check_output_custom(COUNT)
def purchases_last_4_weeks(
    sold_article: Int32s, sold_week: Days, sold_purchases: Int32s, n_articles: int, cutoff: date
) -> Int32s:
    """How often the article was bought in the four weeks before the cut-off."""
    start = cutoff - timedelta(weeks=4)
    return _purchases_since(start, sold_article, sold_week, sold_purchases, n_articles)


@tag(entity="article", fitted="no", unit="share")
@check_output_custom(Array(np.float32, low=0, high=1, nan=True))
def online_share_last_4_weeks(
    sold_article: Int32s,
    sold_week: Days,
    sold_purchases_online: Int32s,
    purchases_last_4_weeks: Int32s,
    n_articles: int,
    cutoff: date,
) -> Float32s:
    """Share of the article's purchases in the four weeks before the cut-off that were online.

    NaN where there were none.
    """
    start = cutoff - timedelta(weeks=4)
    online = _purchases_since(start, sold_article, sold_week, sold_purchases_online, n_articles)
    return shares(online, purchases_last_4_weeks)


@tag(entity="article", fitted="no", unit="days")
@check_output_custom(DAYS_SINCE)
def days_since_first_sale(
    sold_article: Int32s, sold_first_day: Days, n_articles: int, cutoff: date
) -> Int32s:
    """Days from the article's first sale to the cut-off; 1 is the day before it, -1 never sold."""
    return most(sold_article, days_before(cutoff, sold_first_day), n_articles)


@tag(entity="article", fitted="no", unit="days")
@check_output_custom(DAYS_SINCE)
def days_since_last_sale(
    sold_article: Int32s, sold_last_day: Days, n_articles: int, cutoff: date
) -> Int32s:
    """Days from the article's last sale to the cut-off; 1 is the day before it, -1 never sold."""
    return fewest(sold_article, days_before(cutoff, sold_last_day), n_articles)


@tag(entity="article", fitted="no", unit="currency of the source")
@check_output_custom(Array(np.float32, nan=True))
def mean_price(
    sold_article: Int32s, sold_purchases: Int32s, sold_mean_price: Float64s, n_articles: int
) -> Float32s:
    """Mean price paid for the article before the cut-off; NaN where no price is known."""
    priced = ~np.isnan(sold_mean_price)
    article, purchases = sold_article[priced], sold_purchases[priced]
    paid = np.bincount(article, weights=sold_mean_price[priced] * purchases, minlength=n_articles)
    bought = np.bincount(article, weights=purchases, minlength=n_articles)
    price = np.full(n_articles, np.nan, np.float32)
    np.divide(paid, bought, out=price, where=bought > 0, casting="same_kind")
    return price


@tag(entity="article", fitted="training", unit="standard deviations")
@check_output_custom(Array(np.float32))
def price_scaled(mean_price: Float32s, encoders: Encoders) -> Float32s:
    """Logarithm of the mean price, standardised; 0 where the price is unknown or not positive.

    Prices are spread over orders of magnitude, so it is their ratios that are comparable.
    """
    return encoders.scaled_prices(mean_price)


@tag(entity="article", fitted="no", unit="ratio")
@check_output_custom(Array(np.float32, low=0))
def price_last_week_ratio(
    sold_article: Int32s,
    sold_week: Days,
    sold_mean_price: Float64s,
    mean_price: Float32s,
    cutoff: date,
) -> Float32s:
    """Mean price of the week before the cut-off over the mean price ever; 1 where unknown.

    Below 1 the article is on sale.
    """
    last_week = sold_week >= np.datetime64(cutoff - timedelta(weeks=1), "D")
    price = np.full(len(mean_price), np.nan)
    price[sold_article[last_week]] = sold_mean_price[last_week]
    known = (price > 0) & (mean_price > 0)
    return np.divide(price, mean_price, out=np.ones(len(price)), where=known).astype(np.float32)


@tag(entity="article", fitted="training", unit="code")
@check_output_custom(CODE)
def product_code(product: Strings, encoders: Encoders) -> Int32s:
    """Code of the product that the article is a variant of; 0 unknown."""
    return encoders.encode("product_code", product)


@tag(entity="article", fitted="training", unit="code")
@check_output_custom(CODE)
def product_type_code(product_type: Strings, encoders: Encoders) -> Int32s:
    """Code of the kind of thing that the article is; 0 unknown."""
    return encoders.encode("product_type_code", product_type)


@tag(entity="article", fitted="training", unit="code")
@check_output_custom(CODE)
def product_group_code(product_group: Strings, encoders: Encoders) -> Int32s:
    """Code of the article's group of product types; 0 unknown."""
    return encoders.encode("product_group_code", product_group)


@tag(entity="article", fitted="training", unit="code")
@check_output_custom(CODE)
def graphical_appearance_code(graphical_appearance: Strings, encoders: Encoders) -> Int32s:
    """Code of the article's pattern or look; 0 unknown."""
    return encoders.encode("graphical_appearance_code", graphical_appearance)


@tag(entity="article", fitted="training", unit="code")
@check_output_custom(CODE)
def colour_group_code(colour_group: Strings, encoders: Encoders) -> Int32s:
    """Code of the article's fine-grained colour; 0 unknown."""
    return encoders.encode("colour_group_code", colour_group)


@tag(entity="article", fitted="training", unit="code")
@check_output_custom(CODE)
def perceived_colour_master_code(perceived_colour_master: Strings, encoders: Encoders) -> Int32s:
    """Code of the main colour that people see in the article; 0 unknown."""
    return encoders.encode("perceived_colour_master_code", perceived_colour_master)


@tag(entity="article", fitted="training", unit="code")
@check_output_custom(CODE)
def department_code(department: Strings, encoders: Encoders) -> Int32s:
    """Code of the department that sells the article; 0 unknown."""
    return encoders.encode("department_code", department)


@tag(entity="article", fitted="training", unit="code")
@check_output_custom(CODE)
def index_code(index: Strings, encoders: Encoders) -> Int32s:
    """Code of the part of the assortment that the article is listed in; 0 unknown."""
    return encoders.encode("index_code", index)


@tag(entity="article", fitted="training", unit="code")
@check_output_custom(CODE)
def section_code(section: Strings, encoders: Encoders) -> Int32s:
    """Code of the section of the shop where the article is found; 0 unknown."""
    return encoders.encode("section_code", section)


@tag(entity="article", fitted="training", unit="code")
@check_output_custom(CODE)
def garment_group_code(garment_group: Strings, encoders: Encoders) -> Int32s:
    """Code of the group of garments that the article is planned with; 0 unknown."""
    return encoders.encode("garment_group_code", garment_group)
