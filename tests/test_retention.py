"""What goes of old weeks and what stays, told from records alone."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from hm_platform import retention
from hm_platform.retention import TABLES, Records, plan
from hm_platform.serving.published import Publication
from hm_platform.storage.tables import StoredWeek
from tests.built_weeks import version
from tests.home import week


def published(number: int, by: str | None = None, state: str = "passed") -> Publication:
    return Publication(week(number), by or version(number), "ranker", state)


def records(built: int, **more: Any) -> Records:
    """Weeks that were built and published, each by its own model."""
    numbers = range(built)
    known: dict[str, Any] = {
        "tables": {table: [StoredWeek(week(n), rows=10) for n in numbers] for table in TABLES},
        "pointers": {week(n): version(n) for n in numbers},
        "versions": {version(n): 1000 for n in numbers},
        "publications": [published(n) for n in numbers],
    }
    return Records(**{**known, **more})


def test_old_weeks_lose_splits_and_features_and_keep_the_models_that_serve_them() -> None:
    found = plan(records(6), 4)
    assert found.oldest == week(2)
    assert found.weeks == [week(0), week(1)]
    assert set(found.tables) == set(TABLES)
    assert found.pointers == (week(0), week(1))
    assert found.versions == {}
    assert found.kept_versions == {
        version(0): f"serves week {week(0)}",
        version(1): f"serves week {week(1)}",
    }


@pytest.mark.parametrize("keep", [0, 6, 7, 100])
def test_nothing_goes_where_no_week_is_old_enough_or_all_are_kept(keep: int) -> None:
    assert plan(records(6), keep).is_empty
    assert plan(Records(), keep).is_empty


def test_a_negative_number_of_weeks_makes_no_sense() -> None:
    with pytest.raises(ValueError, match="negative"):
        plan(records(1), -1)


def test_a_model_goes_that_nobody_asks_for() -> None:
    retrained = {version(n, d): 1000 for n in range(6) for d in "0ab"}
    found = plan(records(6, versions=retrained, passed=frozenset({version(0, "b")})), 4)
    assert set(found.versions) == {version(0, "a"), version(1, "a"), version(1, "b")}
    assert "hm rollback" in found.kept_versions[version(0, "b")]
    # Of the weeks that are kept every model stays.
    assert all(date.fromisoformat(each[:10]) >= week(2) for each in retrained.keys()
               - found.versions.keys() - found.kept_versions.keys())  # fmt: skip


def test_a_model_stays_that_serves_another_week_or_was_decided_for() -> None:
    publications = [published(n, version(0), "last_published") for n in range(6)]
    found = plan(records(6, publications=publications, decided=frozenset({version(1)})), 3)
    assert found.versions == {version(2): 1000}
    assert found.kept_versions == {
        version(0): f"serves week {week(5)} and 5 more",
        version(1): "somebody has decided for it",
    }


def test_weeks_that_were_only_backtested_count_and_the_newest_published_stays() -> None:
    found = plan(records(6, publications=[published(0)]), 2)
    assert found.kept_weeks == {week(0): "the newest published week"}
    assert found.pointers == (week(1), week(2), week(3))
    assert set(found.versions) == {version(1), version(2), version(3)}
    trained_again = records(6, publications=[published(0, version(0, "a"))])
    kept = plan(trained_again, 2).kept_versions
    assert kept == {version(0): f"is the model of week {week(0)}, which stays"}


def test_a_week_that_was_half_removed_is_removed_whole() -> None:
    half = records(6)
    tables = {TABLES[7]: half.tables[TABLES[7]]}
    pointers = {week(n): version(n) for n in range(1, 6)}
    found = plan(records(6, tables=tables, pointers=pointers), 4)
    assert found.weeks == [week(0), week(1)]
    assert set(found.tables) == {TABLES[7]}


def test_neighbouring_weeks_are_removed_at_once() -> None:
    weeks = [week(5), week(0), week(1), week(3)]
    assert retention._ranges(weeks) == [
        (week(0), week(2)), (week(3), week(4)), (week(5), week(6)),
    ]  # fmt: skip
