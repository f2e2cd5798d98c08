"""What an article's buyers tell, each called as the plain function that it is."""

from __future__ import annotations

import numpy as np

from hm_platform.features import buyers

# Sums over buyers of the articles 2 and 0; article 1 was never sold.
BOUGHT = np.array([2, 0], np.int32)


def int64(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def test_buyers_are_placed_at_their_articles() -> None:
    for feature in (buyers.buyers_total, buyers.buyers_last_week, buyers.buyers_last_4_weeks):
        found = feature(BOUGHT, int64(5, 3), 3)
        assert found.tolist() == [3, 0, 5]
        assert found.dtype == np.int32


def test_days_per_buyer_is_a_mean_and_zero_without_sales() -> None:
    found = buyers.days_per_buyer(BOUGHT, int64(6, 3), int64(4, 3), 3)

    assert found.tolist() == [1, 0, 1.5]
    assert found.dtype == np.float32


def test_shares_and_gaps_are_drawn_towards_what_is_usual() -> None:
    people, days = int64(4, 3), int64(6, 3)
    repeat = buyers.repeat_buyers_share(BOUGHT, int64(2, 0), people, 3)
    gap = buyers.mean_gap_days(BOUGHT, int64(45, 0), days, people, 3)
    rate = buyers.repurchase_rate_4_weeks(BOUGHT, int64(1, 0), int64(3, 2), 3)

    np.testing.assert_allclose(repeat, [0.5 / 5, 0.5 / 2, 2.5 / 6], rtol=1e-6)
    np.testing.assert_allclose(gap, [30, 30, (45 + 30) / (2 + 1)], rtol=1e-6)
    np.testing.assert_allclose(rate, [0.3 / 12, 0.3 / 10, 1.3 / 13], rtol=1e-6)
    assert {repeat.dtype, gap.dtype, rate.dtype} == {np.dtype(np.float32)}


def test_without_any_sale_there_are_no_buyers() -> None:
    none = np.zeros(0, np.int32)

    assert buyers.buyers_total(none, int64(), 2).tolist() == [0, 0]
    assert buyers.days_per_buyer(none, int64(), int64(), 2).tolist() == [0, 0]
    assert buyers.mean_gap_days(none, int64(), int64(), int64(), 1).tolist() == [30]
