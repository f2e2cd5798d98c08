"""`make bench`: the whole platform on shops of H&M's shape, up to H&M's size.

For each scale a synthetic shop lands (1 = 1.37 million customers, 32 million purchases in 105
weeks), the last week is built by one `hm build`, another week lands and is built on top, and a
script in plain DuckDB (:mod:`benchmarks.limit`) makes the same tables from the same files: the
machine's own limit for the data path. Each is a process of its own. Prints a table and writes JSON,
``docs/scale.md`` and its plot.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

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
TRAIN_WEEKS = 26
DATA_PATH = ("raw", "staging", "marts", "datasets")


@dataclass(frozen=True)
class Scaled:
    """One scale: seconds and megabytes.

    limit : plain DuckDB on the data path
    build, new_week : `hm build` of all weeks from nothing, and of one more on top
    data_path_s, new_data_path_s : of these, what loading and splitting took
    assets : key -> seconds and peak memory of the process, of the first build
    disk_mb : the home after the first build, landed files included
    """

    scale: float
    customers: int
    purchases: int
    limit: Measured
    build: Measured
    new_week: Measured
    data_path_s: float
    new_data_path_s: float
    assets: dict[str, dict[str, float]]
    disk_mb: float
    cores: int
    memory_gb: float
    machine: str


def run_scale(scale: float, folder: Path) -> Scaled:
    """Measure one scale in an empty folder. Raises CalledProcessError when a command fails."""
    home, customers = folder / "home", round(CUSTOMERS * scale)
    environment = {"HM_HOME": str(home), "HM_LANDING": str(home / "landing"), "HM_STORAGE": "local"}
    hm, said = str(BIN / "hm"), folder / "said"
    what = f"scale {scale:g}: "

    def land(weeks: int) -> None:
        command = [hm, "land", "synthetic", "--customers", str(customers), "--weeks", str(weeks)]
        measure(f"{what}land {weeks} weeks", command, environment, said)

    land(WEEKS)
    week = FIRST + SEVEN * (WEEKS - 1)
    plain = folder / "limit.duckdb"
    limit = measure(
        f"{what}plain DuckDB",
        [sys.executable, "-m", "benchmarks.limit", str(home / "landing"), str(plain), str(FIRST),
         str(week), str(TRAIN_WEEKS)],
        said=said,
    )  # fmt: skip
    plain.unlink()
    build = measure(f"{what}build", [hm, "build"], environment, said)
    disk = sum(file.stat().st_size for file in home.rglob("*") if file.is_file()) / 1e6
    data_path, assets = account(home, week, frozenset())
    landed = f"SELECT count(*) FROM read_parquet('{home}/landing/transactions/*.parquet')"
    ((purchases,),) = duckdb.execute(landed).fetchall()
    before = _runs(home)
    land(WEEKS + 1)
    new_week = measure(f"{what}another week on top", [hm, "build"], environment, said)
    new_data_path, _ = account(home, week + SEVEN, before)
    return Scaled(
        scale, customers, purchases, limit, build, new_week, data_path, new_data_path, assets, disk,
        os.cpu_count() or 1, memory() / 2**30, platform.processor() or platform.machine(),
    )  # fmt: skip


def account(
    home: Path, week: date, before: frozenset[str]
) -> tuple[float, dict[str, dict[str, float]]]:
    """From Dagster's own record: seconds of the data path, and the cost of each asset.

    The runs that load are data path from their start to their end, checks included; of the run that
    builds a week its splits are.

    before : the runs that are not meant
    """
    with DagsterInstance.from_config(str(home / "dagster")) as instance:
        costs = [cost for cost in read_costs(instance).each if cost.run_id not in before]
        records = [r for r in instance.get_run_records() if r.dagster_run.run_id not in before]
    built = {cost.run_id for cost in costs if cost.asset == "serving/publications"}
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
        known["peak_memory_mb"] = max(known["peak_memory_mb"], (cost.peak_memory_bytes or 0) / 1e6)
    return loading + splits, assets


def _runs(home: Path) -> frozenset[str]:
    with DagsterInstance.from_config(str(home / "dagster")) as instance:
        return frozenset(record.dagster_run.run_id for record in instance.get_run_records())


def table(results: Sequence[Scaled]) -> Table:
    """What is printed."""
    first = results[0]
    found = Table(
        title=f"{first.cores} cores, {first.memory_gb:.0f} GB of memory", title_justify="left"
    )
    for column in (
        "scale", "purchases", "limit s", "data path s", "ratio", "new week s", "its data path s",
        "build s", "CPU s", "peak MB", "disk MB",
    ):  # fmt: skip
        found.add_column(column, justify="right")
    for each in results:
        found.add_row(
            f"{each.scale:g}", f"{each.purchases:,}", f"{each.limit.wall_s:.1f}",
            f"{each.data_path_s:.1f}", f"{each.data_path_s / each.limit.wall_s:.2f}",
            f"{each.new_week.wall_s:.0f}", f"{each.new_data_path_s:.1f}",
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
) -> None:
    """Measure the whole platform at some scales."""
    results = []
    for each in scale or [0.01, 0.05, 0.1]:
        made = Path(tempfile.mkdtemp(prefix="hm-scale-", dir=folder))
        try:
            results.append(run_scale(each, made))
        finally:
            shutil.rmtree(made)
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"scale-{each:g}.json").write_text(
            json.dumps(asdict(results[-1]), indent=1) + "\n"
        )
    Console(highlight=False, width=140).print(table(results))
    write_page(RESULTS)


if __name__ == "__main__":
    typer.run(main)
