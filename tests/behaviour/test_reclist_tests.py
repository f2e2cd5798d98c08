"""RecList collects and runs the tests, and leaves no trace but their results."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import rich
from reclist.reclist import RecList

from hm_platform.behaviour import comparing, measures
from hm_platform.behaviour.bootstrap import Bootstrap
from hm_platform.behaviour.inputs import BehaviourError, ReportInputs
from hm_platform.behaviour.reclist_tests import BehavioralRecList, run_behavioral_tests
from hm_platform.behaviour.results import BehavioralResults

TESTS = [
    *("accuracy", "baselines", "last_published"),
    *("activity", "age", "club_status", "channel"),
    *("product_group", "article_popularity", "article_age"),
    *("cold_customers", "as_if_new", "cold_articles"),
    *("repeats", "coverage", "concentration", "popularity", "novelty", "diversity", "price_fit"),
    *("agreement", "near_misses", "stability", "sanity", "leakage"),
]


def test_reclist_is_the_harness(inputs: ReportInputs) -> None:
    rec_list = BehavioralRecList(inputs)
    assert isinstance(rec_list, RecList)
    assert [test.test_type for test in rec_list.rec_tests.values()] == TESTS


def test_results_are_those_of_the_measures(
    inputs: ReportInputs, results: BehavioralResults
) -> None:
    assert [test.name for test in results.tests] == TESTS
    assert results["accuracy"].result == measures.accuracy(inputs)
    assert results["accuracy"].effects == tuple(
        comparing.accuracy(inputs, Bootstrap(inputs.n, inputs.seed))
    )
    assert results.week == inputs.week


def test_the_board_has_the_metrics_of_every_recommender(
    inputs: ReportInputs, results: BehavioralResults
) -> None:
    assert list(results.board) == [r.name for r in inputs.recommenders]
    assert list(results.board["two_tower"]) == list(results["accuracy"].effects)


def test_names_of_effects_are_distinct_within_a_test(rich_results: BehavioralResults) -> None:
    for test in rich_results.tests:
        names = [effect.name for effect in test.effects]
        assert len(names) == len(set(names)), test.name


def test_another_seed_moves_intervals_and_not_values(
    inputs: ReportInputs, results: BehavioralResults
) -> None:
    other = run_behavioral_tests(replace(inputs, seed=1))
    for mine, theirs in zip(results.tests, other.tests, strict=True):
        assert [e.value for e in mine.effects] == [e.value for e in theirs.effects]
    # Many values are shared by replicates of four customers: not every end moves.
    assert other["baselines"].effects != results["baselines"].effects


def test_only_the_challenger_s_faults_are_judged(make_inputs: Callable[..., ReportInputs]) -> None:
    good, broken = [[0, 1, 2]] * 4, [[0, 0, 7]] * 4
    lists = {"two_tower": good, "popularity": broken}
    judged = run_behavioral_tests(make_inputs(lists=lists)).verdict()
    assert not judged.tests()["sanity"][0].failed
    assert judged.passed
    theirs = run_behavioral_tests(make_inputs(lists=lists, challenger="popularity")).verdict()
    assert [j.effect.name for j in theirs.blocking] == ["customers with duplicates", "not sellable"]
    assert not theirs.passed


def test_descriptions_are_the_docstrings_on_one_line(inputs: ReportInputs) -> None:
    for test in run_behavioral_tests(inputs).tests:
        assert len(test.description) > 40
        assert "\n" not in test.description
        assert "  " not in test.description


def test_details_fit_into_json(results: BehavioralResults) -> None:
    for test in results.tests:
        assert json.loads(json.dumps(test.result, allow_nan=False)) == test.result


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
