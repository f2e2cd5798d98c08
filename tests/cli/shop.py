"""A small shop in a home of its own, commands run on it, and what they leave there."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import duckdb

BIN = Path(sys.executable).parent
WEEK = "2018-11-07"
"""The last week of the shop, which `hm build` builds."""


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

    Every column counts: none depends on when, where or in which order the shop was built.
    """
    found = {}
    with duckdb.connect(home / "warehouse.duckdb", read_only=True) as db:
        names = db.execute(
            "SELECT table_schema || '.' || table_name FROM information_schema.tables"
        ).fetchall()
        for (name,) in names:
            rows = db.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall()
            found[name] = hashlib.sha256(repr(rows).encode()).hexdigest()
    models = home / "models"
    for file in sorted(models.rglob("*")):
        if file.is_file():
            name = file.relative_to(models).as_posix()
            found[name] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found
