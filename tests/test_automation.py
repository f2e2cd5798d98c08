"""The sensors as Dagster evaluates them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path

import pytest
from dagster import (
    AssetKey,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    ExecuteInProcessResult,
    RepositoryDefinition,
    RunRequest,
    SkipReason,
    build_run_status_sensor_context,
    build_sensor_context,
    job,
    op,
)

from hm_platform import sensors
from hm_platform.alerts import FAILURES_TAG, JOB_FAILURES_TAG, LATE_AFTER
from hm_platform.calendar import WEEK
from hm_platform.landing.entry import Entry, from_table, to_table
from hm_platform.landing.zone import DatasetInfo, LandingZone
from hm_platform.notifying import Notice
from hm_platform.settings import HM_FIRST_WEEK_DEFAULT, Settings
from hm_platform.storage.tables import TableError
from tests.home import Home, now, week
from tests.landing.landed import put


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """The home of the sensors; nobody waits there for files to rest."""
    monkeypatch.setattr("hm_platform.landing.index.SETTLED_S", 0)
    home = Home.at(tmp_path, landing_quiet_seconds=0)
    monkeypatch.setattr(sensors, "SETTINGS", home.settings)
    monkeypatch.setattr("hm_platform.settings.load_settings", lambda: home.settings)
    return home


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(scope="module")
def repository() -> RepositoryDefinition:
    from hm_platform.definitions import defs

    return defs.get_repository_def()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Notice]:
    told: list[Notice] = []

    def take(notice: Notice, settings: Settings) -> None:
        told.append(notice)

    monkeypatch.setattr(sensors, "notify", take)
    return told


def request(instance: DagsterInstance, repository: RepositoryDefinition) -> RunRequest:
    """What the sensor says to Dagster, and Dagster takes."""
    context = build_sensor_context(instance, repository_def=repository)
    tick = sensors.landing_zone.evaluate_tick(context)
    assert tick.skip_message is None
    [found] = tick.run_requests or ()
    return found


def test_dagster_gets_jobs_with_their_weeks_and_reasons(
    home: Home, instance: DagsterInstance, repository: RepositoryDefinition
) -> None:
    home.land_weeks(3)
    looks = request(instance, repository)
    assert (looks.job_name, looks.partition_key) == ("refresh_landing", None)
    assert looks.tags["hm_platform/because"] == "nothing is loaded yet"
    assert looks.tags[FAILURES_TAG] == "0"
    assert AssetKey(["raw", "customers"]) in (looks.asset_selection or ())
    home.refresh()

    loads = request(instance, repository)
    assert (loads.job_name, loads.partition_key) == ("load_weeks", None)
    assert loads.tags["dagster/asset_partition_range_start"] == str(week(0))
    assert loads.tags["dagster/asset_partition_range_end"] == str(week(2))
    home.load(week(0), week(1))

    load = request(instance, repository)
    assert (load.job_name, load.partition_key) == ("load_weeks", str(week(2)))
    assert "dagster/asset_partition_range_start" not in load.tags
    home.load()

    builds = request(instance, repository)
    assert (builds.job_name, builds.partition_key) == ("build_week", str(week(2)))
    assert len({r.tags["hm_platform/work"] for r in (looks, loads, load, builds)}) == 4
    assert {r.asset_selection for r in (loads, load, builds)} == {None}

    home.build(week(2))
    home.land("late.csv", week(1))
    look = request(instance, repository)
    assert AssetKey(["raw", "landed_files"]) in (look.asset_selection or ())
    assert AssetKey(["raw", "customers"]) not in (look.asset_selection or ())


def test_the_week_that_has_just_begun_can_be_asked_for(
    home: Home, instance: DagsterInstance, repository: RepositoryDefinition
) -> None:
    going_on = home.settings.calendar.week_of(now().date())
    home.land("first day.csv", going_on)
    home.refresh()
    assert request(instance, repository).partition_key == str(going_on)


def test_of_an_attempt_there_is_one_run_and_the_next_attempt_is_another(
    home: Home,
    instance: DagsterInstance,
    repository: RepositoryDefinition,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home.land_weeks(1)
    first = request(instance, repository)
    assert request(instance, repository).run_key == first.run_key
    [work] = sensors.to_refresh(home.settings, home.records)
    monkeypatch.setattr("hm_platform.attempts.PAUSES", (timedelta(),))
    keys = {first.run_key}
    for failures in range(1, 15):
        instance.add_run(DagsterRun(work.job, tags=work.tags, status=DagsterRunStatus.FAILURE))
        again = request(instance, repository)
        assert again.tags[FAILURES_TAG] == str(failures)
        keys.add(again.run_key)
    assert len(keys) == 15


def test_failures_of_a_job_are_counted_over_all_files(
    home: Home, instance: DagsterInstance, repository: RepositoryDefinition
) -> None:
    def ends(tags: Mapping[str, str], status: DagsterRunStatus) -> None:
        instance.add_run(DagsterRun("refresh_landing", tags=tags, status=status))

    for failures in range(30):
        home.land(f"{failures}.csv", week(0))
        looks = request(instance, repository)
        assert (looks.tags[FAILURES_TAG], looks.tags[JOB_FAILURES_TAG]) == ("0", str(failures))
        ends(looks.tags, DagsterRunStatus.FAILURE)
    # A person's say nothing of those before them, and what was cancelled did not fail.
    ends({}, DagsterRunStatus.FAILURE)
    ends({}, DagsterRunStatus.CANCELED)
    home.land("more.csv", week(0))
    assert request(instance, repository).tags[JOB_FAILURES_TAG] == "31"
    ends({}, DagsterRunStatus.SUCCESS)
    assert request(instance, repository).tags[JOB_FAILURES_TAG] == "0"


def why_none(instance: DagsterInstance, repository: RepositoryDefinition) -> str:
    """What the sensor says when it asks for nothing."""
    context = build_sensor_context(instance, repository_def=repository)
    tick = sensors.landing_zone.evaluate_tick(context)
    assert tick.run_requests == []
    return tick.skip_message or ""


def test_the_sensor_says_why_it_asks_for_nothing(
    instance: DagsterInstance, repository: RepositoryDefinition
) -> None:
    # In the home of all tests, with the settings that were read at import.
    assert why_none(instance, repository) == "nothing has landed"


def test_nothing_is_asked_for_by_settings_that_a_run_would_not_have(
    instance: DagsterInstance,
    repository: RepositoryDefinition,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    # The environment comes first, for the daemon as for its runs.
    (tmp_path / ".env").write_text("HM_TRAIN_WEEKS=52\n")
    assert why_none(instance, repository) == "nothing has landed"
    monkeypatch.delenv("HM_TRAIN_WEEKS")
    (tmp_path / ".env").write_text("HM_TRAIN_WEEKS=52\nHM_SEED=7\n")
    said = "HM_TRAIN_WEEKS, HM_SEED changed in .env since the daemon started: restart it"
    assert why_none(instance, repository) == said
    for broken in (b"HM_SEED=seven\n", b"HM_SEDE=7\n", b"HM_SEED=\xff\n"):
        (tmp_path / ".env").write_bytes(broken)
        assert why_none(instance, repository).startswith(".env cannot be used any more: ")


def test_nothing_is_asked_for_by_weeks_that_a_run_would_not_have(
    instance: DagsterInstance,
    repository: RepositoryDefinition,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HM_FIRST_WEEK", "HM_LANDING"):
        monkeypatch.delenv(name, raising=False)

    def started() -> Settings:
        return Settings(home=tmp_path)

    daemon = started()
    assert daemon.calendar.first_week == HM_FIRST_WEEK_DEFAULT
    monkeypatch.setattr(sensors, "SETTINGS", daemon)
    monkeypatch.setattr("hm_platform.settings.load_settings", started)
    assert why_none(instance, repository) == "nothing has landed"
    zone = LandingZone(tmp_path / "landing")
    zone.root.mkdir()
    zone.write_dataset_info(DatasetInfo("another", date(2016, 12, 26)))
    assert why_none(instance, repository) == (
        "dataset.toml has come or changed since the daemon started: weeks begin on Mondays, from "
        "2016-12-26 on, and it counts them from 2018-09-19: restart it"
    )
    put(zone, "dataset.toml", "first_week = soon")
    assert why_none(instance, repository).startswith("not now: ")
    put(zone, "dataset.toml", 'name = "another"\nfirst_week = 2018-09-19')
    assert why_none(instance, repository) == "nothing has landed"


def fail(instance: DagsterInstance, name: str, tags: dict[str, str]) -> ExecuteInProcessResult:
    """A run of a job of this name that has no room."""

    @op
    def breaks() -> None:
        raise OSError("no space left")

    @job(name=name)
    def failing() -> None:
        breaks()

    return failing.execute_in_process(instance=instance, raise_on_error=False, tags=tags)


def hear_of(instance: DagsterInstance, failed: ExecuteInProcessResult) -> None:
    """What Dagster does when a run has failed."""
    context = build_run_status_sensor_context(
        "failed_runs", failed.get_run_failure_event(), instance, failed.dagster_run
    )
    sensors.failed_runs(context.for_run_failure())


@pytest.mark.parametrize(
    ("tags", "notices"), [({}, 1), ({FAILURES_TAG: "1"}, 0), ({FAILURES_TAG: "2"}, 1)]
)
def test_a_failed_run_is_told_with_its_reason(
    home: Home, instance: DagsterInstance, told: list[Notice], tags: dict[str, str], notices: int
) -> None:
    home.land_weeks(3)
    home.refresh()
    run = fail(instance, "load_weeks", tags)
    hear_of(instance, run)
    assert len(told) == notices
    for notice in told:
        assert notice.subject == "load_weeks failed"
        assert "breaks: OSError: no space left" in notice.text
        assert run.run_id in notice.text


def test_a_run_that_fails_when_its_work_is_recorded_is_told_at_once(
    home: Home, instance: DagsterInstance, told: list[Notice]
) -> None:
    home.land_weeks(3)
    home.refresh()
    home.load()
    first = fail(instance, "build_week", {FAILURES_TAG: "0"})
    hear_of(instance, first)
    assert told == []
    home.build(week(2))
    last = fail(instance, "build_week", {FAILURES_TAG: "1"})
    # The first was tried again, whatever became of that.
    hear_of(instance, first)
    assert told == []
    hear_of(instance, last)
    assert [notice.subject for notice in told] == ["build_week failed"]
    assert "is not tried again" in told[0].text


def test_a_look_that_fails_and_then_waits_for_files_to_rest_is_tried_again(
    home: Home,
    instance: DagsterInstance,
    told: list[Notice],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patient = home.settings.model_copy(update={"landing_quiet_seconds": 3600})
    monkeypatch.setattr(sensors, "SETTINGS", patient)
    home.land_weeks(3)
    hear_of(instance, fail(instance, "refresh_landing", {FAILURES_TAG: "0"}))
    assert told == []
    home.refresh()
    home.load()
    home.land("1.csv", week(1))
    hear_of(instance, fail(instance, "build_week", {FAILURES_TAG: "0"}))
    assert told == []


def late_weeks(instance: DagsterInstance, cursor: str | None) -> tuple[str, str | None]:
    """What the sensor says, and its cursor after that."""
    context = build_sensor_context(instance, cursor=cursor)
    found = sensors.late_weeks(context)
    assert isinstance(found, SkipReason)
    return found.skip_message or "", context.cursor


def test_a_late_week_is_told_once(
    home: Home, instance: DagsterInstance, told: list[Notice]
) -> None:
    due = home.settings.calendar.week_of((now() - LATE_AFTER).date()) - WEEK
    said, cursor = late_weeks(instance, None)
    assert (said, cursor, told) == ("no week is late", None, [])

    home.land("new.csv", due, due + timedelta(days=6))
    home.refresh()
    said, cursor = late_weeks(instance, None)
    assert said == f"week {due} is late: people are told"
    assert [notice.subject for notice in told] == [f"week {due} is late"]
    assert "load_weeks is about to start" in told[0].text
    assert late_weeks(instance, cursor) == (f"week {due} is late, and people were told", cursor)
    assert late_weeks(instance, str(due - WEEK))[1] == str(due)
    assert len(told) == 2

    home.record("serving", "publications", "week", {due: "made"})
    assert late_weeks(instance, cursor)[0] == "no week is late"


def test_a_week_that_nobody_can_look_up_is_told_once_when_it_would_be_late(
    home: Home, instance: DagsterInstance, told: list[Notice], monkeypatch: pytest.MonkeyPatch
) -> None:
    due = home.settings.calendar.week_of((now() - LATE_AFTER).date()) - WEEK
    home.record("serving", "publications", "week", {due - WEEK: "made"})
    seen = late_weeks(instance, None)[1]
    assert seen == str(due - WEEK)

    def held(*_: object, **__: object) -> None:
        raise TableError("the warehouse has been in use by another process")

    monkeypatch.setattr(sensors, "read_records", held)
    said, cursor = late_weeks(instance, seen)
    assert (said.split(":")[0], cursor) == (
        f"week {due} may be late, and people are told",
        str(due),
    )
    assert [notice.subject for notice in told] == [f"week {due} may be late"]
    assert "in use by another process" in told[0].text
    for quiet in (cursor, None, str(due - 6 * WEEK)):
        assert late_weeks(instance, quiet)[0].startswith("not now: the warehouse has been in use")
    assert len(told) == 1


def test_what_is_held_back_is_missing_in_a_late_week(
    home: Home, instance: DagsterInstance, told: list[Notice]
) -> None:
    due = home.settings.calendar.week_of((now() - LATE_AFTER).date()) - WEEK
    home.land("new.csv", due)
    home.refresh()
    held = Entry("transactions/held.csv", "transactions", 1, last_day=due + WEEK, state="held")
    home.write("raw", "landed_files", to_table([*from_table(home.records.index), held]))
    late_weeks(instance, None)
    assert f"of {due}: files are missing" in told[0].text


def test_automation_can_be_turned_off() -> None:
    script = (
        "from hm_platform.schedules import SCHEDULES; from hm_platform.sensors import SENSORS; "
        "print({each.default_status.value for each in [*SENSORS, *SCHEDULES]})"
    )
    for value, status in (("off", "STOPPED"), ("on", "RUNNING")):
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "HM_AUTOMATION": value},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == str({status})
