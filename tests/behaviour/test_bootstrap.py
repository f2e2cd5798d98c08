"""Intervals by the bootstrap: around the plain numbers, and as wide as theory says."""

from __future__ import annotations

import numpy as np
import pytest

from hm_platform.behaviour import bootstrap as module
from hm_platform.behaviour.bootstrap import Bootstrap, Statistic, percentiles, quotient
from hm_platform.behaviour.effects import Effect

N = 500
RANDOM = np.random.default_rng(3)
NORMAL = RANDOM.normal(10, 2, N)
WEIGHTS = RANDOM.integers(0, 4, N)


def width(effect: Effect) -> float:
    assert effect.low is not None
    assert effect.high is not None
    return effect.high - effect.low


def test_a_mean_is_the_mean() -> None:
    found = Bootstrap(N).mean("m", NORMAL)
    assert found.value == pytest.approx(NORMAL.mean())
    assert (found.name, found.count) == ("m", N)
    among = WEIGHTS == 1
    found = Bootstrap(N).mean("m", NORMAL, among)
    assert found.value == pytest.approx(NORMAL[among].mean())
    assert found.count == among.sum()


def test_a_ratio_is_one_sum_over_the_other() -> None:
    found = Bootstrap(N).ratio("r", NORMAL, WEIGHTS)
    assert found.value == pytest.approx(NORMAL.sum() / WEIGHTS.sum())
    assert found.count == np.count_nonzero(WEIGHTS)


def test_the_interval_of_a_mean_is_the_normal_one() -> None:
    found = Bootstrap(N, replicates=4000).mean("m", NORMAL)
    half = 1.96 * NORMAL.std(ddof=1) / np.sqrt(N)
    assert found.low == pytest.approx(NORMAL.mean() - half, abs=0.1 * half)
    assert found.high == pytest.approx(NORMAL.mean() + half, abs=0.1 * half)


def test_more_customers_make_it_narrower() -> None:
    few, many = (Bootstrap(n).mean("m", NORMAL[:n]) for n in (50, 450))
    assert width(few) == pytest.approx(3 * width(many), rel=0.25)


def test_differences_on_the_same_customers_are_paired() -> None:
    theirs = NORMAL + RANDOM.normal(0.1, 0.2, N)
    one, other = Bootstrap(N, seed=0), Bootstrap(N, seed=0)
    paired = one.mean("d", theirs - NORMAL)
    assert width(paired) < 0.2 * width(one.mean("m", NORMAL))
    # Two statistics of one call see the same replicates, and so do two calls.
    columns = np.stack([theirs, NORMAL, np.ones(N)], axis=1)
    difference = Statistic(lambda s: (s[..., 0] - s[..., 1]) / s[..., 2], N)
    (found,) = other.effects(columns, {"d": difference})
    assert (found.low, found.high) == pytest.approx((paired.low, paired.high))


def test_the_seed_decides() -> None:
    one, same, other = (Bootstrap(N, seed).mean("m", NORMAL) for seed in (1, 1, 2))
    assert one == same
    assert other.value == one.value
    assert (other.low, other.high) != (one.low, one.high)


@pytest.mark.parametrize("block", [7, N, N + 1])
def test_sums_are_those_of_all_blocks(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    made = Bootstrap(N, replicates=20)
    values = np.stack([NORMAL, WEIGHTS], axis=1)
    assert made.weights.shape == (20, N)
    np.testing.assert_allclose(made.sums(values), made.weights.astype(float) @ values)
    # No column was left as it was allocated: a customer counts once on average.
    assert made.weights.mean(axis=0).max() < 4
    assert made.weights.mean() == pytest.approx(1, abs=0.05)


def test_a_number_does_not_hang_on_the_size_of_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Bootstrap(N).mean("m", NORMAL)
    monkeypatch.setattr(module, "BLOCK", 64)
    parts = Bootstrap(N).mean("m", NORMAL)
    assert parts.value == whole.value
    assert width(parts) == pytest.approx(width(whole), rel=0.15)


def test_what_is_defined_for_nobody_has_no_value() -> None:
    found = Bootstrap(N).mean("m", NORMAL, among=np.zeros(N, dtype=bool))
    assert found == Effect("m", None, 0)
    assert not found.estimated


def test_a_ratio_over_nothing_has_no_value() -> None:
    columns = np.stack([np.ones(N), np.zeros(N)], axis=1)
    (found,) = Bootstrap(N).effects(columns, {"r": Statistic(quotient(0, 1), N)})
    assert found == Effect("r", None, N)


def test_replicates_in_which_it_is_not_defined_do_not_count() -> None:
    # A group of one customer is absent from about a third of the replicates.
    among = np.arange(N) == 0
    found = Bootstrap(N).mean("m", NORMAL, among)
    assert (found.low, found.high) == pytest.approx((NORMAL[0], NORMAL[0]))
    assert found.count == 1


def test_one_customer_has_an_interval_without_width() -> None:
    found = Bootstrap(1).mean("m", np.array([0.25]))
    assert found == Effect("m", 0.25, 1, 0.25, 0.25)


def test_values_that_do_not_count_may_be_anything() -> None:
    holes = np.where(WEIGHTS == 0, np.nan, NORMAL)
    found = Bootstrap(N).mean("m", holes, among=WEIGHTS > 0)
    assert found.value == pytest.approx(NORMAL[WEIGHTS > 0].mean())
    assert found.estimated


def test_a_distance_is_never_below_nothing() -> None:
    # Two halves that hardly differ: centred, half of the replicates would.
    half = np.arange(N) < N // 2
    columns = np.stack([NORMAL * half, half, NORMAL * ~half, ~half], axis=1)
    columns[:, 2] *= columns[:, 0].sum() / columns[:, 2].sum()

    def distance(s: np.ndarray) -> np.ndarray:
        return np.abs(s[..., 0] / s[..., 1] - s[..., 2] / s[..., 3])

    (found,) = Bootstrap(N).effects(columns, {"d": Statistic(distance, N, centred=True)})
    assert found.value == pytest.approx(0)
    assert found.low == 0
    assert found.high is not None
    assert found.high > 0.1


def test_a_function_of_how_often_articles_are_shown() -> None:
    random = np.random.default_rng(0)
    lists = random.integers(-1, 40, (N, 3)).astype(np.int32)
    shown = lists[lists >= 0]

    def distinct(counts: np.ndarray) -> float:
        return float(np.count_nonzero(counts))

    def first(counts: np.ndarray) -> float:
        return float(counts[0])

    found = Bootstrap(N).of_articles("d", lists, distinct, 50)
    assert found.value == len(np.unique(shown))
    assert found.count == N
    found = Bootstrap(N).of_articles("f", lists, first, 50)
    assert found.value == np.count_nonzero(shown == 0)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high


def test_the_interval_of_coverage_is_around_the_value() -> None:
    # Each customer alone has an article: two thirds of them are in a replicate.
    lists = np.arange(N, dtype=np.int32)[:, None]
    found = Bootstrap(N).of_articles("c", lists, np.count_nonzero, N)  # type: ignore[arg-type]
    assert found.low is not None
    assert found.high is not None
    assert found.low < N < found.high
    assert width(found) < 0.2 * N


def test_percentiles_leave_out_what_is_not_finite() -> None:
    spread = np.concatenate([np.arange(101.0), [np.nan, np.inf, -np.inf]])
    assert percentiles(spread) == pytest.approx((2.5, 97.5))
    assert percentiles(np.full(3, np.nan)) == (None, None)
