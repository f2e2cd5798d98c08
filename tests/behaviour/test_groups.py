"""Gaps between groups, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hm_platform.behaviour import groups, slices
from hm_platform.behaviour.bootstrap import Bootstrap
from hm_platform.behaviour.inputs import ReportInputs
from hm_platform.behaviour.slices import Slice
from hm_platform.behaviour.thresholds import FEWEST
from tests.behaviour.conftest import build
from tests.behaviour.numbers import counts, named, values
from tests.behaviour.rich import BUYERS

FOUR, MANY = Bootstrap(4), Bootstrap(BUYERS)
LISTS = {"two_tower": [[0, 2, 5], [1, 3, 0], [2, 1, 0], [0, 1, 2]]}
BEST = [[0, 1, 2], [3, 1, 0], [2, 0, 4], [0, 1, 2]]
"""Average precision: 1/2, 1, 0, 0; the model's: 5/6, 1/2, 1/2, 0."""


def in_two(*codes: int) -> Slice:
    return Slice(("one", "two"), np.array(codes))


def test_gaps_of_customers() -> None:
    inputs = build(lists={**LISTS, "segment_popularity": BEST})
    found = groups.of_customers(inputs, in_two(0, 1, 1, 1), FOUR)
    assert values(found) == pytest.approx(
        {
            "one": 5 / 6,
            "one against the others": 5 / 6 - 1 / 3,
            "one against segment_popularity": 5 / 6 - 1 / 2,
            "two": 1 / 3,
            "two against the others": 1 / 3 - 5 / 6,
            "two against segment_popularity": 0,
        }
    )
    assert counts(found)["one"] == 1
    assert counts(found)["two against the others"] == 3


def test_one_group_has_no_others() -> None:
    found = groups.of_customers(build(), in_two(1, 1, 1, 1), FOUR)
    assert values(found) == {"two": pytest.approx(11 / 24)}


def test_best_sellers_are_not_held_against_themselves() -> None:
    inputs = build(lists={**LISTS, "segment_popularity": BEST}, challenger="segment_popularity")
    found = values(groups.of_customers(inputs, in_two(0, 1, 1, 1), FOUR))
    assert not any("segment_popularity" in name for name in found)


def test_the_spread_is_the_mean_distance_of_miss_rates(rich_inputs: ReportInputs) -> None:
    hit = rich_inputs.recommender("ranker").metrics.hit_rate
    codes = np.arange(BUYERS) % 3
    found = named(groups.of_customers(rich_inputs, Slice(("a", "b", "c"), codes), MANY))
    miss = [1 - hit[codes == g].mean() for g in range(3)]
    expected = np.mean([abs(m - (1 - hit.mean())) for m in miss])
    assert found[groups.SPREAD].value == pytest.approx(expected)
    assert found[groups.SPREAD].count == BUYERS


def test_tiny_groups_do_not_count_for_the_spread(rich_inputs: ReportInputs) -> None:
    labels = ("a", "b", "c")
    codes = np.arange(BUYERS) % 2
    few = FEWEST - 1
    with_tiny = np.where(np.arange(BUYERS) < few, 2, codes)
    found = named(groups.of_customers(rich_inputs, Slice(labels, with_tiny), MANY))
    assert found["c"].count == few
    hit = rich_inputs.recommender("ranker").metrics.hit_rate
    large = with_tiny < 2
    means = [hit[with_tiny == g].mean() for g in (0, 1)]
    expected = np.mean([abs(m - hit[large].mean()) for m in means])
    assert found[groups.SPREAD].value == pytest.approx(expected)
    alone = Slice(labels, np.where(np.arange(BUYERS) < few, 2, 0))
    assert groups.SPREAD not in named(groups.of_customers(rich_inputs, alone, MANY))


def test_a_gap_is_found_where_there_is_one(rich_inputs: ReportInputs) -> None:
    score = rich_inputs.recommender("ranker").metrics.map
    better = Slice(("worse", "better"), (score > np.median(score)).astype(int))
    found = named(groups.of_customers(rich_inputs, better, MANY))
    gap = found["better against the others"]
    assert gap.low is not None
    assert gap.low > 0
    other = found["worse against the others"]
    assert other.value == pytest.approx(-(gap.value or 0))
    assert other.high == pytest.approx(-gap.low)


def test_gaps_of_articles() -> None:
    # Bought: 0 and 5 (both listed); 3 (listed); 1 (listed); 6 (not).
    halves = Slice(("low", "high"), (np.arange(8) >= 3).astype(int))
    found = groups.of_articles(build(), halves, FOUR)
    assert values(found) == pytest.approx(
        {
            "low": 1.0,
            "low against the others": 1 - 2 / 3,
            "high": 2 / 3,
            "high against the others": 2 / 3 - 1,
        }
    )
    # Customers who bought any of the group.
    assert counts(found)["low"] == 2
    assert counts(found)["high"] == 3


def test_groups_that_nobody_bought_are_left_out() -> None:
    unsold = Slice(("bought", "not"), (np.arange(8) == 7).astype(int))
    assert values(groups.of_articles(build(), unsold, FOUR)) == {"bought": pytest.approx(4 / 5)}


def test_purchases_are_counted_by_group() -> None:
    halves = Slice(("low", "high"), (np.arange(8) >= 3).astype(int))
    recommended, everything = groups.purchases_by_group(build(), halves)
    assert recommended.tolist() == [[1, 1], [0, 1], [1, 0], [0, 0]]
    assert everything.tolist() == [[1, 1], [0, 1], [1, 0], [0, 1]]


def test_an_empty_place_in_a_list_hits_nothing() -> None:
    inputs = build(lists={"two_tower": [[-1, -1, -1]] * 4})
    halves = Slice(("low", "high"), (np.arange(8) >= 3).astype(int))
    assert groups.purchases_by_group(inputs, halves)[0].sum() == 0


def test_the_groups_of_a_division_add_up_to_all(rich_inputs: ReportInputs) -> None:
    mean = rich_inputs.recommender("ranker").metrics.map.mean()
    for name, division in slices.of_customers(rich_inputs).items():
        found = named(groups.of_customers(rich_inputs, division, MANY))
        alone = [found[label] for label in division.labels if label in found]
        assert sum(e.count for e in alone) == BUYERS, name
        assert sum((e.value or 0) * e.count for e in alone) / BUYERS == pytest.approx(mean), name
    bought, hits = len(rich_inputs.bought.articles), 0.0
    for name, division in slices.of_articles(rich_inputs).items():
        recommended, everything = groups.purchases_by_group(rich_inputs, division)
        assert everything.sum() == bought, name
        hits = hits or recommended.sum()
        assert recommended.sum() == hits, name
