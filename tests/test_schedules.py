"""The schedule of the night after a week as Dagster evaluates it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from dagster import (
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    RunRequest,
    SkipReason,
    build_schedule_context,
)

from hm_platform import schedules
from hm_platform.building import build_lock
from hm_platform.calendar import WEEK
from hm_platform.storage.taking_turns import taking_turns
from tests.home import FIRST, Home, week


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr("hm_platform.landing.index.SETTLED_S", 0)
    home = Home.at(tmp_path)
    monkeypatch.setattr(schedules, "SETTINGS", home.settings)
    return home


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    """A record on disk: a schedule that is tested opens its own."""
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def night(instance: DagsterInstance, after: date) -> RunRequest | SkipReason:
    """What the schedule says in the night after this week."""
    at = datetime.combine(after + WEEK, time(3), UTC)
    found = schedules.monday_night(build_schedule_context(instance, scheduled_execution_time=at))
    assert isinstance(found, RunRequest | SkipReason)
    return found


def why_not(instance: DagsterInstance, after: date) -> str:
    found = night(instance, after)
    assert isinstance(found, SkipReason), found
    return found.skip_message or ""


def test_the_nights_hours_come_after_the_last_day_of_a_week() -> None:
    hours, weekday = schedules.NIGHT_AFTER.split()[1], schedules.NIGHT_AFTER.split()[-1]
    assert (hours, int(weekday)) == ("3-5", FIRST.isoweekday() % 7)


def test_the_schedule_builds_a_week_that_nobody_has_built(
    home: Home, instance: DagsterInstance
) -> None:
    home.land_weeks(3)
    home.refresh()
    home.load()
    found = night(instance, week(2))
    assert isinstance(found, RunRequest)
    assert (found.partition_key, found.run_key) == (str(week(2)), str(week(2)))
    home.build(week(2))
    assert why_not(instance, week(2)) == f"week {week(2)} is published and up to date"
    home.land("late.csv", week(1))
    assert isinstance(night(instance, week(2)), RunRequest)


def test_the_schedule_starts_nothing_beside_what_goes_on(
    home: Home, instance: DagsterInstance
) -> None:
    home.land_weeks(3)
    home.refresh()
    home.load()
    run = instance.add_run(DagsterRun("build_week", status=DagsterRunStatus.STARTED))
    assert why_not(instance, week(2)).startswith("a run is going on (build_week, ")
    instance.report_run_canceled(run)
    with taking_turns(build_lock(home.settings)):
        assert why_not(instance, week(2)) == "`hm build` is going on: after it"
    assert isinstance(night(instance, week(2)), RunRequest)


def test_the_schedule_builds_no_week_whose_purchases_are_missing(
    home: Home, instance: DagsterInstance
) -> None:
    home.land_weeks(3)
    home.land("half.csv", week(3) + timedelta(days=3))
    home.refresh()
    home.load()
    for lacking in (week(3), week(4)):
        said = f"purchases of week {lacking} are missing, and no file is left to read"
        assert why_not(instance, lacking) == said
    # What nobody has read yet may have them.
    home.land("other_half.csv", week(3) + timedelta(days=6))
    assert isinstance(night(instance, week(3)), RunRequest)


def test_the_schedule_leaves_a_shop_alone_that_sells_nothing_or_has_nothing_loaded(
    home: Home, instance: DagsterInstance
) -> None:
    assert "no week is loaded yet" in why_not(instance, week(2))
    home.land_weeks(3)
    home.refresh()
    assert "no week is loaded yet" in why_not(instance, week(2))
    home.load()
    home.land("unread.csv", week(2))
    assert isinstance(night(instance, week(7)), RunRequest)
    assert why_not(instance, week(8)) == f"nothing has been sold since {week(2)}: no week is due"
