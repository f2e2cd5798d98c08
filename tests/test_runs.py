"""Runs take turns across processes, and those whose process is gone are known to be dead."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, job, op
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

from hm_platform import runs
from hm_platform.runs import START_S, fail_dead_runs, first_failure, turn
from hm_platform.storage.taking_turns import is_taken

HOLD = """
import sys
from pathlib import Path
from hm_platform.runs import turn
with turn(Path(sys.argv[1]), sys.argv[2]):
    print("works", flush=True)
    sys.stdin.read()
print("done", flush=True)
sys.stdin.close()
"""


@contextmanager
def working(home: Path, run_id: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that does the work of a run, until its standard input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home), run_id],
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


@pytest.mark.parametrize("status", ["NOT_STARTED", "STARTING", "STARTED", "CANCELING"])
def test_a_run_that_never_began_to_work_has_failed_after_some_minutes(
    tmp_path: Path, instance: DagsterInstance, status: str, monkeypatch: pytest.MonkeyPatch
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
    assert state(instance, run) == "FAILURE"


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


TWO = """
import sys
from pathlib import Path
from dagster import (
    DagsterInstance, Definitions, asset, define_asset_job, execute_job, reconstructable
)
from hm_platform.runs import in_turn_executor

home, name, week = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

def note(what):
    with (home / "notes").open("a") as notes:
        notes.write(f"{name} {what}\\n")

@asset
def first():
    note("first")
    if name == "one":
        print("works", flush=True)
        sys.stdin.read()

@asset(deps=[first])
def second():
    note("second")

def both():
    defs = Definitions(
        [first, second],
        jobs=[define_asset_job("both")],
        executor=in_turn_executor(home, by_weeks=bool(week)),
    )
    return defs.resolve_job_def("both")

if __name__ == "__main__":
    import two
    with DagsterInstance.local_temp(str(home / name)) as instance:
        tags = {"dagster/partition": week} if week else {}
        assert execute_job(reconstructable(two.both), instance, tags=tags).success
"""


@contextmanager
def materialising(home: Path, name: str, week: str = "") -> Iterator[subprocess.Popen[str]]:
    """A process that materialises the assets of TWO; one named "one" waits for its input.

    week : runs of different weeks may work side by side
    """
    (home / "two.py").write_text(TWO)
    (home / name).mkdir()
    with subprocess.Popen(
        [sys.executable, str(home / "two.py"), str(home), name, week],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        # Nobody waits for ever for what it does not say.
        end = threading.Timer(60, process.kill)
        end.start()
        try:
            yield process
        finally:
            end.cancel()
            process.kill()


def until(process: subprocess.Popen[str], said: str) -> None:
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if said in line:
            return
    pytest.fail("".join(seen))


def test_processes_that_materialise_at_once_take_turns_and_one_that_waits_can_be_cancelled(
    tmp_path: Path,
) -> None:
    with materialising(tmp_path, "one") as one:
        until(one, "works")
        with materialising(tmp_path, "two") as two, materialising(tmp_path, "three") as cancelled:
            until(cancelled, "another run works in this home")
            cancelled.send_signal(signal.SIGINT)
            until(cancelled, "was interrupted")
            until(two, "another run works in this home")
            one.communicate()
            two.communicate()
            assert (one.returncode, two.returncode) == (0, 0)
    notes = (tmp_path / "notes").read_text().splitlines()
    assert notes == ["one first", "one second", "two first", "two second"]


def test_where_runs_of_different_weeks_work_side_by_side_those_of_one_week_take_turns(
    tmp_path: Path,
) -> None:
    with materialising(tmp_path, "one", "2018-09-19") as one:
        until(one, "works")
        with materialising(tmp_path, "two", "2018-09-26") as other:
            other.communicate()
            assert other.returncode == 0
        with materialising(tmp_path, "three", "2018-09-19") as same:
            until(same, "another run works in this home")
            one.communicate()
            same.communicate()
            assert (one.returncode, same.returncode) == (0, 0)
    notes = (tmp_path / "notes").read_text().splitlines()
    names = ["one", "two", "two", "one", "three", "three"]
    assert [note.split()[0] for note in notes] == names


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
