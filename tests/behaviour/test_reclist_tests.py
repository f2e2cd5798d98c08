"""RecList collects and runs the tests, and leaves no trace but their results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import rich
from reclist.reclist import RecList

from hm_platform.behaviour import measures
from hm_platform.behaviour.inputs import BehaviourError, ReportInputs
from hm_platform.behaviour.reclist_tests import BehavioralRecList, run_behavioral_tests

TESTS = [
    *("accuracy", "activity", "cold_customers", "as_if_new"),
    *("cold_articles", "repeats", "coverage", "popularity", "sanity"),
]


def test_reclist_is_the_harness(inputs: ReportInputs) -> None:
    rec_list = BehavioralRecList(inputs)
    assert isinstance(rec_list, RecList)
    assert [test.test_type for test in rec_list.rec_tests.values()] == TESTS


def test_results_are_those_of_the_measures(inputs: ReportInputs) -> None:
    results = run_behavioral_tests(inputs)
    assert [test.name for test in results.tests] == TESTS
    assert results["accuracy"].result == measures.accuracy(inputs)
    assert results["accuracy"].display == "bars"
    assert results.week == inputs.week


def test_descriptions_are_the_docstrings_on_one_line(inputs: ReportInputs) -> None:
    for test in run_behavioral_tests(inputs).tests:
        assert len(test.description) > 40
        assert "\n" not in test.description
        assert "  " not in test.description


def test_results_fit_into_json(inputs: ReportInputs) -> None:
    results = run_behavioral_tests(inputs).as_dict()
    assert json.loads(json.dumps(results, allow_nan=False)) == results


def test_nothing_is_printed_or_written(
    inputs: ReportInputs,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    run_behavioral_tests(inputs)
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_the_shared_console_speaks_again_after_a_failure(
    inputs: ReportInputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: ReportInputs) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(measures, "faults", fail)
    with pytest.raises(ZeroDivisionError):
        run_behavioral_tests(inputs)
    assert rich.get_console().quiet is False


def test_an_unknown_test_is_refused(inputs: ReportInputs) -> None:
    with pytest.raises(BehaviourError, match="no behavioural test 'gini'"):
        run_behavioral_tests(inputs)["gini"]
