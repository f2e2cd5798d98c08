"""What is asked for, in homes that change while nobody looks."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus

from hm_platform import catching_up
from hm_platform.attempts import PAUSES, Ready
from hm_platform.building import build_lock
from hm_platform.catching_up import PATIENCE, Work, to_load
from hm_platform.landing.zone import DATASETS, LandedFile, LandingZone
from hm_platform.runs import turns_lock
from hm_platform.sensors import look
from hm_platform.storage.taking_turns import taking_turns
from tests.home import QUIET, Home, now, week
from tests.landing.landed import HEADER, header, put, row

UP_TO_DATE = "everything is up to date"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr("hm_platform.landing.index.SETTLED_S", 0)
    return Home.at(tmp_path)


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as instance:
        yield instance


def rested() -> datetime:
    """A moment at which nobody has touched any file for a while."""
    return now() + 2 * QUIET


def asked(home: Home, instance: DagsterInstance, at: datetime | None = None) -> Ready:
    found = look(home.settings, instance, at or rested())
    assert isinstance(found, Ready), found
    return found


def why_not(home: Home, instance: DagsterInstance, at: datetime | None = None) -> str:
    found = look(home.settings, instance, at or rested())
    assert isinstance(found, str), found
    return found


def ended(instance: DagsterInstance, work: Work, status: str = "SUCCESS") -> DagsterRun:
    run = DagsterRun(work.job, tags=work.tags, status=DagsterRunStatus(status))
    return instance.add_run(run)


def catch_up(home: Home, instance: DagsterInstance) -> list[Work]:
    """All that is asked for, one run after another, until nothing is."""
    works = []
    while isinstance(found := look(home.settings, instance, rested()), Ready):
        home.do(found.work)
        ended(instance, found.work)
        works.append(found.work)
        assert len(works) < 20
    assert found == UP_TO_DATE
    return works


def jobs(works: list[Work]) -> list[str]:
    return [work.job for work in works]


def test_a_look_lists_the_landing_zone_once_and_reads_the_code_once(
    home: Home, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.land_weeks(4)
    catch_up(home, instance)
    listed, read = [], []

    def files(zone: LandingZone, dataset: str, files: Any = LandingZone.files) -> Any:
        listed.append(dataset)
        return files(zone, dataset)

    def fingerprint(fingerprint: Any = catching_up.code_fingerprint) -> str:
        read.append("code")
        return fingerprint()

    monkeypatch.setattr(LandingZone, "files", files)
    monkeypatch.setattr(catching_up, "code_fingerprint", fingerprint)
    assert why_not(home, instance) == UP_TO_DATE
    assert listed == [*DATASETS]
    assert read == ["code"]


ALL = ["refresh_landing", "load_weeks", "build_week"]


def test_nothing_is_asked_for_where_nothing_has_landed(
    home: Home, instance: DagsterInstance
) -> None:
    assert why_not(home, instance) == "nothing has landed"


def test_files_become_loaded_weeks_and_the_newest_is_built(
    home: Home, instance: DagsterInstance
) -> None:
    home.land_weeks(4)
    works = catch_up(home, instance)
    assert jobs(works) == ALL
    assert [work.weeks for work in works[1:]] == [(week(0), week(3)), (week(3), week(3))]
    assert catch_up(home, instance) == []

    home.land("4.csv", week(4), week(4) + timedelta(days=6))
    works = catch_up(home, instance)
    assert jobs(works) == ALL
    assert {work.weeks for work in works[1:]} == {(week(4), week(4))}


def test_late_purchases_load_their_week_and_build_the_newest_again(
    home: Home, instance: DagsterInstance
) -> None:
    home.land_weeks(4)
    catch_up(home, instance)
    home.land("late.csv", week(1))
    works = catch_up(home, instance)
    assert jobs(works) == ALL
    assert [work.partition for work in works] == [None, str(week(1)), str(week(3))]


def test_a_new_article_builds_again_and_loads_nothing(
    home: Home, instance: DagsterInstance
) -> None:
    home.land_weeks(3)
    catch_up(home, instance)
    home.land_articles("0108775015", "0108775016")
    assert jobs(catch_up(home, instance)) == ["refresh_landing", "build_week"]


def test_a_new_customer_builds_again_and_loads_nothing(
    home: Home, instance: DagsterInstance
) -> None:
    home.land_weeks(3)
    catch_up(home, instance)
    put(
        home.settings.landing_zone,
        "customers/c.csv",
        [header("customers"), row("customers", customer_id="c9")],
    )
    assert jobs(catch_up(home, instance)) == ["refresh_landing", "build_week"]


def test_a_thousand_files_in_one_night_load_each_of_their_weeks_once(
    home: Home, instance: DagsterInstance
) -> None:
    home.land_weeks(5)
    catch_up(home, instance)
    for number in range(1000):
        day = week(1 if number % 2 else 3) + timedelta(days=number % 7)
        purchase = f"{day},c{number},0108775015,0.05,1"
        put(home.settings.landing_zone, f"transactions/till/{number}.csv", [HEADER, purchase])
    works = catch_up(home, instance)
    assert jobs(works) == ["refresh_landing", "load_weeks", "load_weeks", "build_week"]
    assert {work.weeks for work in works[1:3]} == {(week(1), week(1)), (week(3), week(3))}
    assert works[3].partition == str(week(4))
    assert sum(entry.rows_loaded for entry in home.records.entries) == 1011


def test_the_week_that_goes_on_is_loaded_day_by_day_and_not_built(
    home: Home, instance: DagsterInstance
) -> None:
    home.land_weeks(3)
    going_on = home.settings.calendar.week_of(now().date())
    home.land("first day.csv", going_on)
    works = catch_up(home, instance)
    assert works[1].weeks is not None
    assert works[1].weeks[1] == going_on
    partitions = home.settings.calendar.partitions()
    assert partitions.get_last_partition_key() == str(going_on)
    assert [work.partition for work in works if work.job == "build_week"] == [str(week(2))]


def test_what_a_killed_run_left_undone_is_asked_for_again(
    home: Home, instance: DagsterInstance
) -> None:
    home.land_weeks(4)
    home.index()
    assert asked(home, instance).work.job == "refresh_landing"
    home.refresh()
    home.load(week(0), week(1))
    assert asked(home, instance).work.weeks == (week(2), week(3))


def test_files_that_have_just_come_are_left_until_they_rest(
    home: Home, instance: DagsterInstance
) -> None:
    home.land_weeks(2)
    assert "3 files have just come or changed" in why_not(home, instance, now())
    assert asked(home, instance).work.job == "refresh_landing"


def test_a_file_that_grows_keeps_no_other_from_being_read_loaded_and_built(
    home: Home, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = "transactions/growing.csv"

    def files(zone: LandingZone, dataset: str, files: Any = LandingZone.files) -> list[LandedFile]:
        """All but one have rested for as long as anybody waits."""
        rested = PATIENCE.total_seconds()
        return [
            each if each.uri == uri else replace(each, changed_at=each.changed_at - rested)
            for each in files(zone, dataset)
        ]

    def done(home: Home) -> Work:
        work = asked(home, instance, now()).work
        home.do(work)
        return work

    monkeypatch.setattr(LandingZone, "files", files)
    home.land_weeks(3)
    home.refresh()
    home.land("growing.csv", week(1))
    assert done(home).weeks == (week(0), week(2))
    assert done(home).job == "build_week"
    assert "1 files have just come or changed" in why_not(home, instance, now())

    home.land("late.csv", week(0))
    home.land("growing.csv", week(1), week(2))
    assert asked(home, instance, now()).work.job == "refresh_landing"
    home.refresh(QUIET)
    home.land("growing.csv", week(1), week(2), week(2))
    assert done(home).weeks == (week(0), week(0))
    assert done(home).job == "build_week"
    assert why_not(home, instance, now()) == UP_TO_DATE
    assert asked(home, instance).work.because.endswith(uri)


def test_what_is_sent_again_or_has_gone_is_not_loaded_as_it_was(
    home: Home, instance: DagsterInstance
) -> None:
    home.land_weeks(3)
    home.refresh()
    assert asked(home, instance, now()).work.job == "load_weeks"
    sent_again = home.land("1.csv", week(1))
    assert "1 files have just come or changed" in why_not(home, instance, now())
    sent_again.unlink()
    home.land("new.csv", week(1))
    assert "1 files have just come or changed" in why_not(home, instance, now())


def test_nothing_is_unloaded_by_an_index_that_another_version_made(
    home: Home, instance: DagsterInstance
) -> None:
    home.land_weeks(3)
    home.refresh()
    home.load()
    home.write("raw", "landed_files", home.records.index.drop_columns(["check_again_on"]))
    assert to_load(home.settings, home.records) == []
    assert "4 files have just come or changed" in why_not(home, instance, now())
    assert asked(home, instance).work.job == "refresh_landing"


def test_while_a_run_goes_on_nothing_is_asked_for(home: Home, instance: DagsterInstance) -> None:
    home.land_weeks(3)
    run = instance.add_run(DagsterRun("build_week", status=DagsterRunStatus.STARTED))
    said = f"a run is going on (build_week, {run.run_id[:8]}): after it"
    assert why_not(home, instance) == said
    instance.report_run_canceled(run)
    assert asked(home, instance).work.job == "refresh_landing"


def test_what_a_person_has_cancelled_is_not_started_again_at_once(
    home: Home, instance: DagsterInstance
) -> None:
    home.land_weeks(3)
    tags = asked(home, instance).work.tags
    run = instance.add_run(
        DagsterRun("refresh_landing", status=DagsterRunStatus.STARTED, tags=tags)
    )
    instance.report_run_canceled(run)
    assert why_not(home, instance).startswith("refresh_landing was cancelled: again at ")


def test_a_run_whose_process_is_gone_holds_up_nothing(
    home: Home, instance: DagsterInstance
) -> None:
    home.land_weeks(3)
    run = instance.add_run(DagsterRun("build_week", status=DagsterRunStatus.STARTED))
    mark = home.settings.home / "runs" / f"{run.run_id}.lock"
    mark.parent.mkdir(parents=True)
    mark.touch()
    assert asked(home, instance).work.job == "refresh_landing"


def test_while_hm_build_goes_on_nothing_is_asked_for(home: Home, instance: DagsterInstance) -> None:
    home.land_weeks(3)
    with taking_turns(build_lock(home.settings)):
        assert why_not(home, instance) == "`hm build` is going on: after it"
    assert asked(home, instance).work.job == "refresh_landing"


def test_while_a_run_from_another_record_works_nothing_is_asked_for(
    home: Home, instance: DagsterInstance
) -> None:
    home.land_weeks(3)
    with taking_turns(turns_lock(home.settings.home)):
        assert "does not know" in why_not(home, instance)
    assert asked(home, instance).work.job == "refresh_landing"


HOLD = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def test_a_warehouse_that_somebody_holds_is_looked_at_later(
    home: Home, instance: DagsterInstance
) -> None:
    home.land_weeks(3)
    home.refresh()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home.settings.warehouse)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        started = time.monotonic()
        said = why_not(home, instance)
        assert time.monotonic() - started < 30
        holder.communicate()
    assert said.startswith("not now: ")
    assert "in use by another process" in said
    assert asked(home, instance).work.job == "load_weeks"


def test_a_landing_zone_that_cannot_be_understood_is_looked_at_later(
    home: Home, instance: DagsterInstance
) -> None:
    home.land_weeks(3)
    (home.settings.landing_zone.root / "dataset.toml").write_text("name = ")
    assert "dataset.toml is not valid TOML" in why_not(home, instance)


def test_a_run_that_failed_is_asked_for_again_after_a_pause(
    home: Home, instance: DagsterInstance
) -> None:
    home.land_weeks(1)
    home.refresh()
    first = asked(home, instance)
    run = ended(instance, first.work, "FAILURE")
    said = why_not(home, instance, now() + PAUSES[0] / 2)
    assert said.startswith(f"load_weeks of {week(0)} to {week(0)} failed 1 times: again at ")
    second = asked(home, instance, now() + PAUSES[0])
    assert second == Ready(first.work, run.run_id, 1)


def test_a_build_that_cannot_succeed_is_not_asked_for(
    home: Home, instance: DagsterInstance
) -> None:
    home.land_weeks(4)
    home.refresh()
    home.load(week(0), week(1), week(2))
    load = asked(home, instance).work
    assert load.weeks == (week(3), week(3))
    for _ in range(4):
        ended(instance, load, "FAILURE")
    assert why_not(home, instance).startswith(
        f"load_weeks of {week(3)} to {week(3)} failed 4 times"
    )
