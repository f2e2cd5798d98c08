"""Customer features, each called as the plain function that it is."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from hm_platform.features import customers
from hm_platform.features.decay import HALF_LIVES
from hm_platform.features.encoders import Encoders, Scaler
from tests.features.world import NOTHING_FITTED

CUTOFF = date(2020, 9, 16)
CUSTOMER = np.array([1, 1, 2], np.int32)
WEEKS = np.array(["2020-08-12", "2020-08-19", "2020-09-09"], "datetime64[D]")
PURCHASES = np.array([5, 2, 3], np.int32)
LAST = np.array(["2020-08-13", "2020-08-20", "2020-09-15"], "datetime64[D]")


def test_purchases_and_recency() -> None:
    assert customers.purchases_total(CUSTOMER, PURCHASES, 3).tolist() == [0, 7, 3]
    assert customers.purchases_last_4_weeks(CUSTOMER, WEEKS, PURCHASES, 3, CUTOFF).tolist() == [
        0,
        2,
        3,
    ]
    assert customers.days_since_last_purchase(CUSTOMER, LAST, 3, CUTOFF).tolist() == [-1, 27, 1]


def test_the_share_bought_online_is_of_all_purchases_and_unknown_without_any() -> None:
    whose = np.array([1, 1, 2, 3], np.int32)
    total = customers.purchases_total(whose, np.array([5, 1, 3, 2], np.int32), 4)

    share = customers.online_share(whose, np.array([3, 0, 0, 2], np.int32), total, 4)

    np.testing.assert_array_equal(share, [np.nan, 0.5, 0, 1])
    assert share.dtype == np.float32


DAYS = np.array([1, 2, 3], np.int32)
FIRST = np.array(["2020-08-13", "2020-08-19", "2020-09-11"], "datetime64[D]")


def test_shopping_days_are_counted_and_lie_evenly_in_a_week() -> None:
    assert customers.shopping_days_total(CUSTOMER, DAYS, 3).tolist() == [0, 3, 3]
    recent = customers.shopping_days_last_4_weeks(CUSTOMER, WEEKS, DAYS, 3, CUTOFF)
    assert recent.tolist() == [0, 2, 3]

    whose, age = customers.shopping_days(CUSTOMER, DAYS, FIRST, LAST, CUTOFF)

    assert whose.tolist() == [1, 1, 1, 2, 2, 2]
    assert age.tolist() == [34, 27, 28, 1, 3, 5]


@pytest.mark.parametrize("half_life", HALF_LIVES)
def test_shopping_days_lose_half_of_their_weight_in_a_half_life(half_life: int) -> None:
    feature = getattr(customers, f"decayed_shopping_days_{half_life}")
    whose = np.array([2, 0, 2], np.int32)
    age = np.array([half_life, 1, 2 * half_life], np.int32)

    found = feature((whose, age), 3)

    np.testing.assert_allclose(found, [2 ** (-1 / half_life), 0, 0.75], rtol=1e-6)
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("age", "band"),
    [(0, 1), (19, 1), (20, 2), (29, 2), (30, 3), (69, 6), (70, 7), (99, 7), (np.nan, 0)],
)
def test_age_bands_start_at_whole_decades(age: float, band: int) -> None:
    assert customers.age_band_code(np.array([age], np.float32)).tolist() == [band]


def test_the_scaled_age_is_zero_where_the_age_is_unknown() -> None:
    encoders = Encoders(
        NOTHING_FITTED.vocabularies, NOTHING_FITTED.scalers | {"age_scaled": Scaler(40.0, 10.0)}
    )

    scaled = customers.age_scaled(np.array([20, np.nan, 45], np.float32), encoders)

    np.testing.assert_allclose(scaled, [-2, 0, 0.5])
    assert scaled.dtype == np.float32


@pytest.mark.parametrize("feature", ["is_active_code", "receives_fashion_news_code"])
def test_yes_no_and_unknown_are_three_codes(feature: str) -> None:
    values = pa.chunked_array([[True, None], [False]], pa.bool_())

    assert getattr(customers, feature)(values).tolist() == [2, 0, 1]


@pytest.mark.parametrize("feature", ["club_member_status_code", "fashion_news_frequency_code"])
def test_categories_are_coded_by_their_own_vocabulary(feature: str) -> None:
    encoders = Encoders(NOTHING_FITTED.vocabularies | {feature: ("p", "q")}, NOTHING_FITTED.scalers)
    values = pa.chunked_array([["q", None, "p", "r"]], pa.string())

    assert getattr(customers, feature)(values, encoders).tolist() == [2, 0, 1, 0]


def test_segments_tell_every_combination_apart_and_zero_is_all_unknown() -> None:
    encoders = Encoders(
        NOTHING_FITTED.vocabularies | {"club_member_status_code": ("p", "q")},
        NOTHING_FITTED.scalers,
    )
    band, status = (grid.ravel().astype(np.int32) for grid in np.mgrid[0:8, 0:3])

    codes = customers.segment_code(band, status, encoders)

    assert sorted(codes.tolist()) == list(range(encoders.size("segment_code")))
    assert codes[(band == 0) & (status == 0)].tolist() == [0]
