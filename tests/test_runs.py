"""Runs take turns across processes, and those whose process is gone are known to be dead."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, job, op
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

from hm_platform import runs
from hm_platform.runs import START_S, fail_dead_runs, first_failure, turn, turns_lock
from hm_platform.storage.taking_turns import is_taken

HOLD = """
import sys
from datetime import date
from pathlib import Path
from hm_platform.runs import turn
with turn(Path(sys.argv[1]), sys.argv[2], weeks=[*map(date.fromisoformat, sys.argv[3:])]):
    print("works", flush=True)
    sys.stdin.read()
print("done", flush=True)
sys.stdin.close()
"""


@contextmanager
def working(home: Path, run_id: str, *weeks: date) -> Iterator[subprocess.Popen[str]]:
    """Another process that does the work of a run, until its standard input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home), run_id, *map(str, weeks)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "works\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(autouse=True)
def _let_go() -> Iterator[None]:
    yield
    while runs._marks:
        runs._marks.pop().release()


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as instance:
        yield instance


def begun(
    instance: DagsterInstance, status: DagsterRunStatus = DagsterRunStatus.STARTED
) -> DagsterRun:
    location = RegisteredCodeLocationOrigin("hm_platform")
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), "load_weeks")
    return instance.add_run(DagsterRun("load_weeks", status=status, remote_job_origin=origin))


def state(instance: DagsterInstance, run: DagsterRun) -> str:
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status.value


def test_a_run_waits_for_that_of_another_process_and_says_so_once(tmp_path: Path) -> None:
    with working(tmp_path, "first") as other:
        said: list[str] = []

        def waiting() -> None:
            said.append("waiting")
            assert is_taken(tmp_path / "runs" / "second.lock")
            assert other.stdin is not None
            other.stdin.close()

        with turn(tmp_path, "second", waiting):
            assert said == ["waiting"]
            assert other.stdout is not None
            assert other.stdout.readline() == "done\n"


def test_a_run_of_several_weeks_waits_for_all_who_have_one_of_them_and_says_so_once(
    tmp_path: Path,
) -> None:
    weeks = [date(2018, 9, 19), date(2018, 9, 26), date(2018, 10, 3)]
    with (
        working(tmp_path, "first", weeks[0]) as first,
        working(tmp_path, "third", weeks[2]) as third,
    ):
        said: list[str] = []

        def waiting() -> None:
            said.append("waiting")
            first.kill()
            threading.Timer(0.3, third.kill).start()

        with turn(tmp_path, "all", waiting, weeks):
            assert said == ["waiting"]
            assert (first.wait(), third.wait()) == (-9, -9)
            assert all(is_taken(turns_lock(tmp_path, week)) for week in weeks)
    assert not any(is_taken(turns_lock(tmp_path, week)) for week in weeks)


def test_nobody_waits_for_a_run_that_was_killed(tmp_path: Path) -> None:
    with working(tmp_path, "first") as other:
        other.kill()
        other.wait()
        with turn(tmp_path, "second", lambda: pytest.fail("nobody works")):
            pass


def test_a_run_whose_process_was_killed_has_failed(
    tmp_path: Path, instance: DagsterInstance
) -> None:
    run = begun(instance)
    with working(tmp_path, run.run_id) as other:
        fail_dead_runs(instance, tmp_path)
        assert state(instance, run) == "STARTED"
        other.kill()
        other.wait()
    fail_dead_runs(instance, tmp_path)
    assert state(instance, run) == "FAILURE"
    # Its mark goes with the next look.
    fail_dead_runs(instance, tmp_path)
    assert [*(tmp_path / "runs").iterdir()] == []


def test_a_run_that_waits_for_its_turn_is_alive(tmp_path: Path, instance: DagsterInstance) -> None:
    run = begun(instance)
    with working(tmp_path, "first") as other:

        def waiting() -> None:
            fail_dead_runs(instance, tmp_path)
            other.kill()

        with turn(tmp_path, run.run_id, waiting):
            fail_dead_runs(instance, tmp_path)
    assert state(instance, run) == "STARTED"


@pytest.mark.parametrize(
    ("status", "ends"),
    [
        ("NOT_STARTED", "FAILURE"),
        ("STARTING", "FAILURE"),
        ("STARTED", "FAILURE"),
        ("CANCELING", "CANCELED"),
    ],
)
def test_a_run_that_never_began_to_work_has_ended_after_some_minutes(
    tmp_path: Path,
    instance: DagsterInstance,
    status: str,
    ends: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = begun(instance, DagsterRunStatus(status))
    listed = instance.get_run_record_by_id(run.run_id)
    assert listed is not None
    noted = listed.update_timestamp.timestamp()
    monkeypatch.setattr(runs.time, "time", lambda: noted + START_S - 1)
    fail_dead_runs(instance, tmp_path)
    assert state(instance, run) == status
    monkeypatch.setattr(runs.time, "time", lambda: noted + START_S + 1)
    fail_dead_runs(instance, tmp_path)
    assert state(instance, run) == ends


def test_a_queued_run_may_wait_for_days(
    tmp_path: Path, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(instance, DagsterRunStatus.QUEUED)
    monkeypatch.setattr(runs.time, "time", lambda: 1e12)
    fail_dead_runs(instance, tmp_path)
    assert state(instance, run) == "QUEUED"


def test_a_run_that_ended_well_while_it_was_looked_at_has_not_failed(
    tmp_path: Path, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(instance)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / f"{run.run_id}.lock").touch()

    def ends(lock: Path) -> bool:
        instance.report_run_canceled(run)
        return is_taken(lock)

    monkeypatch.setattr(runs, "is_taken", ends)
    fail_dead_runs(instance, tmp_path)
    assert state(instance, run) == "CANCELED"


def test_marks_of_runs_that_ended_are_swept_and_those_of_the_living_stay(
    tmp_path: Path, instance: DagsterInstance
) -> None:
    ended = begun(instance, DagsterRunStatus.SUCCESS)
    folder = tmp_path / "runs"
    folder.mkdir()
    (folder / f"{ended.run_id}.lock").touch()
    (folder / "of-another-storage.lock").touch()
    with working(tmp_path, "living"):
        fail_dead_runs(instance, tmp_path)
        assert [mark.name for mark in folder.iterdir()] == ["living.lock"]


def test_the_first_failed_step_is_told_with_its_innermost_error() -> None:
    @op
    def breaks() -> None:
        try:
            raise OSError("no space left")
        except OSError as error:
            raise ValueError("cannot load") from error

    @job
    def broken() -> None:
        breaks()

    @job
    def empty() -> None:
        pass

    with DagsterInstance.ephemeral() as instance:
        failed = broken.execute_in_process(instance=instance, raise_on_error=False)
        assert first_failure(failed.all_events) == "breaks: OSError: no space left"
        assert first_failure(empty.execute_in_process(instance=instance).all_events) is None


def test_a_step_whose_events_have_no_room_asks_whether_the_disk_is_full() -> None:
    @op
    def has_no_room() -> None:
        record = sqlite3.connect(":memory:")
        record.execute("PRAGMA max_page_count = 2")
        record.execute("CREATE TABLE events (event TEXT)")
        for _ in range(10_000):
            record.execute("INSERT INTO events VALUES ('a long event of a step')")

    @job
    def full() -> None:
        has_no_room()

    with DagsterInstance.ephemeral() as instance:
        failed = full.execute_in_process(instance=instance, raise_on_error=False)
        assert first_failure(failed.all_events) == (
            "has_no_room: Dagster's record cannot be written "
            "(sqlite3.OperationalError: database or disk is full): is the disk full?"
        )
