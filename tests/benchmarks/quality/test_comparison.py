from __future__ import annotations

import numpy as np
import pytest

from benchmarks.quality.comparison import paired_difference


def test_a_constant_difference_has_no_spread_however_much_customers_differ() -> None:
    random = np.random.default_rng(1)
    customers = random.integers(0, 50, 400)
    others = random.random(400)
    found = paired_difference(customers, others + 0.1, others)
    assert (found.mean, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))
    assert found.relative == pytest.approx(0.1 / others.mean())


def test_customers_are_drawn_with_all_their_weeks() -> None:
    # One value a customer, repeated: eight weeks of it say no more than one.
    values = np.random.default_rng(2).normal(size=100)
    once = paired_difference(np.arange(100), values + 1, np.ones(100))
    often = paired_difference(np.tile(np.arange(100), 8), np.tile(values, 8) + 1, np.ones(800))
    assert (once.low, once.high) == pytest.approx((often.low, often.high))


def test_the_interval_is_near_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(3).normal(size=2000)
    found = paired_difference(np.arange(2000), values, np.zeros(2000))
    half = 1.96 * values.std() / np.sqrt(2000)
    assert found.high - found.mean == pytest.approx(half, rel=0.15)
    assert found.mean - found.low == pytest.approx(half, rel=0.15)


def test_the_seed_decides() -> None:
    random = np.random.default_rng(4)
    ours, others = random.random(60), random.random(60)
    who = np.arange(60)
    assert paired_difference(who, ours, others) == paired_difference(who, ours, others)
    assert paired_difference(who, ours, others) != paired_difference(who, ours, others, seed=1)
