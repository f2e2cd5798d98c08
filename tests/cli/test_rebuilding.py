"""Builds that are killed, doubled, repeated or made of other commands end with the same bytes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from dagster import DagsterInstance

from tests.cli.shop import WEEK, contents, materialize, query, run, start

FIRST_WEEK = "2018-09-19"


@pytest.fixture
def other(home: Path, tmp_path: Path) -> Path:
    """A home in which nothing is built; what landed is that of ``home``."""
    (tmp_path / ".env").write_text(f"HM_LANDING={home / 'landing'}\n")
    return tmp_path / "data"


def kill_a_build(home: Path, marker: str) -> int:
    """Start a build, kill it and its children when ``marker`` shows up, and return its id.

    The marker is looked for in what the build says and in what dbt says.
    """
    output, log = home.parent / "build.txt", home / "logs" / "build.log"
    process = start(home, output, "hm", "build")
    try:
        while not any(marker in file.read_text() for file in (output, log) if file.exists()):
            assert process.poll() is None, output.read_text()
            time.sleep(0.01)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    return process.pid


def test_a_build_killed_anywhere_is_finished_by_the_next(
    other: Path, undisturbed: dict[str, str]
) -> None:
    for marker in (
        "> raw/transactions",
        "START sql incremental model",
        "epoch 1 of",
        "recommending to",
    ):
        killed = kill_a_build(other, marker)
    # The moments in which a model is copied to its place and dbt has its folder are too short to
    # be hit: this is what a kill then leaves.
    half = other / "models" / "recommender" / f".{WEEK}-0123456789.{killed}.tmp"
    half.mkdir()
    (half / "manifest.json").write_text("{")
    (other / "models" / "recommender" / f"{WEEK}.json").unlink()

    finished = run(other, "hm", "build")
    assert finished.returncode == 0, finished.stderr
    assert contents(other) == undisturbed
    with DagsterInstance.from_config(str(other / "dagster")) as instance:
        states = [run.status.value for run in instance.get_runs()]
    assert states.count("FAILURE") == 4
    assert set(states) == {"SUCCESS", "FAILURE"}
    left = [*other.rglob("*.tmp")]
    assert left == []


def test_of_two_builds_at_the_same_moment_one_waits_for_the_other(
    other: Path, undisturbed: dict[str, str]
) -> None:
    outputs = [other.parent / f"build-{n}.txt" for n in (1, 2)]
    builds = [start(other, output, "hm", "build") for output in outputs]
    for build, output in zip(builds, outputs, strict=True):
        assert build.wait() == 0, output.read_text()
    said = sorted("waiting for it to end" in o.read_text() for o in outputs)
    assert said == [False, True]
    assert ["epoch 1 of" in output.read_text() for output in outputs].count(True) == 1
    assert contents(other) == undisturbed


def test_a_week_that_is_built_again_has_the_same_bytes(
    home: Path, undisturbed: dict[str, str]
) -> None:
    def trained() -> list[tuple[Path, int]]:
        return [(file, file.stat().st_mtime_ns) for file in (home / "models").rglob("*.json")]

    before = trained()
    materialize(home, "--select", "+key:serving/recommendations", "--partition", WEEK)
    assert trained() != before
    assert contents(home) == undisturbed


def test_a_published_week_is_published_again_from_a_plain_shell(
    home: Path, undisturbed: dict[str, str]
) -> None:
    materialize(home, "--select", "key:serving/recommendations+", "--partition", WEEK)
    assert contents(home) == undisturbed


def test_a_range_of_weeks_is_loaded_as_one_run_from_a_plain_shell(
    other: Path, undisturbed: dict[str, str]
) -> None:
    loading = 'group:"raw" or group:"staging" or group:"marts"'
    storage = other.parent / "dagster"
    storage.mkdir()
    materialize(
        other,
        "--select", loading, "--partition-range", f"{FIRST_WEEK}...{WEEK}",
        DAGSTER_HOME=str(storage),
    )  # fmt: skip
    with DagsterInstance.from_config(str(storage)) as instance:
        assert [run.status.value for run in instance.get_runs()] == ["SUCCESS"]
    loaded = {
        k: v for k, v in undisturbed.items() if k.split(".")[0] in ("raw", "staging", "marts")
    }
    assert contents(other) == loaded
    assert query(other, "SELECT count(*) FROM marts.loaded_weeks") == [(8,)]
