"""Article features, each called as the plain function that it is."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from hm_platform.features import articles
from hm_platform.features.encoders import ARTICLE_VOCABULARIES, Encoders, Scaler
from tests.features.world import NOTHING_FITTED

CUTOFF = date(2020, 9, 16)
# Article 0 was sold in the last week and six weeks before, article 2 three weeks before.
ARTICLE = np.array([0, 2, 0], np.int32)
WEEKS = np.array(["2020-08-05", "2020-08-26", "2020-09-09"], "datetime64[D]")
PURCHASES = np.array([5, 2, 3], np.int32)
ONLINE = np.array([5, 0, 1], np.int32)
FIRST = np.array(["2020-08-06", "2020-08-27", "2020-09-09"], "datetime64[D]")
LAST = np.array(["2020-08-07", "2020-08-30", "2020-09-15"], "datetime64[D]")


def test_purchases_are_counted_over_all_weeks_the_last_and_the_last_four() -> None:
    total = articles.purchases_total(ARTICLE, PURCHASES, 4)
    week = articles.purchases_last_week(ARTICLE, WEEKS, PURCHASES, 4, CUTOFF)
    month = articles.purchases_last_4_weeks(ARTICLE, WEEKS, PURCHASES, 4, CUTOFF)

    assert total.tolist() == [8, 0, 2, 0]
    assert week.tolist() == [3, 0, 0, 0]
    assert month.tolist() == [3, 0, 2, 0]
    assert {total.dtype, week.dtype, month.dtype} == {np.dtype(np.int32)}


def test_the_share_bought_online_is_of_the_last_four_weeks() -> None:
    # Article 0 was bought online alone six weeks before, article 2 in a store alone.
    month = articles.purchases_last_4_weeks(ARTICLE, WEEKS, PURCHASES, 4, CUTOFF)

    share = articles.online_share_last_4_weeks(ARTICLE, WEEKS, ONLINE, month, 4, CUTOFF)

    np.testing.assert_allclose(share, [1 / 3, np.nan, 0, np.nan], rtol=1e-6)
    assert share.dtype == np.float32


def test_the_day_before_the_cutoff_is_one_day_ago_and_never_is_minus_one() -> None:
    assert articles.days_since_last_sale(ARTICLE, LAST, 3, CUTOFF).tolist() == [1, -1, 17]
    assert articles.days_since_first_sale(ARTICLE, FIRST, 3, CUTOFF).tolist() == [41, -1, 20]


def test_the_mean_price_weighs_weeks_by_purchases() -> None:
    price = articles.mean_price(ARTICLE, PURCHASES, np.array([2.0, 7.0, 10.0]), 3)

    np.testing.assert_allclose(price, [(5 * 2 + 3 * 10) / 8, np.nan, 7])
    assert price.dtype == np.float32


def test_weeks_without_a_price_do_not_count_for_the_mean_price() -> None:
    price = articles.mean_price(ARTICLE, PURCHASES, np.array([2.0, np.nan, np.nan]), 3)

    np.testing.assert_allclose(price, [2, np.nan, np.nan])


def test_the_scaled_price_is_a_standardised_logarithm_and_zero_where_there_is_none() -> None:
    encoders = Encoders(
        NOTHING_FITTED.vocabularies, NOTHING_FITTED.scalers | {"price_scaled": Scaler(1.0, 2.0)}
    )
    price = np.array([np.exp(5), np.nan, 0, -1], np.float32)

    np.testing.assert_allclose(articles.price_scaled(price, encoders), [2, 0, 0, 0], rtol=1e-6)


@pytest.mark.parametrize("feature", ARTICLE_VOCABULARIES)
def test_every_attribute_is_coded_by_its_own_vocabulary(feature: str) -> None:
    encoders = Encoders(
        NOTHING_FITTED.vocabularies | {feature: ("often", "rare")}, NOTHING_FITTED.scalers
    )
    values = pa.chunked_array([["rare", None], ["never in training", "often"]], pa.string())

    codes = getattr(articles, feature)(values, encoders)

    assert codes.tolist() == [2, 0, 0, 1]
    assert codes.dtype == np.int32


@pytest.mark.parametrize(
    ("last_week", "ever", "ratio"),
    [(5, 10, 0.5), (np.nan, 10, 1), (5, np.nan, 1), (0, 10, 1), (5, 0, 1), (-1, 10, 1)],
)
def test_the_price_of_the_last_week_is_compared_where_both_are_known(
    last_week: float, ever: float, ratio: float
) -> None:
    # Article 1 was sold the week before only.
    found = articles.price_last_week_ratio(
        np.array([0, 1], np.int32),
        np.array(["2020-09-09", "2020-09-02"], "datetime64[D]"),
        np.array([last_week, 7.0]),
        np.array([ever, 14.0], np.float32),
        CUTOFF,
    )

    assert found.tolist() == [ratio, 1]
    assert found.dtype == np.float32


def test_without_any_sale_everything_is_unknown() -> None:
    none, no_days = np.zeros(0, np.int32), np.zeros(0, "datetime64[D]")

    assert articles.purchases_total(none, none, 2).tolist() == [0, 0]
    assert articles.days_since_last_sale(none, no_days, 2, CUTOFF).tolist() == [-1, -1]
    assert np.isnan(articles.mean_price(none, none, np.zeros(0), 2)).all()
