"""Thresholds: what is refused when they are read, and what passes when they judge."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from hm_platform.behaviour.effects import Effect
from hm_platform.behaviour.reclist_tests import BehavioralRecList
from hm_platform.behaviour.results import BehavioralResults
from hm_platform.behaviour.thresholds import (
    FEWEST,
    Bounds,
    Threshold,
    ThresholdsError,
    declared,
    judge,
    read,
)
from tests.behaviour.conftest import build

ASKS = 'asks = "How good?"\n'
BOUND = 'effect = "map"\nat_least = 0.5\nseverity = "warn"\nbecause = "So."\n'


def threshold(**changes: str | None) -> str:
    """A document with one threshold of the test ``t``, some of its lines other or left out."""
    lines = {
        "effect": '"map"',
        "at_least": "0.5",
        "severity": '"warn"',
        "because": '"So."',
    } | changes
    said = "\n".join(f"{name} = {value}" for name, value in lines.items() if value is not None)
    return f"[t]\n{ASKS}[[t.threshold]]\n{said}\n"


def at_least(bound: float, effect: str = "map", severity: str = "block") -> Threshold:
    return Threshold(effect, bound, None, severity, "So.")  # type: ignore[arg-type]


def at_most(bound: float, effect: str = "map") -> Threshold:
    return Threshold(effect, None, bound, "warn", "So.")


def test_a_document_is_read_in_its_order() -> None:
    found = read(f"[b]\n{ASKS}[[b.threshold]]\n{BOUND}[a]\n{ASKS}")
    assert found == {
        "b": Bounds("How good?", (Threshold("map", 0.5, None, "warn", "So."),)),
        "a": Bounds("How good?"),
    }
    assert list(found) == ["b", "a"]
    assert str(found["b"].thresholds[0]) == "at least 0.5"
    assert str(at_most(0)) == "at most 0"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("[t", "is not TOML", id="no TOML"),
        pytest.param("t = 3", r"\[t\] needs `asks`", id="no section"),
        pytest.param("[t]", r"\[t\] needs `asks`", id="no question"),
        pytest.param("[t]\nasks = 3", r"\[t\] needs `asks`", id="question of another type"),
        pytest.param('[t]\nasks = " "', r"\[t\] needs `asks`", id="blank question"),
        pytest.param(f"[t]\n{ASKS}bound = 1", r"\[\[t.threshold\]\]", id="unknown key"),
        pytest.param(f"[t]\n{ASKS}threshold = 3", r"\[\[t.threshold\]\]", id="number for list"),
        pytest.param(f"[t]\n{ASKS}threshold = [3]", r"\[\[t.threshold\]\]", id="list of numbers"),
        pytest.param(f"[t]\n{ASKS}[t.threshold]\n{BOUND}", r"\[\[t.threshold\]\]", id="one table"),
        pytest.param(threshold(at_last="1"), r"\[t\] has at_last, which mean", id="misspelt"),
        pytest.param(threshold(at_least=None), "needs one number", id="no bound"),
        pytest.param(threshold(at_most="0.7"), "needs one number", id="two bounds"),
        pytest.param(threshold(at_most='"x"'), "needs one number", id="a bound and a text"),
        pytest.param(threshold(at_least='"0.5"'), "needs one number", id="bound as text"),
        pytest.param(threshold(at_least="true"), "needs one number", id="bound as truth"),
        pytest.param(threshold(at_least="nan"), "needs one number", id="not a number"),
        pytest.param(threshold(at_least="-inf"), "needs one number", id="infinite"),
        pytest.param(threshold(severity='"error"'), "block, not 'error'", id="severity"),
        pytest.param(threshold(severity=None), "block, not None", id="no severity"),
        pytest.param(threshold(effect=None), "needs `effect`", id="no effect"),
        pytest.param(threshold(effect="3"), "needs `effect`", id="effect of another type"),
        pytest.param(threshold(because='" "'), "needs `because`", id="blank reason"),
        pytest.param(threshold(because=None), "needs `because`", id="no reason"),
    ],
)
def test_nonsense_is_refused_with_what_and_where(text: str, message: str) -> None:
    with pytest.raises(ThresholdsError, match=message) as refused:
        read(text)
    assert str(refused.value).startswith("thresholds.toml")
    if text != "[t":
        assert "[t]" in str(refused.value)


@pytest.mark.parametrize(
    ("bound", "effect", "verdict"),
    [
        # The whole interval must be beyond the bound.
        (at_least(0.5), Effect("map", 0.4, FEWEST, 0.3, 0.49), "failed"),
        (at_least(0.5), Effect("map", 0.4, FEWEST, 0.3, 0.5), "passed"),
        (at_least(0.5), Effect("map", 0.6, FEWEST, 0.1, 0.9), "passed"),
        (at_most(0.5), Effect("map", 0.6, FEWEST, 0.51, 0.9), "failed"),
        (at_most(0.5), Effect("map", 0.6, FEWEST, 0.5, 0.9), "passed"),
        (at_most(0.5), Effect("map", 0.4, FEWEST, 0.1, 0.9), "passed"),
        # A few customers prove nothing.
        (at_least(0.5), Effect("map", 0.1, FEWEST - 1, 0.0, 0.2), "not measured"),
        (at_most(0.5), Effect("map", 0.9, FEWEST - 1, 0.8, 1.0), "not measured"),
        # What is counted is held to the bound itself, however few.
        (at_most(0), Effect("map", 1.0, 1), "failed"),
        (at_most(0), Effect("map", 0.0, 1), "passed"),
        (at_least(1), Effect("map", 0.999, 2000), "failed"),
        (at_least(1), Effect("map", 1.0, 2000), "passed"),
        (at_least(0), Effect("map", None, 1000), "not measured"),
        (at_most(0), Effect("map", None, 0), "not measured"),
        (at_most(0), Effect("map", float("nan"), 5), "failed"),
    ],
)
def test_a_threshold_judges(bound: Threshold, effect: Effect, verdict: str) -> None:
    assert bound.judge(effect) == verdict


def test_the_first_threshold_that_fits_counts() -> None:
    exact, any_map, rest = at_least(1, "map a"), at_least(2, "map *"), at_least(3, "*")
    bounds = Bounds("?", (exact, any_map, rest))
    assert bounds.on(Effect("map a", 0.0, 1)) is exact
    assert bounds.on(Effect("map b", 0.0, 1)) is any_map
    assert bounds.on(Effect("recall", 0.0, 1)) is rest
    assert Bounds("?", (any_map,)).on(Effect("Map a", 0.0, 1)) is None


def test_effects_are_judged_in_the_order_in_which_they_were_found() -> None:
    bounds = {"a": Bounds("?", (at_least(0.5),)), "b": Bounds("?", (at_most(0, "faults"),))}
    found = {
        "b": [Effect("faults", 2.0, 9), Effect("other", 7.0, 9)],
        "a": [Effect("map", 0.1, 99, 0.0, 0.2)],
    }
    judged = judge(found, bounds)
    assert [(j.test, j.effect.name, j.verdict) for j in judged] == [
        ("b", "faults", "failed"),
        ("b", "other", "reported"),
        ("a", "map", "failed"),
    ]
    assert [(j.blocks, j.warns) for j in judged] == [(False, True), (False, False), (True, False)]
    assert str(judged[0]) == "b: faults is 2, not at most 0"
    assert str(judged[1]) == "b: other is 7"
    assert str(judged[2]) == "a: map is 0.1 (0 to 0.2), not at least 0.5"


def test_a_test_without_a_section_is_refused() -> None:
    with pytest.raises(ThresholdsError, match="nothing of the tests a, c"):
        judge({"c": [], "b": [], "a": []}, {"b": Bounds("?")})


def test_the_platform_s_sections_are_its_tests() -> None:
    tests = BehavioralRecList(build()).rec_tests.values()
    assert list(declared()) == [test.test_type for test in tests]


def test_every_threshold_of_the_platform_judges_something(rich_results: BehavioralResults) -> None:
    for test, bounds in declared().items():
        effects = rich_results[test].effects
        used = {bounds.on(effect) for effect in effects}
        for bound in bounds.thresholds:
            assert bound in used, f"{test}: nothing is called {bound.effect!r}"


def test_a_good_week_passes_and_every_threshold_of_the_platform_was_measured(
    rich_results: BehavioralResults,
) -> None:
    verdict = rich_results.verdict()
    assert verdict.passed
    assert [str(j) for j in verdict.warnings] == []
    measured = {(j.test, j.threshold) for j in verdict.judged if j.verdict == "passed"}
    for test, bounds in declared().items():
        assert {(test, bound) for bound in bounds.thresholds} <= measured


def test_questions_and_reasons_of_the_platform_are_sentences() -> None:
    for test, bounds in declared().items():
        assert bounds.asks.endswith("?"), test
        for bound in bounds.thresholds:
            assert bound.because[0].isupper(), bound.because
            assert bound.because.endswith("."), bound.because
            assert len(bound.because.split()) >= 5, bound.because
            assert fnmatchcase(bound.effect.replace("*", "x"), bound.effect), bound.effect
