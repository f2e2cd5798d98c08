"""Tests of what reading landed files leaves in the temporary folder, and for how long."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hm_platform.landing.loading import read_customers, read_quarantine
from hm_platform.landing.scratch import ScratchFolder
from hm_platform.landing.session import Session
from hm_platform.landing.zone import LandingZone
from tests.landing.landed import good, index, put, put_transactions, transactions

OLD = time.time() - 120


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of what is there of files before, each time that another one is read."""
    found: list[str] = []
    scratch = Session.scratch

    def noting(self: Session) -> Path:
        found.extend(path.name for path in self.folder.glob("file-*"))
        tables = self.connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        found.extend(name for (name,) in tables if name != "rows")
        return scratch(self)

    monkeypatch.setattr(Session, "scratch", noting)
    return found


def test_of_the_files_that_are_read_one_has_a_copy_at_a_time(
    zone: LandingZone, left: list[str]
) -> None:
    for i in range(3):
        put_transactions(zone, f"{i}.csv", *good(i), "short\r")  # of mixed line ends
        put(zone, f"customers/{i}.csv", f'customer_id,age\r{i},"3\n0"\n{i}x,\n{i}y,,z\n')
    assert len(transactions(zone)) == 3
    found = index(zone)
    assert read_customers(zone, found).read_all().num_rows == 3
    assert read_quarantine(zone, found).read_all().num_rows == 9
    assert left == []


KILLED = """
import os, sys
from hm_platform.landing.session import Session
session = Session()
session.scratch().write_bytes(b"a copy")
print(session.folder, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(temporary: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process with a session, and that session's folder, of two minutes ago."""
    with subprocess.Popen(
        [sys.executable, "-c", KILLED],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        os.utime(folder, (OLD, OLD))
        yield process, folder
        process.kill()


def test_a_session_removes_what_one_that_was_killed_has_left(
    other: tuple[subprocess.Popen[str], Path], temporary: Path
) -> None:
    process, folder = other
    with Session():
        assert folder.is_dir(), "its process is at work"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [*temporary.iterdir()] == [folder]
    with Session():
        assert not folder.exists()
    assert [*temporary.iterdir()] == []


def test_what_may_be_somebody_elses_is_left_alone(temporary: Path) -> None:
    young = temporary / "hm-landing-young"
    without = temporary / "hm-landing-without-a-lock"
    another = temporary / "another"
    for folder in (young, without, another):
        folder.mkdir()
    for folder in (young, another):
        (folder / "lock").touch()
    (temporary / "hm-landing-link").symlink_to(another)
    for folder in (without, another):
        os.utime(folder, (OLD, OLD))
    os.utime(temporary / "hm-landing-link", (OLD, OLD), follow_symlinks=False)
    before = sorted(temporary.rglob("*"))
    ScratchFolder("hm-landing-").cleanup()
    assert sorted(temporary.rglob("*")) == before
