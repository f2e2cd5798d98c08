"""Pair features that compute something, each called as the plain function that it is."""

from __future__ import annotations

import numpy as np
import pytest

from hm_platform.modelling.ranker.pair_features import articles, customers, history, kinds
from hm_platform.modelling.ranker.pair_features.kinds import GroupHistory

NAN = np.nan


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def same(found: np.ndarray, *expected: float) -> None:
    assert found.dtype == np.float32
    assert found == pytest.approx(floats(*expected), rel=1e-6, nan_ok=True)


def test_share_of_trips():
    same(history.share_of_trips(floats(3, 1, NAN), floats(4, 5, NAN)), 0.75, 0.2, NAN)


@pytest.mark.parametrize(
    "share", [history.share_of_trips_14, history.share_of_trips_60, history.share_of_trips_180]
)
def test_decayed_shares(share):
    same(share(floats(0.5, NAN, 0.5), floats(2, 2, 0)), 0.25, NAN, NAN)


# Bought once; on days 30, 20 and 4; twice on following days; never.
LAST, FIRST = floats(5, 4, 9, NAN), floats(5, 30, 10, NAN)
PREVIOUS, DAYS = floats(-1, 20, 10, NAN), floats(1, 3, 2, NAN)


def test_gap_is_the_mean_of_days_between_purchases():
    same(history.gap(FIRST, LAST, DAYS), NAN, 13, 1, NAN)


def test_latest_gap_is_between_the_last_two():
    same(history.latest_gap(PREVIOUS, LAST, DAYS), NAN, 16, 1, NAN)


def test_due_is_one_when_the_gap_has_passed_again():
    gap = history.gap(FIRST, LAST, DAYS)
    same(history.due(LAST, gap), NAN, 4 / 13, 9, NAN)
    same(history.due(floats(7, 7), floats(7, 0.5)), 1, 7)
    latest = history.latest_gap(PREVIOUS, LAST, DAYS)
    same(history.due_by_latest_gap(LAST, latest), NAN, 0.25, 9, NAN)


def test_due_by_trips_counts_shopping_days():
    # Trips since the last purchase, and from the first on: three with the article in six.
    since, first = floats(2, 1, 0, NAN), floats(3, 7, 2, NAN)
    same(history.due_by_trips(since, first, DAYS), NAN, 2 / (6 / 3), 1 / (2 / 2), NAN)


def test_due_by_article_takes_everybodys_gap():
    same(history.due_by_article(LAST, floats(10, 8, 0.5, 10)), 0.5, 0.5, 9, NAN)


KIND = GroupHistory(
    days_since_last=floats(5, 3, 6, NAN),
    days_since_first=floats(5, 33, 6, NAN),
    shopping_days=floats(1, 4, 2, NAN),
    decayed_60=floats(0.5, 2, 0.8, NAN),
    articles=floats(1, 3, 2, NAN),
)


def test_due_by_kind_is_in_units_of_the_gap_between_purchases_of_the_kind():
    # 30 days hold three gaps; two articles on one day have none, which counts as a day.
    for due in (kinds.type_due, kinds.product_due):
        same(due(KIND), NAN, 0.3, 6, NAN)


def test_share_of_kind():
    for share in (kinds.share_of_type, kinds.share_of_product):
        same(share(floats(0.5, NAN, 0.2, NAN), KIND), 1, NAN, 0.25, NAN)


def test_what_is_told_of_a_kind():
    same(kinds.type_days_since_last(KIND), 5, 3, 6, NAN)
    same(kinds.type_shopping_days(KIND), 1, 4, 2, NAN)
    same(kinds.type_articles(KIND), 1, 3, 2, NAN)
    same(kinds.type_decayed_60(KIND), 0.5, 2, 0.8, NAN)
    same(kinds.product_days_since_last(KIND), 5, 3, 6, NAN)
    same(kinds.product_decayed_60(KIND), 0.5, 2, 0.8, NAN)
    same(kinds.product_articles(KIND), 1, 3, 2, NAN)


def test_trend_is_one_for_what_sells_as_before():
    same(articles.trend(floats(0, 5, 9, 0), floats(0, 20, 16, 12)), 1, 1, 2, 0.25)


def test_price_against_habit():
    same(articles.price_against_habit(floats(1.5, 0, 1), floats(1, 0.5, NAN)), 0.5, -0.5, NAN)


def test_repeats_are_different_articles_a_purchase():
    same(customers.customer_repeats(floats(3, 4, 0), floats(12, 4, 0)), 0.25, 1, NAN)


def test_the_difference_of_ages_has_no_sign():
    same(customers.age_against_buyers(floats(1, -1), floats(-0.5, 0.5)), 1.5, 1.5)


def test_the_difference_of_channels_has_no_sign_and_is_unknown_where_either_is():
    customer, article = floats(1, 0.25, 0.5, NAN, 0.5), floats(0, 0.75, 0.5, 0.5, NAN)
    same(customers.channel_against_habit(customer, article), 1, 0.5, 0, NAN, NAN)
