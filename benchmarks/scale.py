"""`make bench`: the whole platform on shops of H&M's shape, up to H&M's size.

For each scale a synthetic shop lands (1 = 1.37 million customers, 32 million purchases in 105
weeks) and the last week is built by one `hm build`; a script in plain DuckDB
(:mod:`benchmarks.limit`) makes the same tables from the same files: the machine's own limit for the
data path. In the built home the inner loops are measured (:mod:`benchmarks.inner_loops`). In
another one the shop grows, and what one more week costs is measured after 13, 52 and 104. Each is a
process of its own. Prints a table and writes JSON, ``docs/scale.md`` and its plot. With ``--again``
one part alone is measured again, for what was written before.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import duckdb
import typer
from dagster import DagsterInstance
from rich.console import Console
from rich.table import Table

from benchmarks.processes import BIN, Measured, measure
from benchmarks.scale_page import write_page
from hm_platform.costs import read_costs
from hm_platform.machine import memory

RESULTS = Path(__file__).parent / "results"
CUSTOMERS, WEEKS = 1_370_000, 105
"""Those of H&M."""
FIRST, SEVEN = date(2018, 9, 19), timedelta(weeks=1)
LAST = FIRST + SEVEN * (WEEKS - 1)
TRAIN_WEEKS = 26
HISTORIES = (13, 52, 104)
"""After so many weeks it is measured what one more costs."""

MOST_ROW_BY_ROW = 0.05
"""The largest scale whose rows have room as Python's dictionaries in 24 GB."""


class Part(StrEnum):
    """What can be measured on its own."""

    DATA_PATH = "data-path"
    NEW_WEEKS = "new-weeks"


@dataclass(frozen=True)
class Scaled:
    """One scale: seconds and megabytes (memory: of 2**20 bytes).

    limit : plain DuckDB on the data path
    row_by_row : the join and the splits by :mod:`benchmarks.row_by_row`, where they have room
    build : `hm build` of all weeks from nothing
    data_path_s : what loading and splitting took of it
    new_weeks : history in weeks, as text -> the data path of one more week
    loops : what :mod:`benchmarks.inner_loops` found
    assets : key -> seconds and peak memory of the process, of the build
    disk_mb : the home after the build, landed files included
    """

    scale: float
    customers: int
    purchases: int
    limit: Measured
    row_by_row: Measured | None
    build: Measured
    data_path_s: float
    new_weeks: dict[str, Measured]
    loops: dict[str, Any]
    assets: dict[str, dict[str, float]]
    disk_mb: float
    cores: int
    memory_gb: float
    machine: str


@dataclass(frozen=True)
class Shop:
    """A synthetic shop in a home of its own."""

    home: Path
    scale: float

    @property
    def customers(self) -> int:
        return round(CUSTOMERS * self.scale)

    def run(self, what: str, *command: str) -> Measured:
        """Run a command on it. Raises CalledProcessError when it fails."""
        environment = {
            "HM_HOME": str(self.home),
            "HM_LANDING": str(self.home / "landing"),
            "HM_STORAGE": "local",
        }
        said = self.home.with_suffix(".said")
        return measure(f"scale {self.scale:g}: {what}", command, environment, said)

    def land(self, weeks: int) -> None:
        command = ("land", "synthetic", "--customers", str(self.customers), "--weeks", str(weeks))
        self.run(f"land {weeks} weeks", str(BIN / "hm"), *command)

    def load(self, what: str, weeks: int) -> Measured:
        """The data path, from what has landed to the splits of the last week."""
        last = FIRST + SEVEN * (weeks - 1)
        return self.run(what, sys.executable, "-m", "benchmarks.load", str(last))


def run_scale(scale: float, folder: Path) -> Scaled:
    """Measure one scale in an empty folder. Raises CalledProcessError when a command fails."""
    shop = Shop(folder / "home", scale)
    shop.land(WEEKS)
    week, landing = LAST, str(shop.home / "landing")
    limit = measure_limit(shop)
    row_by_row = None
    if scale <= MOST_ROW_BY_ROW:
        row_by_row = shop.run(
            "row by row", sys.executable, "-m", "benchmarks.row_by_row", landing, str(folder),
            str(week), str(TRAIN_WEEKS),
        )  # fmt: skip
    build = shop.run("build", str(BIN / "hm"), "build")
    disk = sum(file.stat().st_size for file in shop.home.rglob("*") if file.is_file()) / 1e6
    data_path, assets = account(shop.home, week)
    # Each asset begins to count anew, and so makes the operating system forget the peak before it.
    peak = max(build.peak_mb, *(cost["peak_memory_mb"] for cost in assets.values()))
    build = replace(build, peak_mb=peak)
    landed = f"SELECT count(*) FROM read_parquet('{landing}/transactions/*.parquet')"
    ((purchases,),) = duckdb.execute(landed).fetchall()
    found = folder / "loops.json"
    shop.run(
        "inner loops", sys.executable, "-m", "benchmarks.inner_loops", str(found), "--home",
        str(shop.home), "--week", str(week),
    )  # fmt: skip
    shutil.rmtree(shop.home)
    return Scaled(
        scale, shop.customers, purchases, limit, row_by_row, build, data_path,
        measure_new_weeks(Shop(folder / "growing", scale)), json.loads(found.read_text()), assets,
        disk, os.cpu_count() or 1, memory() / 2**30, platform.processor() or platform.machine(),
    )  # fmt: skip


