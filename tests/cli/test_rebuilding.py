"""Builds that are killed, doubled, repeated or made of other commands end with the same bytes."""

from __future__ import annotations

import shlex
from pathlib import Path

from dagster import DagsterInstance

from tests.cli.shop import (
    BIN,
    LOADING,
    WEEK,
    contents,
    kill_at,
    loaded,
    materialize,
    run,
    start,
)

FIRST_WEEK = "2018-09-19"


def test_a_build_killed_anywhere_is_finished_by_the_next(
    other: Path, undisturbed: dict[str, str]
) -> None:
    # While a range is loaded, while a model is trained, while a week is published.
    points = ("START sql incremental model", "epoch 1 of", "recommending to")
    for marker in points:
        killed = kill_at(marker, other, "hm", "build")
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
    assert states.count("FAILURE") == len(points)
    assert set(states) == {"SUCCESS", "FAILURE"}
    left = [*other.rglob("*.tmp")]
    assert left == []


def test_of_two_builds_at_the_same_moment_one_waits_for_the_other(
    unbuilt: Path, undisturbed: dict[str, str]
) -> None:
    outputs = [unbuilt.parent / f"build-{n}.txt" for n in (1, 2)]
    builds = [start(unbuilt, output, "hm", "build") for output in outputs]
    for build, output in zip(builds, outputs, strict=True):
        assert build.wait() == 0, output.read_text()
    said = sorted("waiting for it to end" in o.read_text() for o in outputs)
    assert said == [False, True]
    assert ["epoch 1 of" in output.read_text() for output in outputs].count(True) == 1
    assert contents(unbuilt) == undisturbed


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


def test_two_runs_that_start_at_the_same_moment_in_a_new_home_both_succeed(
    other: Path, undisturbed: dict[str, str]
) -> None:
    outputs = []
    runs = []
    for span in (f"{FIRST_WEEK}...2018-10-10", f"2018-10-17...{WEEK}"):
        outputs.append(other.parent / f"run-{span}.txt")
        arguments = shlex.join(("-m", "hm_platform.definitions", "--select", LOADING))
        load = f"dagster asset materialize {arguments} --partition-range {span}"
        shell = f'PATH="{BIN}:$PATH"; export DAGSTER_HOME="$(hm dagster-home)"; exec {load}'
        runs.append(start(other, outputs[-1], "/bin/sh", "-c", shell))
    for run_, output in zip(runs, outputs, strict=True):
        assert run_.wait() == 0, output.read_text()[-4000:]
    assert contents(other) == loaded(undisturbed)
    with DagsterInstance.from_config(str(other / "dagster")) as instance:
        assert [run.status.value for run in instance.get_runs()] == ["SUCCESS"] * 2
