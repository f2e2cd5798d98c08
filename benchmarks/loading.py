"""A gigabyte of landed CSV: what reading it with row numbers, reasons and proofs costs, beside
DuckDB's own reading of the same file.

Each step is a process of its own. DuckDB reads and stores typed columns and stops at the first bad
value; the platform numbers the rows, says of each what is wrong with it, tells weeks by their rows,
and stores the good ones. DuckDB gets a file without bad rows; the platform that one and another, in
which one row in a hundred is bad. Prints a table and writes JSON.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated

import duckdb
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.processes import Measured, measure
from hm_platform.calendar import Calendar
from hm_platform.landing.index import index_landing_zone
from hm_platform.landing.loading import read_transactions
from hm_platform.landing.validating import Rules
from hm_platform.landing.zone import LandingZone
from hm_platform.storage import warehouse

RESULTS = Path(__file__).parent / "results" / "loading.json"
FIRST, END = date(2018, 9, 19), date(2020, 9, 23)
RULES = Rules(Calendar(FIRST))
GIGABYTE = 9_000_000
"""Rows of a gigabyte of CSV."""
TYPES = (
    "{'t_dat': 'DATE', 'customer_id': 'VARCHAR', 'article_id': 'VARCHAR', 'price': 'DOUBLE', "
    "'sales_channel_id': 'TINYINT'}"
)
STEPS = {
    "duckdb_reads": "DuckDB reads it",
    "duckdb_stores": "DuckDB reads and stores it",
    "index": "the platform indexes it",
    "index_again": "the platform looks again, nothing changed",
    "load": "the platform loads it",
    "index_mixed": "the platform indexes the one with bad rows",
    "load_mixed": "the platform loads the one with bad rows",
}


def make_files(folder: Path, rows: int) -> None:
    """H&M-shaped purchases over two years: one file without bad rows, one with a hundredth."""
    days = (END - FIRST).days
    for name, bad in (("good/transactions/a.csv", 0), ("mixed/transactions/a.csv", 100)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        price = f"CASE WHEN {bad} > 0 AND i % {max(bad, 1)} = 0 THEN 'free' ELSE p END"
        duckdb.execute(
            f"COPY (SELECT DATE '{FIRST}' + (i * {days} // {rows})::INTEGER AS t_dat, "
            f"md5(c::VARCHAR) || md5((c + 7)::VARCHAR) AS customer_id, "
            f"'0' || (100000000 + hash(i * 3) % 900000)::VARCHAR AS article_id, "
            f"{price} AS price, 1 + hash(i * 7) % 2 AS sales_channel_id FROM (SELECT i, "
            f"hash(i) % 200000 AS c, ((hash(i * 5) % 100000) / 1e6)::VARCHAR AS p "
            f"FROM range({rows}) AS r(i))) TO '{path}' (HEADER)"
        )


def run_step(step: str, folder: Path) -> None:
    """One step, in this process."""
    zone = LandingZone(folder / ("mixed" if step.endswith("mixed") else "good"))
    good, index = zone.root / "transactions" / "a.csv", zone.root / "index.parquet"
    read = f"read_csv('{good}', auto_detect=false, header=true, columns={TYPES})"
    if step == "duckdb_reads":
        duckdb.execute(f"SELECT count(COLUMNS(*)), max(COLUMNS(*)) FROM {read}").fetchall()
    elif step == "duckdb_stores":
        with duckdb.connect(folder / "plain.duckdb") as db:
            db.execute(f"CREATE OR REPLACE TABLE transactions AS FROM {read}")
    elif step.startswith("index"):
        again = step == "index_again"
        previous = duckdb.execute(f"FROM '{index}'").to_arrow_table() if again else None
        found = index_landing_zone(zone, RULES, previous)
        duckdb.register("found", found)
        duckdb.execute(f"COPY found TO '{index}'")
    else:
        found = duckdb.execute(f"FROM '{index}'").to_arrow_table()
        target = warehouse.Slice("raw", "transactions", (FIRST, date.max), "t_dat")
        with warehouse.transaction(zone.root / "warehouse.duckdb") as db:
            warehouse.replace(db, target, read_transactions(zone, found, FIRST, END))


def measured(step: str, folder: Path) -> Measured:
    """The same in a process of its own. Raises CalledProcessError when it fails."""
    command = [sys.executable, "-m", "benchmarks.loading", "--step", step, "--folder", str(folder)]
    return measure(STEPS[step], command, said=folder / "said")


def main(
    rows: Annotated[
        int, typer.Option(help="Rows of the file; 9 million are a gigabyte.")
    ] = 9_000_000,
    step: Annotated[str | None, typer.Option(hidden=True)] = None,
    folder: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Time the loading of a landed file beside DuckDB's own reading."""
    if step is not None and folder is not None:
        run_step(step, folder)
        return
    with tempfile.TemporaryDirectory(prefix="hm-bench-") as made:
        make_files(Path(made), rows)
        # Or the first steps would share the disk with what has just been written.
        os.sync()
        size = (Path(made) / "good/transactions/a.csv").stat().st_size / 1e9
        results = [measured(each, Path(made)) for each in STEPS]
    table = Table(
        title=f"{rows:,} rows, {size:.2f} GB of CSV, {os.cpu_count()} cores", title_justify="left"
    )
    table.add_column("what")
    for column in ("wall s", "CPU s", "peak MB"):
        table.add_column(column, justify="right")
    for row in results:
        cells = (f"{row.wall_s:.1f}", f"{row.cpu_s:.1f}", f"{row.peak_mb:,.0f}")
        table.add_row(row.what, *cells)
    Console(highlight=False).print(table)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps([asdict(row) for row in results], indent=1) + "\n")
    print(f"written to {RESULTS}", file=sys.stderr)


if __name__ == "__main__":
    typer.run(main)
