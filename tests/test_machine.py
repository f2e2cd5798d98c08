"""Limits are derived from the machine, or from the container that is smaller than it."""

from __future__ import annotations

import gc
import os
import weakref
from pathlib import Path

import duckdb
import pytest

from hm_platform import machine
from hm_platform.machine import (
    Config,
    container_limits,
    dbt_memory_limit,
    duckdb_config,
    give_back_memory,
    in_memory_config,
    memory,
)

GB = 1 << 30


def group(path: Path, file: str, limit: str) -> None:
    path.mkdir(parents=True, exist_ok=True)
    (path / file).write_text(limit)


@pytest.mark.parametrize(
    ("lines", "files", "limits"),
    [
        ("0::/\n", {"memory.max": "8589934592\n"}, {8 * GB}),
        ("0::/\n", {"memory.max": "max\n"}, set()),
        (
            "0::/a/b\n",
            {"memory.max": "max", "a/memory.max": f"{GB}", "a/b/memory.max": "max"},
            {GB},
        ),
        ("0::/outside/of/it\n", {"memory.max": f"{2 * GB}"}, {2 * GB}),
        (
            "5:memory:/a\n4:cpu:/a\n0::/\n",
            {"memory/memory.limit_in_bytes": "9223372036854771712",
             "memory/a/memory.limit_in_bytes": f"{3 * GB}",
             "cpu/a/memory.limit_in_bytes": "1"},
            {9223372036854771712, 3 * GB},
        ),
        ("4:cpu:/\n", {}, set()),
    ],
    ids=["v2", "v2 without", "v2 nested", "v2 in a container", "v1", "no memory group"],
)  # fmt: skip
def test_the_limits_of_control_groups_are_found(
    lines: str, files: dict[str, str], limits: set[int], tmp_path: Path
) -> None:
    for name, limit in files.items():
        path = tmp_path / "root" / name
        group(path.parent, path.name, limit)
    (tmp_path / "own").write_text(lines)
    assert set(container_limits(tmp_path / "root", tmp_path / "own")) == limits


def test_where_there_are_no_control_groups_there_is_no_limit(tmp_path: Path) -> None:
    assert container_limits(tmp_path, tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    ("limit", "duckdb_gb"), [(8 * GB, 2), (2 * GB, 0.5), (64 * GB, 4)], ids=["8", "2", "64"]
)
def test_duckdb_has_a_quarter_of_the_memory_and_no_more_than_it_needs(
    limit: int, duckdb_gb: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "memory", lambda: limit)
    for config in (duckdb_config(), in_memory_config()):
        assert said_limit(config) == {4: "4.0 GiB", 2: "2.0 GiB", 0.5: "512.0 MiB"}[duckdb_gb]


def test_dbt_which_works_alone_has_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory", lambda: 8 * GB)
    with duckdb.connect(config=duckdb_config()) as db:
        db.execute(f"SET memory_limit = {dbt_memory_limit()}")
        assert db.execute("SELECT current_setting('memory_limit')").fetchone() == ("4.0 GiB",)


def said_limit(config: Config) -> str:
    with duckdb.connect(config=config) as db:
        (said,) = db.execute("SELECT current_setting('memory_limit')").fetchone() or ("",)
    return str(said)


def test_a_container_limits_the_memory_and_the_machine_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limits, expected in (([], physical), ([GB, 2 * GB], GB), ([physical * 100], physical)):
        monkeypatch.setattr(machine, "container_limits", lambda limits=limits: limits)
        memory.cache_clear()
        assert memory() == expected
    memory.cache_clear()


class Loop:
    def __init__(self) -> None:
        self.itself = self


@pytest.mark.parametrize("limit", [1 << 20, 1 << 50], ids=["little", "plenty"])
def test_memory_is_given_back_when_much_of_it_is_taken(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "memory", lambda: limit)
    gc.disable()
    try:
        gone = weakref.ref(Loop())
        give_back_memory()
        assert (gone() is None) is (limit < GB)
    finally:
        gc.enable()


def test_where_the_system_does_not_tell_memory_is_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "OWN_PAGES", tmp_path / "statm")
    gc.disable()
    try:
        gone = weakref.ref(Loop())
        give_back_memory()
        assert gone() is None
    finally:
        gc.enable()
