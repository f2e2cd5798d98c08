"""What lists are like, worked out by hand on the small week."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from hm_platform.behaviour import beyond, measures
from hm_platform.behaviour.bootstrap import Bootstrap
from hm_platform.behaviour.inputs import CATALOGUE, ReportInputs
from tests.behaviour.conftest import build, int32, snapshot
from tests.behaviour.numbers import counts, named, values
from tests.behaviour.rich import BUYERS

FOUR, MANY = Bootstrap(4), Bootstrap(BUYERS)


def of(lists: list[list[int]], **changes: object) -> ReportInputs:
    return build(lists={"two_tower": lists}, **changes)


def typed(types: list[str | None]) -> pa.Table:
    return pa.table({name: pa.array(types, pa.string()) for name in CATALOGUE})


def with_prices(inputs: ReportInputs, prices: list[float]) -> ReportInputs:
    known = inputs.snapshot
    articles: Mapping[str, np.ndarray] = {**known.articles, "mean_price": np.array(prices)}
    return replace(inputs, snapshot=replace(known, articles=articles))


def test_coverage_is_that_of_the_board(inputs: ReportInputs, rich_inputs: ReportInputs) -> None:
    assert values(beyond.coverage(inputs, FOUR)) == {"coverage": pytest.approx(5 / 7)}
    (found,) = beyond.coverage(rich_inputs, MANY)
    assert found.value == pytest.approx(rich_inputs.recommender("ranker").coverage)
    assert found.estimated


def test_no_interval_of_a_share_passes_the_whole() -> None:
    # All seven articles are shown, some of them to one customer alone.
    shown = of([[0, 1, 2], [0, 3, 4], [0, 5, 6], [0, 1, 2]])
    for measured in (beyond.coverage, beyond.concentration):
        (found,) = measured(shown, FOUR)
        assert found.low is not None
        assert found.high is not None
        assert 0 <= found.low < found.value <= found.high <= 1
    (found,) = beyond.coverage(shown, FOUR)
    assert (found.value, found.high) == (1, 1)


def test_gini_of_equal_shares_is_nothing() -> None:
    assert values(beyond.concentration(of([[0, 1, 2, 3, 4, 5, 6]] * 4), FOUR)) == {"gini": 0}


def test_gini_by_hand() -> None:
    # Of seven articles 0 to 4 are shown twice and 5 and 6 once: in order 1 1 2 2 2 2 2.
    found = values(beyond.concentration(of([[0, 1, 2], [3, 4, 5], [6, 0, 1], [2, 3, 4]]), FOUR))
    by_hand = -6 * 1 - 4 * 1 - 2 * 2 + 0 * 2 + 2 * 2 + 4 * 2 + 6 * 2
    assert found == {"gini": pytest.approx(by_hand / (12 * 6))}


def test_gini_of_one_article_for_everybody_is_one() -> None:
    assert values(beyond.concentration(of([[3]] * 4), FOUR)) == {"gini": pytest.approx(1)}
    assert values(beyond.concentration(of([[-1]] * 4), FOUR)) == {"gini": 0}


def test_gini_is_the_mean_difference_over_twice_the_mean(rich_inputs: ReportInputs) -> None:
    lists = rich_inputs.recommender("ranker").articles
    shown = np.bincount(lists.ravel(), minlength=rich_inputs.n_articles)[
        rich_inputs.recommendable()
    ]
    n = len(shown)
    differences = np.abs(shown[:, None] - shown[None, :]).sum() / (n * (n - 1))
    (found,) = beyond.concentration(rich_inputs, MANY)
    assert found.value == pytest.approx(differences / (2 * shown.mean()))


def test_best_sellers_beyond_those_of_purchases() -> None:
    # Article 1 is the head: three of twelve places, one of five purchases.
    assert values(beyond.popularity(build(), FOUR)) == pytest.approx(
        {
            "share of best sellers": 3 / 12,
            "share of best sellers beyond that of purchases": 3 / 12 - 1 / 5,
        }
    )


def test_repeats_beyond_those_of_purchases() -> None:
    # Article 0 is what customers 0 and 4 had; customer 0 buys it again.
    assert values(beyond.repeats(build(), FOUR)) == pytest.approx(
        {
            "share of repeats": 2 / 12,
            "share of repeats beyond that of purchases": 2 / 12 - 1 / 5,
            "repeats bought, a customer": 1 / 4,
            "discoveries bought, a customer": 3 / 4,
        }
    )


def test_shares_are_those_of_the_tables(rich_inputs: ReportInputs) -> None:
    repeats, popularity = (
        f(rich_inputs)["ranker"] for f in (measures.repeats, measures.popularity)
    )
    found = values([*beyond.repeats(rich_inputs, MANY), *beyond.popularity(rich_inputs, MANY)])
    assert found["share of repeats"] == pytest.approx(repeats["repeat_share"])
    assert found["share of best sellers"] == pytest.approx(popularity["head_share"])
    assert found["repeats bought, a customer"] == pytest.approx(repeats["repeat_hits"] / BUYERS)
    assert found["discoveries bought, a customer"] == pytest.approx(
        repeats["discovery_hits"] / BUYERS
    )


def test_diversity_is_the_share_of_pairs_of_different_types() -> None:
    types = ["a", "a", "b", None, "b", "c", "c", "c"]
    lists = [[0, 1, 2], [3, 0, 1], [5, 6, 7], [0, 2, 5]]
    # Pairs with known types: 3 (2 differ), 1 (none), 3 (none), 3 (all).
    (found,) = beyond.diversity(of(lists, catalogue=typed(types)), FOUR)
    assert found.value == pytest.approx(5 / 10)
    assert found.count == 4


def test_diversity_is_not_measured_without_types() -> None:
    assert values(beyond.diversity(build(), FOUR)) == {"pairs of different types": None}
    assert beyond.diversity(build(catalogue=None), FOUR) == []


def test_novelty_is_the_surprise_at_a_purchase() -> None:
    # Sales of four weeks, and one: 2 10 6 3 1 1 2 1, together 26.
    inputs = of([[0, 1, -1], [1, 1, 1], [-1, -1, -1], [4, 4, 4]])
    bits = [np.log2(26 / s) for s in (2, 10, 10, 10, 10, 1, 1, 1)]
    (found,) = beyond.novelty(inputs, FOUR)
    assert found.value == pytest.approx(np.mean(bits))
    assert found.count == 3


def test_what_is_rare_is_newer_than_what_sells() -> None:
    rare, sold = (values(beyond.novelty(of([[a]] * 4), FOUR))["self-information"] for a in (4, 1))
    assert rare is not None
    assert sold is not None
    assert rare > sold


def test_prices_are_held_against_what_the_customer_pays() -> None:
    # Customer 0 had articles 0 and 1 (usually e**1.5), 1 had 2 (e**3), 4 had 0 (e**1).
    inputs = with_prices(
        of([[0, 1], [2, 0], [0, 1], [0, 7]]), [np.exp(p) for p in (1, 2, 3, 4, 5, 6, 7, 8)]
    )
    found = beyond.price_fit(inputs, FOUR)
    listed = [0.5, 0.5, 0, 2, 0, 7]
    # Bought: 0 and 5 by customer 0, 3 by 1, 6 by 4; customer 3 has no past.
    paid = [0.5, 4.5, 1, 6]
    name = "distance from the usual price"
    assert values(found) == pytest.approx(
        {name: np.mean(listed), f"{name} beyond that of purchases": np.mean(listed) - np.mean(paid)}
    )
    assert counts(found)[name] == 3


@pytest.mark.parametrize("price", [0.0, np.nan, -1.0])
def test_prices_that_are_none_do_not_count(price: float) -> None:
    inputs = of([[0, 1], [2, 0], [0, 1], [0, 7]])
    found = values(beyond.price_fit(with_prices(inputs, [np.e, *[price] * 7]), FOUR))
    # What is left is article 0, for customers 0 and 4, at the price that they usually pay.
    assert found["distance from the usual price"] == pytest.approx(0)
    nothing = values(beyond.price_fit(with_prices(inputs, [price] * 8), FOUR))
    assert set(nothing.values()) == {None}


def test_without_prices_nothing_is_said_of_them() -> None:
    assert beyond.price_fit(build(), FOUR) == []


def test_agreement_is_over_those_who_had_a_list() -> None:
    served = int32([[2, 0, -1], [-1, -1, -1], [4, 5, 6], [2, 1, 0]])
    # In common: two of three, nobody asked, none of three, three of three.
    (found,) = beyond.agreement(build(served=served), FOUR)
    assert found.value == pytest.approx((2 + 0 + 3) / 9)
    assert found.count == 3


def test_agreement_with_a_list_of_another_length() -> None:
    (found,) = beyond.agreement(build(served=int32([[0], [0], [0], [0]])), FOUR)
    assert found.value == pytest.approx(4 / 12)


def test_agreement_without_a_list() -> None:
    assert beyond.agreement(build(), FOUR) == []
    (found,) = beyond.agreement(build(served=np.full((4, 3), -1, np.int32)), FOUR)
    assert (found.value, found.count) == (None, 0)


def test_empty_lists_have_no_shares() -> None:
    nothing = of([[-1, -1, -1]] * 4, catalogue=typed(["a"] * 8))
    assert named(beyond.popularity(nothing, FOUR))["share of best sellers"].value is None
    assert named(beyond.novelty(nothing, FOUR))["self-information"].value is None
    assert named(beyond.diversity(nothing, FOUR))["pairs of different types"].value is None
    assert values(beyond.coverage(nothing, FOUR)) == {"coverage": 0}


def test_nobody_with_a_past() -> None:
    new = snapshot(history={}, past=[0] * 5)
    inputs = with_prices(build(snapshot=new), [1.0] * 8)
    assert set(values(beyond.price_fit(inputs, FOUR)).values()) == {None}
    assert values(beyond.repeats(inputs, FOUR))["share of repeats"] == 0
