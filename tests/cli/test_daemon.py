"""Files dropped on a running daemon become loaded weeks and recommendations without a hand."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus

from hm_platform.calendar import WEEK, Calendar
from hm_platform.catching_up import BECAUSE_TAG
from tests.cli.shop import LOADING, contents, loaded, materialize, query, run, start

FIRST, LAST = date(2018, 9, 19), date(2018, 11, 7)
LATE = date(2018, 9, 27)
CALENDAR = Calendar(FIRST)
HEADER = "t_dat,customer_id,article_id,price,sales_channel_id"
QUIET = {"HM_LANDING_QUIET_SECONDS": "2"}
PATIENCE_S = 900


@contextmanager
def daemon(home: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Dagster's daemon with the code location, as `make ui` runs it, without the web server."""
    command = ("dagster-daemon", "run", "-m", "hm_platform.definitions")
    process = start(
        home, home.parent / f"{name}.txt", *command, DAGSTER_HOME=str(home / "dagster"), **QUIET
    )
    try:
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the daemon, its code server and the runs that it has started, as a power cut does."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def runs(home: Path) -> list[DagsterRun]:
    """All runs, the first first."""
    with DagsterInstance.from_config(str(home / "dagster")) as instance:
        return list(instance.get_runs())[::-1]


def jobs(home: Path, *, after: int = 0) -> list[tuple[str, str]]:
    """Job and weeks of the runs that succeeded, from a number of runs on."""
    found = []
    for each in runs(home)[after:]:
        first = each.tags.get("dagster/partition") or each.tags.get(
            "dagster/asset_partition_range_start", ""
        )
        last = each.tags.get("dagster/asset_partition_range_end", first)
        if each.status == DagsterRunStatus.SUCCESS:
            found.append((each.job_name, f"{first}...{last}" if last != first else first))
    return found


def wait_until(true: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while not true():
        assert process.poll() is None, log.read_text()[-4000:]
        assert time.monotonic() < until, log.read_text()[-4000:]
        time.sleep(0.5)


def drop(home: Path, name: str, *lines: str) -> None:
    (home / "landing" / "transactions" / name).write_text("\n".join([HEADER, *lines]) + "\n")


@pytest.fixture
def shop(home: Path, tmp_path: Path) -> Path:
    """A copy of ``home``, in which everything is loaded and published.

    The daemon looks for queued runs every second there, instead of every five.
    """
    shop = Path(shutil.copytree(home, tmp_path / "data"))
    with (shop / "dagster" / "dagster.yaml").open("a") as settings:
        settings.write("run_queue:\n  dequeue_interval_seconds: 1\n")
    return shop


def test_files_are_loaded_and_published_through_a_power_cut(home: Path, shop: Path) -> None:
    landing, log = shop / "landing" / "transactions", shop.parent / "first.txt"
    done = len(runs(shop))
    rows = query(
        shop,
        "SELECT t_dat, customer_id, article_id, price, sales_channel_id FROM raw.transactions "
        f"WHERE t_dat >= DATE '{LAST}' ORDER BY uri, row_number",
    )
    with daemon(shop, "first") as process:
        # The files are copies: they are looked at, and nothing else is needed.
        wait_until(lambda: "everything is up to date" in log.read_text(), process, log)
        assert {job for job, _ in jobs(shop, after=done)} <= {"refresh_landing"}
        done = len(runs(shop))

        # In one night: a new week with late rows of an old one and a line that is none, the same
        # file twice, one that is still being written, and one that nobody can read. What most buy
        # in that week is in no catalogue, and one who buys it is in no file of customers.
        night = [",".join(map(str, (row[0] + WEEK, *row[1:]))) for row in rows]
        buyers = [row[1] for row in rows] + ["newcomer"]
        night += [f"{LAST + WEEK},{buyer},unlisted,0.05,1" for buyer in buyers]
        night += [",".join(map(str, (LATE, *rows[0][1:])))] * 2 + [f"{LATE},,,,"]
        drop(shop, "night's; drop table.csv", *night)
        drop(shop, "twice.csv", *night)
        drop(shop, "growing.csv.part", *night)
        (landing / "broken.csv.gz").write_bytes(b"\x1f\x8b no more")
        # The power goes while a run works on them.
        wait_until(
            lambda: any(each.status == DagsterRunStatus.STARTED for each in runs(shop)[done:]),
            process,
            log,
        )
        kill(process)

    with daemon(shop, "second") as process:
        log = shop.parent / "second.txt"
        wait_until(
            lambda: any(job == "build_week" for job, _ in jobs(shop, after=done)), process, log
        )
        # It stays as it is: the next look finds nothing to do.
        seen = log.read_text().count("everything is up to date")
        wait_until(lambda: log.read_text().count("everything is up to date") > seen, process, log)
    new = str(LAST + WEEK)
    loads = sorted(weeks for job, weeks in jobs(shop, after=done) if job == "load_weeks")
    assert loads == [str(CALENDAR.week_of(LATE)), new]
    assert [weeks for job, weeks in jobs(shop, after=done) if job == "build_week"] == [new]
    cut = [each for each in runs(shop) if each.status != DagsterRunStatus.SUCCESS]
    assert [each.status for each in cut] == [DagsterRunStatus.FAILURE]
    assert all(each.tags[BECAUSE_TAG] for each in runs(shop))
    states = dict(query(shop, "SELECT uri, state FROM raw.landed_files WHERE state <> 'loaded'"))
    assert states == {
        "transactions/broken.csv.gz": "held",
        "transactions/twice.csv": "duplicate",
    }
    assert query(shop, "SELECT count(*) FROM raw.quarantine") == [(1,)]
    published = "SELECT week, count(*) FROM serving.recommendations GROUP BY week ORDER BY week"
    assert query(shop, published) == [(LAST, 3600), (LAST + WEEK, 3612)]
    unlisted = "SELECT count(*) FROM serving.recommendations WHERE article_id = 'unlisted'"
    assert query(shop, unlisted)[0][0] > 0

    # The same as one undisturbed load of the same files.
    clean = shop.parent / "clean" / "data"
    clean.parent.mkdir()
    (clean.parent / ".env").write_text(f"HM_LANDING={shop / 'landing'}\n")
    materialize(clean, "--select", LOADING, "--partition-range", f"{FIRST}...{new}")
    assert loaded(contents(shop)) == loaded(contents(clean))
    up_to_date = run(shop, "hm", "build")
    assert "nothing to do" in up_to_date.stderr
