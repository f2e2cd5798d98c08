"""The verdict: who may be published, as rows and in words."""

from __future__ import annotations

from datetime import date

import pyarrow as pa

from hm_platform.behaviour import verdict as module
from hm_platform.behaviour.effects import Effect
from hm_platform.behaviour.thresholds import Bounds, Judged, Threshold, judge
from hm_platform.behaviour.verdict import (
    NOBODY_BOUGHT,
    SCHEMA,
    Verdict,
    found_markdown,
    nobody_bought_table,
)

WEEK = date(2020, 9, 16)
VERSION = "2020-09-16-0123456789"
BLOCK = Threshold("map", 0.5, None, "block", "Else it is worse.")
WARN = Threshold("spread | all", None, 0.1, "warn", "Look at it.")
BAD, GOOD = Effect("map", 0.25, 1234, 0.125, 0.375), Effect("map", 0.75, 1234, 0.5, 1.0)
WIDE = Effect("spread | all", 2.0, 60)
UNKNOWN = Effect("map", None, 0)
PLAIN = Effect("ndcg", 0.125, 9, 0.0, 0.25)


def verdict(*effects: Effect) -> Verdict:
    found = {"accuracy": list(effects), "novelty": []}
    judged = judge(found, {"accuracy": Bounds("?", (BLOCK, WARN)), "novelty": Bounds("?")})
    return Verdict(judged, tuple(found))


def test_a_model_passes_unless_a_bound_that_blocks_is_missed() -> None:
    assert verdict(GOOD, WIDE, PLAIN).passed
    assert not verdict(GOOD, BAD).passed
    assert verdict(UNKNOWN).passed
    assert Verdict(()).passed


def test_what_blocks_and_what_warns() -> None:
    found = verdict(BAD, WIDE, PLAIN)
    assert [j.effect for j in found.blocking] == [BAD]
    assert [j.effect for j in found.warnings] == [WIDE]


def test_tests_that_found_nothing_are_there() -> None:
    found = verdict(GOOD).tests()
    assert list(found) == ["accuracy", "novelty"]
    assert [j.effect for j in found["accuracy"]] == [GOOD]
    assert found["novelty"] == []


def table(*effects: Effect) -> pa.Table:
    return module.tests_table(WEEK, VERSION, "ranker", verdict(*effects).judged)


def test_a_row_an_effect() -> None:
    found = table(BAD, WIDE, PLAIN, UNKNOWN)
    assert found.schema == SCHEMA
    common = {"week": WEEK, "model_version": VERSION, "recommender": "ranker", "test": "accuracy"}
    judged = {"threshold": "at least 0.5", "severity": "block", "reason": "Else it is worse."}
    assert found.to_pylist() == [
        {**common, "effect": "map", "value": 0.25, "low": 0.125, "high": 0.375, "count": 1234,
         **judged, "outcome": "failed"},
        {**common, "effect": "spread | all", "value": 2.0, "low": None, "high": None, "count": 60,
         "threshold": "at most 0.1", "severity": "warn", "outcome": "failed",
         "reason": "Look at it."},
        {**common, "effect": "ndcg", "value": 0.125, "low": 0.0, "high": 0.25, "count": 9,
         "threshold": None, "severity": None, "outcome": "reported", "reason": None},
        {**common, "effect": "map", "value": None, "low": None, "high": None, "count": 0,
         **judged, "outcome": "not measured"},
    ]  # fmt: skip


def test_the_table_of_nothing_has_its_columns() -> None:
    assert module.tests_table(WEEK, VERSION, "ranker", ()).schema == SCHEMA


def test_the_rows_say_what_the_verdict_says() -> None:
    for effects in ((GOOD, WIDE), (BAD,), (UNKNOWN,), (BAD, WIDE, PLAIN)):
        rows = table(*effects).to_pylist()
        stopped = any(r["outcome"] == "failed" and r["severity"] == "block" for r in rows)
        assert stopped != verdict(*effects).passed


def test_a_week_in_which_nobody_bought_has_a_row_that_stops_nobody() -> None:
    found = nobody_bought_table(WEEK, VERSION, "ranker")
    assert found.schema == SCHEMA
    (row,) = found.to_pylist()
    assert (row["week"], row["model_version"]) == (WEEK, VERSION)
    assert (row["effect"], row["value"], row["count"]) == (NOBODY_BOUGHT, 0, 0)
    assert row["outcome"] == "not measured"
    assert row["severity"] is None


def test_markdown_has_a_row_an_effect() -> None:
    assert found_markdown(verdict(BAD, WIDE, PLAIN, UNKNOWN).judged).splitlines() == [
        "| | | 95% | over | bound | |",
        "|---|---:|---|---:|---|---|",
        "| map | 0.25 | 0.125 to 0.375 | 1,234 | at least 0.5 (block) | failed |",
        "| spread \\| all | 2 |  | 60 | at most 0.1 (warn) | failed |",
        "| ndcg | 0.125 | 0 to 0.25 | 9 |  | reported |",
        "| map | – |  | 0 | at least 0.5 (block) | not measured |",
    ]
    assert found_markdown(()) == "There was nothing to measure.\n"


def test_a_judgement_in_words() -> None:
    blocked = Judged("accuracy", BAD, BLOCK, "failed")
    assert str(blocked) == "accuracy: map is 0.25 (0.125 to 0.375), not at least 0.5"
    assert str(Judged("accuracy", GOOD, BLOCK, "passed")) == "accuracy: map is 0.75 (0.5 to 1)"
