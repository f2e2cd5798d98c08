"""Loads that a fault ends in the middle: the last good state stays, and the next load is right."""

from __future__ import annotations

import shlex
from pathlib import Path

from dagster import DagsterInstance

from hm_platform.storage import warehouse
from tests.cli.shop import BIN, LOADING, contents, kill_at, loaded, materialize, query, start

SPAN = "2018-09-19...2018-11-07"
LOAD = ("dagster", "asset", "materialize", "-m", "hm_platform.definitions")
ARGUMENTS = ("--select", LOADING, "--partition-range", SPAN)


def load_all(home: Path) -> None:
    """Load the whole range of weeks from a plain shell: it is one run."""
    storage = home.parent / "dagster"
    storage.mkdir()
    materialize(home, *ARGUMENTS, DAGSTER_HOME=str(storage))
    with DagsterInstance.from_config(str(storage)) as instance:
        assert [run.status.value for run in instance.get_runs()] == ["SUCCESS"]
    assert query(home, "SELECT count(*) FROM marts.loaded_weeks") == [(8,)]


def test_a_load_killed_at_any_point_leaves_what_can_be_read_and_the_next_is_right(
    other: Path, undisturbed: dict[str, str]
) -> None:
    points = (
        'execution of step "raw__quarantine"',
        "START sql table model staging",
        "START sql incremental model marts.weekly_customer_purchases",
    )
    for point in points:
        kill_at(point, other, *LOAD, *ARGUMENTS)
        if point == points[-1]:
            # It opens, and nothing half-written is in it: no row is there twice.
            sums = "SELECT count(*) - count(DISTINCT (uri, row_number)) FROM raw.transactions"
            # The killed process holds its lock until it is gone, which takes a moment.
            with warehouse.connect(other / "warehouse.duckdb", read_only=True, wait_s=10) as db:
                assert db.execute(sums).fetchall() == [(0,)], point
        if point.startswith("START sql"):
            assert [*other.rglob("*.tmp")] != []
    load_all(other)
    assert contents(other) == loaded(undisturbed)
    assert [*other.rglob("*.tmp")] == []


def test_a_full_disk_ends_a_build_with_a_message_and_the_next_load_is_right(
    other: Path, undisturbed: dict[str, str]
) -> None:
    # The largest file that may be written: too little for the warehouse, or for Dagster's record.
    output = other.parent / "full.txt"
    build = f"ulimit -f 1000; exec {shlex.quote(str(BIN / 'hm'))} build"
    assert start(other, output, "/bin/bash", "-c", build).wait() == 1
    last = output.read_text().splitlines()[-2:]
    assert any(line.startswith("hm: ") for line in last), last
    assert any(word in " ".join(last) for word in ("File too large", "is the disk full")), last
    load_all(other)
    assert contents(other) == loaded(undisturbed)
