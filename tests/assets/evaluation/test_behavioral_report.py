"""What the asset declares, and a test's findings as Dagster keeps them."""

from __future__ import annotations

import pytest
from dagster import AssetCheckSeverity, AssetKey

from hm_platform.assets.evaluation import behavioral_report
from hm_platform.assets.evaluation.behavioral_report import _result
from hm_platform.assets.metadata import COLUMNS
from hm_platform.behaviour import board, verdict
from hm_platform.behaviour.effects import Effect
from hm_platform.behaviour.inputs import CATALOGUE
from hm_platform.behaviour.thresholds import Bounds, Severity, Threshold, declared, judge

REPORT = AssetKey(["evaluation", "behavioral_report"])


def threshold(effect: str, severity: Severity) -> Threshold:
    return Threshold(effect, None, 0.0, severity, "So.")


BOUNDS = {"sanity": Bounds("Broken?", (threshold("a", "block"), threshold("b", "warn")))}


def test_there_is_a_check_for_each_test_in_order() -> None:
    specs = list(behavioral_report.check_specs)
    assert sorted(spec.name for spec in specs) == sorted(declared())
    assert {spec.asset_key for spec in specs} == {REPORT}
    # A check that blocks would stop the run before the fallback is published.
    assert not any(spec.blocking for spec in specs)


def test_a_check_says_what_is_asked_and_why() -> None:
    told = {spec.name: spec.description or "" for spec in behavioral_report.check_specs}
    assert told["sanity"].startswith("Is any list broken? Blocks unless `*` is at most 0: Not a")
    assert told["novelty"] == "How surprising are the recommendations?"
    for name, bounds in declared().items():
        for bound in bounds.thresholds:
            assert bound.because in told[name]


@pytest.mark.parametrize(
    ("table", "schema"),
    [
        ("evaluation.behavioral_report", board.SCHEMA),
        ("evaluation.behavioral_tests", verdict.SCHEMA),
    ],
)
def test_the_declared_columns_are_those_that_are_written(table: str, schema: object) -> None:
    assert [name for name, _, _ in COLUMNS[table]] == schema.names  # type: ignore[attr-defined]


def test_of_articles_only_what_the_report_reads_is_loaded() -> None:
    articles = behavioral_report.op.ins["articles"]
    assert articles.metadata is not None
    assert articles.metadata["columns"] == ["article_id", *CATALOGUE]


@pytest.mark.parametrize(
    ("a", "b", "passed", "severity"),
    [
        (0.0, 0.0, True, AssetCheckSeverity.WARN),
        (0.0, 1.0, False, AssetCheckSeverity.WARN),
        (1.0, 0.0, False, AssetCheckSeverity.ERROR),
        (1.0, 1.0, False, AssetCheckSeverity.ERROR),
    ],
)
def test_a_check_fails_as_its_thresholds_say(
    a: float, b: float, passed: bool, severity: AssetCheckSeverity
) -> None:
    found = {"sanity": [Effect("a", a, 9), Effect("b", b, 9), Effect("c", 5.0, 9)]}
    result = _result("sanity", "What must never happen.", judge(found, BOUNDS))
    assert (result.check_name, result.asset_key) == ("sanity", REPORT)
    assert (result.passed, result.severity) == (passed, severity)
    if passed:
        assert result.description == "What must never happen."
    elif a and b:
        assert result.description == "sanity: a is 1, not at most 0; sanity: b is 1, not at most 0"


def test_values_are_kept_as_numbers_of_which_a_history_can_be_drawn() -> None:
    found = {"sanity": [Effect("a", 0.0, 9), Effect("map", None, 0)]}
    metadata = _result("sanity", "?", judge(found, BOUNDS)).metadata
    assert metadata["a"].value == 0.0
    assert "map" not in metadata
    assert "| map | – |" in str(metadata["found"].value)


def test_a_test_that_found_nothing_passes() -> None:
    result = _result("agreement", "How much?", [])
    assert result.passed
    assert str(result.metadata["found"].value) == "There was nothing to measure.\n"
