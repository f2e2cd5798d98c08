"""A small shop in a home of its own, commands run on it, and what they leave there."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb

BIN = Path(sys.executable).parent
WEEK = "2018-11-07"
"""The last week of the shop, which `hm build` builds."""

LOADING = 'group:"raw" or group:"staging" or group:"marts"'
"""Selects what loads a week."""


def environment(home: Path, **more: str) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("HM_", "DAGSTER"))}
    return {**inherited, "HM_HOME": str(home), "HM_TRAIN_WEEKS": "4", **more}


def run(home: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        env=environment(home, **more),
        cwd=home.parent,
        capture_output=True,
        text=True,
        check=False,
    )


def start(home: Path, output: Path, *command: str, **more: str) -> subprocess.Popen[bytes]:
    """The command as the first of a process group of its own; its output goes to a file."""
    with output.open("wb") as file:
        return subprocess.Popen(
            [str(BIN / command[0]), *command[1:]],
            env=environment(home, **more),
            cwd=home.parent,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


def materialize(home: Path, *arguments: str, **more: str) -> None:
    """`dagster asset materialize` from a plain shell."""
    command = ("dagster", "asset", "materialize", "-m", "hm_platform.definitions")
    done = run(home, *command, *arguments, **more)
    assert done.returncode == 0, done.stderr[-2000:]


def query(home: Path, sql: str) -> list[tuple]:
    with duckdb.connect(home / "warehouse.duckdb", read_only=True) as db:
        return db.execute(sql).fetchall()


def contents(home: Path) -> dict[str, str]:
    """A hash of the rows of every table and view, in order, and of every file of the models.

    Every column counts: none depends on when, where or in which order the shop was built. A table
    without rows is as good as none: that of decisions is made by the first run that has it.
    """
    found = {}
    with duckdb.connect(home / "warehouse.duckdb", read_only=True) as db:
        names = db.execute(
            "SELECT table_schema || '.' || table_name FROM information_schema.tables"
        ).fetchall()
        for (name,) in names:
            rows = db.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall()
            if rows:
                found[name] = hashlib.sha256(repr(rows).encode()).hexdigest()
    models = home / "models"
    for file in sorted(models.rglob("*")):
        if file.is_file():
            name = file.relative_to(models).as_posix()
            found[name] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found


def kill_at(marker: str, home: Path, *command: str, **more: str) -> int:
    """Start a command, kill it and its children when ``marker`` shows up, and return its id.

    The marker is looked for in what the command says and in what dbt says in a build.
    """
    output, log = home.parent / "output.txt", home / "logs" / "build.log"
    process = start(home, output, *command, **more)
    try:
        while not any(marker in file.read_text() for file in (output, log) if file.exists()):
            assert process.poll() is None, output.read_text()
            time.sleep(0.01)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    return process.pid


def loaded(undisturbed: dict[str, str]) -> dict[str, str]:
    """The part of a whole build that a run of the loading assets makes."""
    schemas = ("raw", "staging", "marts")
    return {name: rows for name, rows in undisturbed.items() if name.split(".")[0] in schemas}
