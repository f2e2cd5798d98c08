"""The metrics, against their definitions written out one customer at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.metrics import coverage, evaluate, measure, purchased
from hm_platform.modelling.ranking import empty


def kaggle_average_precision(actual: list[int], predicted: list[int], k: int) -> float:
    """As published with the competition (ml_metrics, average_precision.py, apk)."""
    score, hits = 0.0, 0.0
    for i, p in enumerate(predicted[:k]):
        if p in actual and p not in predicted[:i]:
            hits += 1.0
            score += hits / (i + 1.0)
    return score / min(len(actual), k)


def slow(bought: set[int], row: list[int]) -> dict[str, float]:
    k = len(row)
    firsts = [a in bought and a not in row[:i] for i, a in enumerate(row)]
    perfect = sum(1 / math.log2(i + 2) for i in range(min(k, len(bought))))
    return {
        "map": kaggle_average_precision(sorted(bought), row, k),
        "recall": sum(firsts) / len(bought),
        "ndcg": sum(1 / math.log2(i + 2) for i, hit in enumerate(firsts) if hit) / perfect,
        "hit_rate": float(any(firsts)),
        "mrr": next((1 / (i + 1) for i, hit in enumerate(firsts) if hit), 0.0),
    }


@st.composite
def cases(draw):
    k = draw(st.integers(1, 13))
    n = draw(st.integers(1, 6))
    lists = draw(
        st.lists(st.lists(st.integers(-1, 15), min_size=k, max_size=k), min_size=n, max_size=n)
    )
    bought = draw(
        st.lists(st.lists(st.integers(0, 15), min_size=1, max_size=20), min_size=n, max_size=n)
    )
    return lists, bought


@given(cases())
def test_every_metric_is_its_definition(case):
    lists, bought = case
    customers = [10 * c for c, row in enumerate(bought) for _ in row]
    week = purchased(np.array(customers), np.array([a for row in bought for a in row]))
    metrics = evaluate(np.array(lists, dtype=np.int32), week)
    for c, row in enumerate(lists):
        for name, value in slow(set(bought[c]), row).items():
            assert getattr(metrics, name)[c] == pytest.approx(value), name


def test_map_divides_by_twelve_at_most():
    week = purchased(np.zeros(20, int), np.arange(20))
    lists = np.arange(12, dtype=np.int32)[None, :]
    metrics = evaluate(lists, week)
    assert metrics.map[0] == pytest.approx(1.0)
    assert metrics.recall[0] == pytest.approx(12 / 20)


def test_purchased_counts_each_article_once_and_orders_customers():
    week = purchased(np.array([7, 2, 7, 7]), np.array([5, 1, 5, 3]))
    assert week.customers.tolist() == [2, 7]
    assert week.offsets.tolist() == [0, 1, 3]
    assert week.articles.tolist() == [1, 3, 5]


@given(cases(), st.data())
def test_some_of_the_customers_keep_what_they_bought(case, data):
    _, bought = case
    n = len(bought)
    asked = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    pairs = [(10 * c, a) for c, row in enumerate(bought) for a in row]
    kept = [pair for pair in pairs if asked[pair[0] // 10]]
    found = purchased(*np.array(pairs).T).of(asked)
    wanted = purchased(*np.array(kept, dtype=np.int64).reshape(-1, 2).T)
    for name, values in vars(wanted).items():
        np.testing.assert_array_equal(getattr(found, name), values, strict=True)


def test_a_week_in_which_nobody_bought_has_no_metrics():
    nobody = purchased(np.zeros(0, int), np.zeros(0, int))
    with pytest.raises(ModellingError, match="nobody bought"):
        evaluate(np.zeros((0, 12), dtype=np.int32), nobody)


def test_lists_must_belong_to_the_customers_who_bought():
    with pytest.raises(ModellingError, match="2 lists"):
        evaluate(np.zeros((2, 12), dtype=np.int32), purchased(np.array([1]), np.array([1])))


def test_coverage_is_a_share_of_what_may_be_recommended():
    lists = np.array([[1, 2, -1], [2, 3, -1]], dtype=np.int32)
    assert coverage(lists, np.arange(6, dtype=np.int32)) == pytest.approx(0.5)


def test_measure_asks_for_exactly_the_customers_who_bought():
    asked = []

    class Fixed:
        def top(self, customers, k):
            asked.extend(customers.tolist())
            result = empty(len(customers), k)
            result.articles[:, 0] = customers
            return result

    week = purchased(np.array([4, 9]), np.array([4, 1]))
    summary = measure(Fixed(), week, np.arange(10, dtype=np.int32)).summary()
    assert asked == [4, 9]
    assert summary["map"] == pytest.approx(0.5)
    assert summary["coverage"] == pytest.approx(0.2)
    assert summary["customers"] == 2
