"""Who serves: decisions first, then a challenger that passed, then what served before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from hm_platform.calendar import WEEK
from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.model_store import Manifest
from hm_platform.modelling.restored import Stored, is_baseline
from hm_platform.serving.decisions import Decision
from hm_platform.serving.gate import Choice, GateError, best_baseline, choose
from hm_platform.serving.published import Publication
from tests.serving.rows import PASSED, failed, manifest, results

W = date(2018, 11, 7)
BEFORE = W - WEEK
X, X1, V, V2 = f"{W}-aaaaaaaaaa", f"{W}-bbbbbbbbbb", f"{BEFORE}-cccccccccc", f"{W - 2 * WEEK}-dd"
"""The challenger, one that was trained for its week before, and two of earlier weeks."""
VALIDATION = {"ranker": 0.3, "popularity": 0.1, "repurchase": 0.2, "co_purchase": 0.2}
CHALLENGER = manifest(X, **VALIDATION)
GOOD, BAD = results(W, X, PASSED), results(W, X, failed(), PASSED)


def chosen(
    tests: pa.Table | None = BAD,
    published: Sequence[Publication] = (),
    decision: Decision | None = None,
    broken: Sequence[str] = (),
    challenger: Manifest = CHALLENGER,
) -> Choice:
    """broken : versions that cannot be opened"""

    def opened(version: str, recommender: str) -> Stored:
        if version in broken and not is_baseline(recommender):
            raise ModellingError(f"the model in {version} lacks its weights.")
        return Stored(None, None)  # type: ignore[arg-type]

    def manifest_of(version: str) -> Manifest:
        return challenger if version == challenger.version else manifest(version, "two_tower")

    newest_first = sorted(published, key=lambda each: each.week, reverse=True)
    return choose(W, challenger, tests, decision, newest_first, opened, manifest_of)


def who(choice: Choice) -> tuple[str, str, str]:
    return choice.state, choice.version, choice.recommender


def by(week: date, version: str, recommender: str = "ranker", **more: Any) -> Publication:
    return Publication(week, version, recommender, **more)


def test_a_challenger_that_passed_serves_and_nothing_else_is_looked_at() -> None:
    found = chosen(GOOD, [by(BEFORE, V)], broken=[V])
    assert who(found) == ("passed", X, "ranker")
    assert found.reason == f"{X} passed its behavioural tests."
    assert found.failed == ()
    assert not found.is_fallback


STAND_IN = by(BEFORE, "popularity", "popularity", state="baseline")
LAST = [by(BEFORE, V), by(W - 2 * WEEK, V2, "two_tower")]


@pytest.mark.parametrize(
    ("published", "broken", "expected"),
    [
        (LAST, [], (V, "ranker")),
        (LAST, [V], (V2, "two_tower")),
        # Its own publication, of when it passed: the tests have become stricter since.
        ([by(W, X, state="passed"), *LAST], [], (V, "ranker")),
        # What served the week before it was trained again.
        ([by(W, X1, state="passed"), *LAST], [], (X1, "ranker")),
        ([by(W, X1, state="last_published"), *LAST], [], (X1, "ranker")),
        ([by(W, X1, state="passed"), *LAST], [X1], (V, "ranker")),
        # What was rolled back to, and what was promoted, in a week before.
        ([by(BEFORE, V2, "two_tower", state="rolled_back")], [], (V2, "two_tower")),
        # A baseline that beat its week's model was published by right, and needs no folder.
        ([by(BEFORE, V, "popularity"), LAST[1]], [V], (V, "popularity")),
        # One that only stood in was not.
        ([STAND_IN, LAST[1]], [], (V2, "two_tower")),
        # A later week knows what this one must not.
        ([by(W + WEEK, f"{W + WEEK}-ee"), *LAST], [], (V, "ranker")),
    ],
    ids=[
        "newest", "newest damaged", "its own", "trained again", "trained again, twice",
        "trained again and damaged", "rolled back", "a baseline that won",
        "a baseline that stood in", "a later week",
    ],
)  # fmt: skip
def test_for_one_that_failed_the_newest_other_that_can_be_opened_serves(
    published: list[Publication], broken: list[str], expected: tuple[str, str]
) -> None:
    found = chosen(BAD, published, broken=broken)
    assert who(found) == ("last_published", *expected)
    assert found.is_fallback
    assert found.failed == ("accuracy, against the last published: -0.05, needs at least -0.01",)


def test_the_reason_names_the_failed_tests_what_serves_and_what_could_not() -> None:
    assert chosen(BAD, LAST, broken=[V]).reason == (
        f"{X} failed 1 behavioural test that blocks publishing (accuracy, against the last "
        f"published: -0.05, needs at least -0.01). What was published last serves on: two_tower of "
        f"{V2}. {V} cannot be opened: the model in {V} lacks its weights."
    )
    two = chosen(results(W, X, failed(), failed("diversity")), LAST).reason
    assert two.startswith(f"{X} failed 2 behavioural tests that block publishing (accuracy, ")
    assert "; diversity, " in two


@pytest.mark.parametrize("published", [LAST, [by(W, X1, state="passed"), *LAST], []])
@pytest.mark.parametrize("broken", [[], [V]])
def test_to_ask_again_after_publishing_gives_the_same(
    published: list[Publication], broken: list[str]
) -> None:
    first = chosen(BAD, published, broken=broken)
    row = by(W, first.version, first.recommender, state=first.state, reason=first.reason)
    others = [each for each in published if each.week != W]
    assert chosen(BAD, [row, *others], broken=broken) == first


@pytest.mark.parametrize(
    ("published", "broken", "says"),
    [
        ([], [], "Nothing else was published that could serve on"),
        ([STAND_IN], [], "Nothing else was published that could serve on"),
        (LAST, [V, V2], "Nothing else that was published can be opened"),
    ],
)
def test_where_nothing_can_be_opened_the_best_baseline_of_the_validation_week_stands_in(
    published: list[Publication], broken: list[str], says: str
) -> None:
    found = chosen(BAD, published, broken=broken)
    assert who(found) == ("baseline", "co_purchase", "co_purchase")
    assert says in found.reason
    assert "stands in: co_purchase, whose MAP@12 there is 0.2000." in found.reason
    assert all(f"{version} cannot be opened" in found.reason for version in broken)
    assert found.is_fallback


def test_a_baseline_that_failed_as_the_weeks_own_does_not_stand_in_for_itself() -> None:
    challenger = replace(CHALLENGER, chosen="co_purchase")
    other_version = [by(BEFORE, V, "co_purchase"), by(W - 2 * WEEK, V2, "two_tower")]
    found = chosen(BAD, other_version, challenger=challenger)
    assert who(found) == ("last_published", V2, "two_tower")
    found = chosen(BAD, other_version[:1], challenger=challenger)
    assert who(found) == ("baseline", "repurchase", "repurchase")


def test_the_best_baseline_where_nobody_bought_is_best_sellers() -> None:
    assert best_baseline({}, without="ranker") == ("popularity", None)
    assert best_baseline({}, without="popularity") == ("segment_popularity", None)
    assert best_baseline({"ranker": {"map": 1.0}}, without="ranker") == ("popularity", None)


@pytest.mark.parametrize(
    ("tests", "says"),
    [
        (None, "have not been run: materialise evaluation/behavioral_report first"),
        (results(BEFORE, X, PASSED), "have not been run: materialise"),
        (results(W, X1, PASSED), f"have not been run \\(tested was {X1}\\): materialise"),
    ],
)
def test_one_that_was_not_tested_is_neither_published_nor_replaced(
    tests: pa.Table | None, says: str
) -> None:
    with pytest.raises(GateError, match=says) as raised:
        chosen(tests, LAST)
    assert X in str(raised.value)
    assert "What was published stays" in str(raised.value)


def test_who_is_promoted_serves_whatever_its_tests_say() -> None:
    found = chosen(BAD, LAST, Decision("promote", W, X, " a known gap\n"))
    assert who(found) == ("promoted", X, "ranker")
    assert found.reason == "a known gap"
    assert len(found.failed) == 1
    assert not found.is_fallback


@pytest.mark.parametrize("tests", [GOOD, BAD, None], ids=["passed", "failed", "not tested"])
def test_who_is_rolled_back_to_serves_whatever_the_challengers_tests_say(tests) -> None:
    found = chosen(tests, LAST, Decision("rollback", W, V, ""))
    assert who(found) == ("rolled_back", V, "two_tower")
    assert found.reason == f"Rolled back to {V}."
    assert not found.is_fallback


def test_a_decision_that_cannot_be_carried_out_is_said_and_nothing_else_serves() -> None:
    with pytest.raises(GateError, match=f"decided that {V} serves week {W}.*lacks its weights"):
        chosen(GOOD, LAST, Decision("rollback", W, V, ""), broken=[V])
