"""Decisions are kept, the newest for a week holds, and those that make no sense are refused."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from hm_platform.calendar import WEEK
from hm_platform.modelling.model_store import Manifest
from hm_platform.serving.decisions import (
    SCHEMA,
    Decision,
    DecisionError,
    check_decision,
    newest_decision,
    with_decision,
)
from hm_platform.serving.published import Publication
from hm_platform.storage.model_folders import ModelFolderError
from tests.serving.rows import manifest

W = date(2018, 11, 7)
NOON = datetime.fromisoformat("2018-11-15 12:00")
OLD, CHALLENGER, LATER = (f"{W + n * WEEK}-0123456789" for n in (-1, 0, 1))
PUBLISHED = [
    Publication(W, CHALLENGER, "ranker", "passed"),
    Publication(W - WEEK, OLD, "ranker"),
]


def promote(version: str, reason: str = "why", week: date = W) -> Decision:
    return Decision("promote", week, version, reason)


def rollback(version: str, week: date = W) -> Decision:
    return Decision("rollback", week, version, "")


def test_decisions_are_added_to_those_there_are() -> None:
    first = with_decision(None, promote(OLD), NOON)
    both = with_decision(first, rollback(CHALLENGER), NOON + timedelta(hours=1))
    assert both.schema == SCHEMA
    assert both.slice(0, 1) == first
    assert both["model_version"].to_pylist() == [OLD, CHALLENGER]
    assert both["decided_at"].to_pylist() == [NOON, NOON + timedelta(hours=1)]


def test_without_a_decision_the_table_stays_as_it_is() -> None:
    table = with_decision(None, promote(OLD), NOON)
    assert with_decision(table, None, NOON) == table
    assert with_decision(None, None, NOON) == SCHEMA.empty_table()


def test_the_newest_decision_for_a_week_holds() -> None:
    table = with_decision(None, rollback(OLD), NOON)
    table = with_decision(table, promote(CHALLENGER), NOON - timedelta(hours=1))
    table = with_decision(table, promote(LATER, week=W + WEEK), NOON + timedelta(hours=1))
    assert newest_decision(table, W) == rollback(OLD)
    assert newest_decision(table, W + WEEK) == promote(LATER, week=W + WEEK)
    assert newest_decision(table, W - WEEK) is None
    assert newest_decision(None, W) is None


def test_of_two_in_the_same_moment_the_later_row_holds() -> None:
    table = with_decision(with_decision(None, promote(OLD), NOON), promote(CHALLENGER), NOON)
    assert newest_decision(table, W) == promote(CHALLENGER)


def stored(version: str) -> Manifest:
    if version == "gone":
        raise ModelFolderError("there is no stored model 'gone'")
    return manifest(version)


def check(
    decision: Decision, published: list[Publication] = PUBLISHED, passed: tuple[str, ...] = ()
) -> None:
    check_decision(decision, stored, published, lambda version: version in passed)


def test_an_earlier_model_that_was_published_or_has_passed_can_be_rolled_back_to() -> None:
    check(rollback(OLD))
    check(rollback(f"{W}-aaaaaaaaaa"), passed=(f"{W}-aaaaaaaaaa",))


def test_any_model_that_is_no_later_can_be_promoted_with_a_reason() -> None:
    check(promote(f"{W - 5 * WEEK}-aaaaaaaaaa"))
    check(promote(CHALLENGER), [])


def test_a_model_that_stands_in_can_be_promoted_for_good() -> None:
    check(promote(OLD), [Publication(W, OLD, "ranker", "last_published"), *PUBLISHED[1:]])


def test_what_is_still_published_can_be_decided_for_again_after_a_run_that_failed() -> None:
    # The decision for another one was kept, and its run ended before it was published.
    check_decision(promote(CHALLENGER), stored, PUBLISHED, lambda _: False, rollback(OLD))
    with pytest.raises(DecisionError, match="already"):
        check_decision(
            promote(CHALLENGER), stored, PUBLISHED, lambda _: False, rollback(CHALLENGER)
        )


@pytest.mark.parametrize(
    ("decision", "says"),
    [
        (promote("gone"), "there is no stored model 'gone'"),
        (promote(OLD, "  "), "Give a reason"),
        (promote(LATER), f"was trained for week {W + WEEK} and cannot serve week {W}"),
        (rollback(LATER), "cannot serve"),
        (promote(CHALLENGER), f"serves week {W} already"),
        (rollback(CHALLENGER), f"serves week {W} already"),
        (rollback(f"{W}-aaaaaaaaaa"), "was never published and has never passed its tests"),
        (Decision("dismiss", W, OLD, "why"), "'dismiss' is no decision"),
    ],
)
def test_what_makes_no_sense_is_refused(decision: Decision, says: str) -> None:
    with pytest.raises((DecisionError, ModelFolderError), match=says):
        check(decision)


def test_a_rollback_to_what_stands_in_changes_nothing_and_is_refused() -> None:
    with pytest.raises(DecisionError, match="serves week 2018-11-07 already"):
        check(rollback(OLD), [Publication(W, OLD, "ranker", "last_published")])
