"""The population stability index, by hand and by its properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hm_platform.drift.stability import (
    CHANCE,
    contributions,
    independent,
    noise,
    shares,
    stability_index,
)

counts = st.integers(1, 12).flatmap(
    lambda bins: st.tuples(
        *(st.lists(st.integers(0, 10_000), min_size=bins, max_size=bins) for _ in range(2))
    ).filter(lambda sides: sum(sides[0]) > 0 and sum(sides[1]) > 0)
)


def test_by_hand_where_smoothing_has_no_say() -> None:
    # 0.3 * ln(0.8 / 0.5) - 0.3 * ln(0.2 / 0.5)
    expected = 0.3 * math.log(1.6) - 0.3 * math.log(0.4)
    assert stability_index([5e9, 5e9], [8e9, 2e9]) == pytest.approx(expected, rel=1e-6)
    assert expected == pytest.approx(0.4159, abs=1e-4)


def test_smoothing_by_hand() -> None:
    # Two bins: one observation is added, spread as 4 of 6 and 2 of 6.
    before, now = shares([1, 1], [3, 1])
    assert before == pytest.approx([(1 + 4 / 6) / 3, (1 + 2 / 6) / 3])
    assert now == pytest.approx([(3 + 4 / 6) / 5, (1 + 2 / 6) / 5])


@given(counts)
def test_it_is_never_negative_and_finite(sides: tuple[list[int], list[int]]) -> None:
    parts = contributions(*sides)
    assert (parts >= 0).all()
    assert math.isfinite(parts.sum())
    assert stability_index(*sides) == pytest.approx(parts.sum())


@given(counts, st.randoms(use_true_random=False))
def test_the_order_of_the_bins_and_of_the_sides_by_size_does_not_matter(
    sides: tuple[list[int], list[int]], random: object
) -> None:
    order = np.argsort([random.random() for _ in sides[0]])  # type: ignore[attr-defined]
    before, now = (np.array(side)[order] for side in sides)
    assert stability_index(before, now) == pytest.approx(stability_index(*sides))


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=12).filter(any), st.integers(1, 9))
def test_equal_shares_are_no_change_however_few_there_are(side: list[int], times: int) -> None:
    assert stability_index(side, [times * n for n in side]) == pytest.approx(0, abs=1e-12)


def test_a_bin_that_is_empty_on_both_sides_changes_nothing() -> None:
    assert stability_index([3, 0, 7], [6, 0, 4]) == stability_index([3, 7], [6, 4])


def test_a_category_that_vanishes_counts_much_and_not_infinitely() -> None:
    assert 1 < stability_index([700, 300], [1000, 0]) < 5


def test_noise_is_what_chance_seldom_exceeds() -> None:
    random = np.random.default_rng(0)
    shape, before, now = [0.4, 0.3, 0.2, 0.1], 4000, 500
    drawn = [
        stability_index(random.multinomial(before, shape), random.multinomial(now, shape))
        for _ in range(5000)
    ]
    # Their mean is that of chi-square with three degrees of freedom.
    assert np.mean(drawn) == pytest.approx(3 * (1 / before + 1 / now), rel=0.05)
    assert np.mean(np.array(drawn) > noise(4, before, now)) < 3 * CHANCE
    assert noise(1, before, now) == 0


def test_purchases_that_come_in_groups_are_worth_fewer() -> None:
    sizes = np.array([4, 4, 4, 4])
    assert independent(sizes.sum(), (sizes**2).sum()) == 4
    uneven = np.array([13, 1, 1, 1])
    assert independent(uneven.sum(), (uneven**2).sum()) == pytest.approx(256 / 172)
    assert independent(0, 0) == 0
