"""Normal scores instead of values: the order stays, the scale goes."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hm_platform.modelling.ranker.scaling import LEVELS, SPREAD, fit_levels, scale

finite = st.floats(-(2.0**100), 2.0**100, width=32)
exact = st.integers(-(2**20), 2**20).map(lambda n: n / 1024)
samples = st.lists(st.one_of(finite, st.just(float("nan"))), min_size=1, max_size=80)


def column(values) -> np.ndarray:
    return np.array(values, np.float32)[:, None]


def scaled(sample, values) -> np.ndarray:
    found = scale(column(values), fit_levels(column(sample)))
    assert found.dtype == np.float32
    assert found.shape == (len(values), 1)
    return found[:, 0]


@given(samples, st.lists(finite, min_size=2, max_size=20))
def test_a_higher_value_is_never_lower_and_nothing_leaves_the_spread(sample, values):
    found = scaled(sample, sorted(values))
    # Interpolation rounds.
    assert (np.diff(found) >= -1e-6).all()
    assert np.abs(found).max() <= np.float32(SPREAD)


@given(samples)
def test_what_is_not_a_number_is_in_the_middle(sample):
    assert scaled(sample, [np.nan, np.inf, -np.inf]).tolist() == [0, 0, 0]


@given(
    st.lists(exact, min_size=1, max_size=80),
    st.lists(exact, min_size=1, max_size=20),
    st.sampled_from([2.0**-40, 2.0**40]),
)
def test_the_scale_of_a_feature_does_not_matter(sample, values, factor):
    found = scaled([factor * v for v in sample], [factor * v for v in values])
    assert found == pytest.approx(scaled(sample, values), abs=1e-4)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=80), st.integers(-5, 60))
def test_counts_and_millions_are_read_alike(sample, value):
    millions = scaled([1e6 * v for v in sample], [1e6 * value])
    assert millions == pytest.approx(scaled(sample, [value]), abs=1e-4)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=80))
def test_levels_are_quantiles_in_order(sample):
    levels = fit_levels(column([*sample, np.nan]))
    assert levels.shape == (1, LEVELS)
    assert levels.dtype == np.float32
    assert (np.diff(levels[0]) >= 0).all()
    assert (levels[0, 0], levels[0, -1]) == (min(sample), max(sample))
    shares = [NormalDist().cdf(z) for z in np.linspace(-SPREAD, SPREAD, LEVELS)]
    assert levels[0, 1:-1] == pytest.approx(np.quantile(sample, shares[1:-1]), abs=1e-5)


@pytest.mark.parametrize("skewed", [lambda x: 5 + 3 * x, np.exp, lambda x: x**3])
def test_whatever_its_distribution_a_feature_is_read_as_a_normal_one(skewed):
    drawn = np.random.default_rng(0).normal(size=20_000)
    middle = np.abs(drawn) < 2
    values = skewed(drawn)
    assert scaled(values, values[middle]) == pytest.approx(drawn[middle], abs=0.15)


def test_a_feature_that_says_nothing_is_nothing():
    assert scaled([3, 3, 3], [2, 3, 4, np.nan]).tolist() == [0, 0, 0, 0]
    assert scaled([np.nan, np.nan], [2, 0, np.nan]).tolist() == [0, 0, 0]


def test_any_distribution_becomes_flat_with_a_spread_of_one():
    rng = np.random.default_rng(0)
    for values in (rng.lognormal(3, 2, 5000), rng.normal(size=5000), rng.uniform(-9, -8, 5000)):
        found = scaled(values, values)
        assert found.mean() == pytest.approx(0, abs=0.02)
        assert found.std() == pytest.approx(1, abs=0.03)


def test_a_value_that_many_pairs_have_is_in_the_middle_of_its_levels():
    # Zero has the lower half of the levels, one the upper.
    low, half, high = scaled([0] * 32 + [1] * 32, [0, 0.5, 1])
    assert low == pytest.approx(-SPREAD / 2, abs=0.03)
    assert high == pytest.approx(SPREAD / 2, abs=0.03)
    assert half == pytest.approx(0, abs=0.03)


def test_each_feature_has_levels_of_its_own():
    sample = np.concatenate([column([0, 1, 2]), column([5e6, 7e6, np.nan])], axis=1)
    found = scale(sample, fit_levels(sample))
    expected = np.float32([[-SPREAD, -SPREAD], [0, SPREAD], [SPREAD, 0]])
    assert found == pytest.approx(expected, abs=0.02)


def test_no_pair_can_be_scaled():
    assert scale(np.zeros((0, 2), np.float32), fit_levels(np.ones((3, 2), np.float32))).size == 0
    assert (fit_levels(np.zeros((0, 2), np.float32)) == 0).all()