def measure_limit(shop: Shop) -> Measured:
    """Plain DuckDB on what has landed."""
    made = shop.home.with_name("limit.duckdb")
    try:
        return shop.run(
            "plain DuckDB", sys.executable, "-m", "benchmarks.limit", str(shop.home / "landing"),
            str(made), str(FIRST), str(LAST), str(TRAIN_WEEKS),
        )  # fmt: skip
    finally:
        made.unlink(missing_ok=True)


def measure_new_weeks(shop: Shop) -> dict[str, Measured]:
    """Let a shop grow, and measure the data path of one more week on the way."""
    found = {}
    for weeks in HISTORIES:
        shop.land(weeks)
        shop.load(f"load {weeks} weeks", weeks)
        shop.land(weeks + 1)
        found[str(weeks)] = shop.load(f"another week after {weeks}", weeks + 1)
    return found


def account(home: Path, week: date) -> tuple[float, dict[str, dict[str, float]]]:
    """From Dagster's own record: seconds of the data path, and the cost of each asset.

    The runs that load are data path from their start to their end, checks included; of the run that
    builds a week its splits are.
    """
    with DagsterInstance.from_config(str(home / "dagster")) as instance:
        costs, records = read_costs(instance).each, instance.get_run_records()
    built = {cost.run_id for cost in costs if cost.group == "datasets"}
    loading = sum(
        (record.end_time or 0) - (record.start_time or 0)
        for record in records
        if record.dagster_run.run_id not in built
    )
    splits = sum(
        cost.seconds or 0 for cost in costs if cost.group == "datasets" and cost.week == week
    )
    assets: dict[str, dict[str, float]] = {}
    for cost in costs:
        known = assets.setdefault(cost.asset, {"seconds": 0.0, "peak_memory_mb": 0.0})
        known["seconds"] += cost.seconds or 0
        known["peak_memory_mb"] = max(
            known["peak_memory_mb"], (cost.peak_memory_bytes or 0) / 2**20
        )
    return loading + splits, assets


def table(results: Sequence[Scaled]) -> Table:
    """What is printed."""
    first = results[0]
    found = Table(
        title=f"{first.cores} cores, {first.memory_gb:.0f} GB of memory", title_justify="left"
    )
    for column in (
        "scale", "purchases", "limit s", "row by row s", "data path s", "to the limit",
        "to row by row", "a new week s", "rows/s", "build s", "CPU s", "peak MB", "disk MB",
    ):  # fmt: skip
        found.add_column(column, justify="right")
    for each in results:
        found.add_row(
            f"{each.scale:g}", f"{each.purchases:,}", f"{each.limit.wall_s:.1f}",
            f"{each.row_by_row.wall_s:.1f}" if each.row_by_row else "",
            f"{each.data_path_s:.1f}", f"{each.data_path_s / each.limit.wall_s:.2f}",
            f"{each.data_path_s / each.row_by_row.wall_s:.2f}" if each.row_by_row else "",
            " ".join(f"{week.wall_s:.0f}" for week in each.new_weeks.values()),
            f"{each.purchases / each.data_path_s:,.0f}",
            f"{each.build.wall_s:.0f}", f"{each.build.cpu_s:.0f}", f"{each.build.peak_mb:,.0f}",
            f"{each.disk_mb:,.0f}",
        )  # fmt: skip
    return found


def main(
    scale: Annotated[
        list[float] | None, typer.Option(help="1 is H&M's size. [default: 0.01, 0.05, 0.1]")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where there is room; 25 GB for the scale 1.")
    ] = None,
    again: Annotated[
        Part | None, typer.Option(help="Measure only this again, and keep the rest.")
    ] = None,
) -> None:
    """Measure the whole platform at some scales."""
    results = []
    RESULTS.mkdir(exist_ok=True)
    for each in scale or [0.01, 0.05, 0.1]:
        found = RESULTS / f"scale-{each:g}.json"
        made = Path(tempfile.mkdtemp(prefix="hm-scale-", dir=folder))
        try:
            if again:
                known = json.loads(found.read_text())
                known.update(measure_again(again, each, made, known))
            else:
                results.append(run_scale(each, made))
                known = asdict(results[-1])
        finally:
            shutil.rmtree(made)
        found.write_text(json.dumps(known, indent=1) + "\n")
    if results:
        Console(highlight=False, width=140).print(table(results))
    write_page(RESULTS)


def measure_again(
    part: Part, scale: float, folder: Path, known: Mapping[str, Any]
) -> dict[str, Any]:
    """One part: what is new of the JSON.

    known : the JSON as it was
    """
    if part is Part.NEW_WEEKS:
        weeks = measure_new_weeks(Shop(folder / "growing", scale))
        return {"new_weeks": {number: asdict(week) for number, week in weeks.items()}}
    shop = Shop(folder / "home", scale)
    shop.land(WEEKS)
    limit = measure_limit(shop)
    shop.load("data path", WEEKS)
    data_path, assets = account(shop.home, LAST)
    return {
        "limit": asdict(limit),
        "data_path_s": data_path,
        "assets": {**known["assets"], **assets},
    }


if __name__ == "__main__":
    typer.run(main)
