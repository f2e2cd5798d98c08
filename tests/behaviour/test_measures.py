"""The numbers of the report, against the week worked out by hand in ``conftest``."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from math import log2

import numpy as np
import pytest

from hm_platform.behaviour import measures, slices
from hm_platform.behaviour.cold_customers import AsIfNew
from hm_platform.behaviour.effects import Effect
from hm_platform.behaviour.inputs import ReportInputs
from hm_platform.features.snapshot import Snapshot

Make = Callable[..., ReportInputs]


def test_accuracy(inputs: ReportInputs) -> None:
    board = measures.accuracy(inputs)
    second = 1 / log2(3)
    assert board["two_tower"] == pytest.approx(
        {
            "map@3": (5 / 6 + 1 / 2 + 1 / 2 + 0) / 4,
            "recall@3": 3 / 4,
            "ndcg@3": (1.5 / (1 + second) + second + second) / 4,
            "hit_rate@3": 3 / 4,
            "mrr@3": (1 + 1 / 2 + 1 / 2) / 4,
        }
    )
    assert board["popularity"]["map@3"] == pytest.approx((1 / 6 + 1) / 4)
    assert list(board) == ["two_tower", "popularity"]


def test_coverage(inputs: ReportInputs) -> None:
    assert measures.coverage(inputs) == {
        "two_tower": {"coverage": 5 / 7, "distinct_articles": 5},
        "popularity": {"coverage": 3 / 7, "distinct_articles": 3},
    }


def test_the_head_is_one_percent_rounded_up_by_recent_sales(inputs: ReportInputs) -> None:
    assert np.flatnonzero(measures.popular_head(inputs)).tolist() == [1]


def test_the_head_never_holds_what_cannot_be_recommended(
    make_inputs: Make, make_snapshot: Callable[..., Snapshot]
) -> None:
    odd = make_snapshot(sold=(1, 1, 0, 0, 0, 0, 0, 0), recent=(0, 0, 9, 9, 9, 9, 9, 9))
    head = measures.popular_head(make_inputs(snapshot=odd))
    assert np.flatnonzero(head).tolist() == [0]


def test_popularity(inputs: ReportInputs) -> None:
    assert measures.popularity(inputs) == {
        "two_tower": {"head_share": 3 / 12},
        "popularity": {"head_share": 4 / 12},
        "purchases": {"head_share": 1 / 5},
    }


def test_repeats_and_discoveries(inputs: ReportInputs) -> None:
    assert measures.repeats(inputs) == {
        "two_tower": {"repeat_share": 2 / 12, "repeat_hits": 1, "discovery_hits": 3},
        "popularity": {"repeat_share": 4 / 12, "repeat_hits": 1, "discovery_hits": 1},
        "purchases": {"repeat_share": 1 / 5},
    }


def test_activity_groups_hold_every_customer_once(inputs: ReportInputs) -> None:
    groups = measures.by_group(inputs, slices.activity(inputs))
    assert [(g["group"], g["customers"]) for g in groups] == [
        ("0", 1),
        ("1–4", 1),
        ("20–99", 1),
        ("500 or more", 1),
    ]
    assert [g["recommenders"]["two_tower"] for g in groups] == pytest.approx([0.5, 5 / 6, 0, 0.5])


@pytest.mark.parametrize(
    ("past", "group"),
    [(0, "0"), (1, "1–4"), (4, "1–4"), (5, "5–19"), (19, "5–19"), (99, "20–99"), (100, "100–499")],
)
def test_the_edges_of_activity_groups(
    make_inputs: Make, make_snapshot: Callable[..., Snapshot], past: int, group: str
) -> None:
    inputs = make_inputs(snapshot=make_snapshot(past=[past] * 5))
    assert [g["group"] for g in measures.by_group(inputs, slices.activity(inputs))] == [group]


def test_customers_without_a_purchase(inputs: ReportInputs) -> None:
    # Customer 3 alone, who bought article 1: second in the model's list, first by popularity.
    assert measures.cold_customers(inputs) == {
        "customers": 1,
        "recommenders": {"two_tower": 0.5, "popularity": 1.0},
    }


@pytest.mark.parametrize("past", [(0, 0, 9, 0, 0), (1, 0, 0, 2, 0), (1, 1, 0, 1, 1)])
def test_cold_customers_are_exactly_those_of_the_activity_group(
    make_inputs: Make, make_snapshot: Callable[..., Snapshot], past: tuple[int, ...]
) -> None:
    inputs = make_inputs(snapshot=make_snapshot(past=past))
    cold = measures.cold_customers(inputs)
    groups = {g["group"]: g for g in measures.by_group(inputs, slices.activity(inputs))}
    # Customer 2 bought nothing in the test week.
    assert cold["customers"] == sum(past[c] == 0 for c in (0, 1, 3, 4))
    group = groups.get("0", {"customers": 0, "recommenders": {}})
    assert cold["customers"] == group["customers"]
    assert cold["recommenders"] == pytest.approx(group["recommenders"])


def test_customers_as_if_they_were_new(inputs: ReportInputs) -> None:
    leads = {
        "two_tower": Effect("lead", 0.125, 3, -0.125, 0.25),
        "segment_popularity": Effect("lead", 0.0, 3, 0.0, 0.0),
    }
    found = measures.as_if_new(inputs, leads)
    assert found["customers"] == 3
    assert found["recommenders"] == {
        "two_tower": {"map@3": 0.25, "lead": 0.125, "low": -0.125, "high": 0.25},
        "segment_popularity": {"map@3": 0.125, "lead": 0, "low": 0, "high": 0},
    }


@pytest.mark.parametrize("found", [None, AsIfNew(np.zeros(0, np.int32), 3, {"a": np.zeros(0)})])
def test_nobody_as_if_new(inputs: ReportInputs, found: AsIfNew | None) -> None:
    nothing = {"customers": 0, "recommenders": {}}
    assert measures.as_if_new(replace(inputs, as_if_new=found), {}) == nothing


def test_articles_without_a_sale_say_what_was_measured(inputs: ReportInputs) -> None:
    percentiles = {"two_tower": Effect("percentile", 0.5, 2, 0.25, 0.75)}
    assert measures.cold_articles(inputs, percentiles) == {
        "customers": 2,
        "articles": 1,
        "methods": {"two_tower": {"recall@3": 0.75, "percentile": 0.5, "low": 0.25, "high": 0.75}},
    }
    nothing = {"customers": 0, "articles": 1, "methods": {}}
    assert measures.cold_articles(replace(inputs, cold_articles=None), {}) == nothing


def test_good_lists_have_no_faults(inputs: ReportInputs) -> None:
    assert all(not n for counts in measures.faults(inputs).values() for n in counts.values())


@pytest.mark.parametrize(
    ("first_list", "fault"),
    [
        ([0, 2, -1], "customers_short_served"),
        ([-1, -1, -1], "customers_short_served"),
        ([0, 2, 0], "customers_with_duplicates"),
        ([0, 2, 7], "not_sellable"),
    ],
)
def test_each_fault_is_counted_alone(make_inputs: Make, first_list: list[int], fault: str) -> None:
    lists = [first_list, [1, 3, 0], [2, 1, 0], [0, 1, 2]]
    faults = measures.faults(make_inputs(lists={"two_tower": lists}))["two_tower"]
    assert {name: n for name, n in faults.items() if n} == {fault: 1}


def test_scores_of_other_customers_are_noticed(inputs: ReportInputs) -> None:
    model = inputs.recommenders[0]
    turned = {name: values[::-1] for name, values in vars(model.metrics).items()}
    broken = replace(model, metrics=replace(model.metrics, **turned))
    faults = measures.faults(replace(inputs, recommenders=[broken]))
    # Only the first and the last differ in whether there was a hit.
    assert faults["two_tower"]["customers_misscored"] == 2


def test_short_lists_are_full_when_there_is_nothing_else_to_recommend(
    make_inputs: Make, make_snapshot: Callable[..., Snapshot]
) -> None:
    few = make_snapshot(sold=(5, 5, 0, 0, 0, 0, 0, 0))
    inputs = make_inputs(lists={"two_tower": [[0, 1, -1]] * 4}, snapshot=few)
    assert measures.faults(inputs)["two_tower"]["customers_short_served"] == 0


def test_empty_lists_have_shares_of_zero(make_inputs: Make) -> None:
    inputs = make_inputs(lists={"two_tower": [[-1, -1, -1]] * 4})
    assert measures.repeats(inputs)["two_tower"]["repeat_share"] == 0
    assert measures.popularity(inputs)["two_tower"]["head_share"] == 0


def test_memory_does_not_grow_with_customers_times_articles(
    make_inputs: Make, make_snapshot: Callable[..., Snapshot]
) -> None:
    n, n_articles = 4000, 100_000
    wide = make_snapshot(
        history={c: [c, c + 1] for c in range(n)},
        past=[2] * n,
        sold=np.ones(n_articles),
        recent=np.arange(n_articles),
    )
    inputs = make_inputs(
        lists={"two_tower": [[c, 9, 90_000] if c > 90 else [1, 2, 3] for c in range(n)]},
        bought={c: [c, n + c] for c in range(n)},
        snapshot=wide,
        catalogue=None,
    )
    tracemalloc.start()
    try:
        for measure in (measures.popularity, measures.repeats, measures.faults):
            measure(inputs)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # One byte for each pair would be 400 MB.
    assert peak < 40e6
