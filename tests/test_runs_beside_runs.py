"""Processes that materialise at once take turns, or work side by side where they may."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

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
        first, _, last = week.partition("...")
        tags = {"dagster/partition": week} if week else {}
        if last:
            tags = {
                "dagster/asset_partition_range_start": first,
                "dagster/asset_partition_range_end": last,
            }
        assert execute_job(reconstructable(two.both), instance, tags=tags).success
"""


@contextmanager
def materialising(home: Path, name: str, week: str = "") -> Iterator[subprocess.Popen[str]]:
    """A process that materialises the assets of TWO; one named "one" waits for its input.

    week : runs of different weeks may work side by side; or a range, as FIRST...LAST
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


@pytest.mark.parametrize("common", ["2018-10-03", "2018-10-17...2018-10-24"])
def test_a_run_of_a_range_takes_turns_with_each_that_has_a_week_of_it(
    tmp_path: Path, common: str
) -> None:
    with materialising(tmp_path, "one", "2018-09-19...2018-10-17") as one:
        until(one, "works")
        with materialising(tmp_path, "two", "2018-10-24...2018-10-31") as other:
            other.communicate()
            assert other.returncode == 0
        with materialising(tmp_path, "three", common) as overlaps:
            until(overlaps, "another run works in this home")
            one.communicate()
            overlaps.communicate()
            assert (one.returncode, overlaps.returncode) == (0, 0)
    notes = (tmp_path / "notes").read_text().splitlines()
    names = ["one", "two", "two", "one", "three", "three"]
    assert [note.split()[0] for note in notes] == names
