"""`hm dagster-home` makes a home in which Dagster's own commands can start at the same moment."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from dagster import DagsterInstance

from tests.cli.shop import run, start


def tables(database: Path) -> set[str]:
    # Opened read-only: sqlite would otherwise make the file that it does not find.
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    finally:
        connection.close()


def test_dagsters_storage_is_there_before_dagster_starts(tmp_path: Path) -> None:
    printed = run(tmp_path / "data", "hm", "dagster-home")
    assert printed.returncode == 0, printed.stderr
    home = Path(printed.stdout.strip())
    assert home == tmp_path / "data" / "dagster"
    assert "telemetry" in (home / "dagster.yaml").read_text()
    assert {"runs", "secondary_indexes"} <= tables(home / "history" / "runs.db")
    assert {"event_logs", "secondary_indexes"} <= tables(home / "history" / "runs" / "index.db")
    assert {"job_ticks", "secondary_indexes"} <= tables(home / "schedules" / "schedules.db")


def test_several_processes_make_it_at_once(tmp_path: Path) -> None:
    outputs = [tmp_path / f"{n}.txt" for n in range(4)]
    started = [start(tmp_path / "data", output, "hm", "dagster-home") for output in outputs]
    for process, output in zip(started, outputs, strict=True):
        assert process.wait() == 0, output.read_text()
    assert {output.read_text().strip() for output in outputs} == {str(tmp_path / "data/dagster")}
    with DagsterInstance.from_config(str(tmp_path / "data" / "dagster")) as instance:
        assert instance.get_runs() == []


def test_what_the_user_changed_stays(tmp_path: Path) -> None:
    home = tmp_path / "data" / "dagster"
    home.mkdir(parents=True)
    changed = "telemetry:\n  enabled: true\n"
    (home / "dagster.yaml").write_text(changed)
    for _ in range(2):
        assert run(tmp_path / "data", "hm", "dagster-home").returncode == 0
        assert (home / "dagster.yaml").read_text() == changed
