"""What a day is worth after so many days."""

from __future__ import annotations

import numpy as np

from hm_platform.features.decay import weights


def test_a_day_is_worth_half_after_each_half_life() -> None:
    found = weights(np.array([28, 0, 14, 7], np.int32), 14)

    np.testing.assert_allclose(found, [0.25, 1, 0.5, 0.5**0.5], rtol=1e-15)


def test_no_days_have_no_weights() -> None:
    assert weights(np.zeros(0, np.int32), 14).shape == (0,)
