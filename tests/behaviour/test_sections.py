"""What the page says of the tests: the verdict, each test's nearest bound, groups, changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from hm_platform.behaviour import sections
from hm_platform.behaviour.effects import Effect
from hm_platform.behaviour.inputs import ReportInputs, WeekBefore
from hm_platform.behaviour.reclist_tests import run_behavioral_tests
from hm_platform.behaviour.results import BehavioralResults
from hm_platform.behaviour.sections import WORSE
from hm_platform.behaviour.thresholds import Judged, Severity, Threshold
from hm_platform.behaviour.verdict import Verdict


def judged(
    effect: Effect,
    at_least: float | None = None,
    at_most: float | None = None,
    severity: Severity = "block",
    test: str = "sanity",
) -> Judged:
    if at_least is None and at_most is None:
        return Judged(test, effect, None, "reported")
    bound = Threshold("*", at_least, at_most, severity, "For a reason.")
    return Judged(test, effect, bound, bound.judge(effect))


BLOCKED = judged(Effect("faults", 3.0, 9), at_most=0)
WARNED = judged(
    Effect("coverage", 0.125, 99, 0.0625, 0.25), at_least=0.5, severity="warn", test="coverage"
)
HELD = judged(Effect("same list", 1.0, 9), at_least=1.0, test="stability")
UNMEASURED = judged(Effect("map", None, 0), at_least=1.0, test="as_if_new")
REPORTED = judged(Effect("ndcg", 0.5, 9), test="accuracy")
JUDGED = (BLOCKED, WARNED, HELD, UNMEASURED, REPORTED)


def said(inputs: ReportInputs, *found: Judged) -> dict:
    return sections.verdict(inputs, Verdict(found))


def test_a_model_that_passed(inputs: ReportInputs) -> None:
    found = said(inputs, HELD, UNMEASURED, REPORTED)
    assert found["passed"]
    assert found["title"] == "Passed, with no warning"
    assert found["sentence"] == (
        "Two-tower of model 2020-09-16-0123456789 may be published for 23–29 September 2020: of "
        "1 bound it misses none that would stop it."
    )
    assert (found["blocking"], found["warnings"]) == ([], [])


def test_a_model_that_passed_with_warnings(inputs: ReportInputs) -> None:
    found = said(inputs, HELD, WARNED)
    assert found["passed"]
    assert found["title"] == "Passed, with 1 warning"
    assert "of 2 bounds" in found["sentence"]
    assert found["warnings"] == [
        {
            "test": "Coverage",
            "found": "coverage is 0.125 (0.0625 to 0.25), and must be at least 0.5",
            "because": "For a reason.",
        }
    ]


def test_a_model_that_did_not_pass(inputs: ReportInputs) -> None:
    found = said(inputs, HELD, WARNED, BLOCKED)
    assert not found["passed"]
    assert found["title"] == "Not passed"
    assert "is not published: it misses 1 bound that a model must hold" in found["sentence"]
    assert "For 23–29 September 2020 what was published last serves on" in found["sentence"]
    (blocking,) = found["blocking"]
    assert blocking["found"] == "faults is 3, and must be at most 0"
    assert [missed["test"] for missed in found["warnings"]] == ["Coverage"]


def by_test(results: BehavioralResults, *found: Judged) -> dict[str, dict]:
    names = [test.name for test in results.tests]
    return {t["name"]: t for t in sections.tests(Verdict(found, names), results)}


def test_each_test_has_an_outcome(results: BehavioralResults) -> None:
    found = by_test(results, *JUDGED)
    assert len(found) == len(results.tests)
    outcomes = {
        "Sanity": "stops publication",
        "Coverage": "warns",
        "Stability": "passed",
        "As if new": "not measured",
        "Accuracy": "reported",
        "Age": "not measured",
    }
    assert {name: found[name]["outcome"] for name in outcomes} == outcomes
    assert {name for name, t in found.items() if t["failed"]} == {"Sanity", "Coverage"}
    assert found["Sanity"]["asks"] == "Is any list broken?"
    assert found["Sanity"]["told"].startswith("What must never happen")


@pytest.mark.parametrize(
    ("found", "nearest"),
    [
        ((), ""),
        ((REPORTED, UNMEASURED), ""),
        ((HELD, BLOCKED), "faults"),
        # What blocks comes before what only warns, however far that is off.
        ((judged(Effect("a", 9.0, 1), at_most=0, severity="warn"), BLOCKED), "faults"),
        # Of bounds that are held, the one with the least room for its size.
        (
            (
                judged(Effect("wide", 2.0, 1), at_least=1.0),
                judged(Effect("close", 110.0, 1), at_least=100.0),
            ),
            "close",
        ),
        (
            (
                judged(Effect("wide", 0.1, 99, 0.0, 0.2), at_most=0.4),
                judged(Effect("close", 0.3, 99, 0.3, 0.5), at_most=0.4),
            ),
            "close",
        ),
        # The best end of the interval is what is held against the bound.
        (
            (
                judged(Effect("close", 0.9, 99, 0.8, 1.0), at_least=1.0),
                judged(Effect("wide", 0.5, 99, 0.0, 2.0), at_least=1.0),
            ),
            "close",
        ),
        # Of bounds that are missed, the one that is missed most.
        (
            (
                judged(Effect("little", 1.1, 1), at_most=1.0),
                judged(Effect("much", 2.0, 1), at_most=1.0),
            ),
            "much",
        ),
    ],
)
def test_the_bound_that_came_nearest(
    results: BehavioralResults, found: Sequence[Judged], nearest: str
) -> None:
    shown = by_test(results, *(replace(j, test="sanity") for j in found))["Sanity"]["nearest"]
    assert shown.split(" is ")[0] == nearest


def test_all_numbers_of_a_test(results: BehavioralResults) -> None:
    found = by_test(results, *(replace(j, test="sanity") for j in (WARNED, BLOCKED, UNMEASURED)))
    rows = found["Sanity"]["numbers"]["rows"]
    texts = [[row["label"], *(cell["text"] for cell in row["cells"])] for row in rows]
    assert texts == [
        ["coverage", "0.125", "0.0625 to 0.25", "99", "at least 0.5 (warn)", "failed"],
        ["faults", "3", "", "9", "at most 0 (block)", "failed"],
        ["MAP", "–", "", "0", "at least 1 (block)", "not measured"],
    ]
    assert [row["cells"][-1]["mark"] for row in rows] == ["failed", "failed", ""]


def test_divisions_with_several_groups_have_a_chart(
    rich_inputs: ReportInputs, rich_results: BehavioralResults, inputs: ReportInputs
) -> None:
    shown = sections.divisions(rich_inputs, rich_results)
    assert [d["heading"] for d in shown] == list(sections.DIVISIONS.values())
    activity = shown[0]["chart"]
    assert activity.title == "MAP@12"
    assert activity.said.startswith("0 0.")
    assert "under 20" in shown[1]["chart"].said
    # Of the small week nothing is known but purchases.
    few = sections.divisions(inputs, run_behavioral_tests(inputs))
    assert [d["heading"] for d in few] == [
        "By number of past purchases",
        "By popularity of the article",
    ]


def test_the_worst_group_and_the_spread_are_said_where_groups_are_large(
    rich_inputs: ReportInputs, rich_results: BehavioralResults, inputs: ReportInputs
) -> None:
    articles = sections.divisions(rich_inputs, rich_results)[5]
    assert articles["worst"].startswith("The worst group: long tail (80%). On average the miss")
    assert articles["worst"].endswith("apart from that of all (MRED).")
    assert sections.divisions(inputs, run_behavioral_tests(inputs))[0]["worst"] == ""


def effects(low: float, high: float, count: int) -> list[Effect]:
    return [
        Effect("a", 0.5, count, 0.4, 0.6),
        Effect("a against the others", (low + high) / 2, count, low, high),
        Effect("b", 0.5, 99, 0.4, 0.6),
        Effect("b against the others", 0.0, 99, -0.1, 0.1),
    ]


@pytest.mark.parametrize(
    ("low", "high", "count", "flagged"),
    [
        (-0.2, -0.01, 50, True),
        (0.01, 0.2, 50, False),
        (-0.2, 0.01, 50, False),
        (-0.2, -0.01, 49, False),
    ],
)
def test_groups_below_the_others_by_more_than_chance_are_flagged(
    inputs: ReportInputs, low: float, high: float, count: int, flagged: bool
) -> None:
    chart = sections.division_chart(inputs, "age", effects(low, high, count))
    assert chart is not None
    assert (WORSE in chart.said) == flagged
    assert (("flag", WORSE) in chart.legend) == flagged


def test_a_group_alone_has_no_chart(inputs: ReportInputs) -> None:
    assert sections.division_chart(inputs, "age", effects(0, 1, 9)[:2]) is None
    assert sections.division_chart(inputs, "age", []) is None


def test_changes_since_the_week_before(inputs: ReportInputs) -> None:
    before = WeekBefore(
        inputs.week - timedelta(weeks=1),
        {"two_tower": {"map@3": 0.5}, "gone": {"map@3": 0.1}},
        frozenset({"coverage", "as_if_new", "age", "stability"}),
        "two_tower",
    )
    found = sections.changes(replace(inputs, before=before), Verdict(JUDGED))
    assert found is not None
    assert found["week"] == "9–15 September 2020"
    # Popularity was not on the board, and what has gone is not on this one.
    ((row),) = found["rows"]
    assert row["label"] == "Two-tower"
    assert [cell["text"] for cell in row["cells"]] == ["0.5000", "0.4583", "-0.0417"]
    assert found["missed"] == ["Sanity"]
    # Of age and as_if_new nothing was measured now, which mends nothing.
    assert found["mended"] == ["Stability"]
    assert found["other"] == ""
    other = sections.changes(
        replace(inputs, before=replace(before, challenger="ranker")), Verdict(())
    )
    assert other is not None
    assert other["other"] == "The week before, Ranker was under test."


def test_without_a_week_before_there_are_no_changes(inputs: ReportInputs) -> None:
    assert sections.changes(inputs, Verdict(())) is None


def test_the_board_is_drawn_with_intervals(
    rich_inputs: ReportInputs, rich_results: BehavioralResults
) -> None:
    chart = sections.board_chart(rich_inputs, rich_results)
    assert chart.title == "MAP@12 in the test week"
    assert chart.body.count('class="span ') == len(rich_inputs.recommenders)
    assert chart.body.count("under test") == 1
    mean = np.mean(rich_inputs.recommender("popularity").metrics.map)
    assert f"Popularity {mean:.4f}" in chart.said
