"""`make bench`: reading and writing a bucket, beside what other tools get from the same server.

The server is rclone's on this machine, over a folder: what it takes for itself is the same for all,
and there is no network. Each step runs in a process of its own; seconds are without imports, and
peak memory is that of the whole process. Writes docs/s3-throughput.md.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import duckdb
import typer

from benchmarks.s3_steps import KEYS, STEPS, WEEKS, Bench
from benchmarks.s3_steps import rows as rows_of
from hm_platform.storage.metering import peak

DOCS = Path(__file__).parents[1] / "docs" / "s3-throughput.md"
RESULTS = Path(__file__).parent / "results" / "s3.json"
REPEATS = 3


@dataclass(frozen=True)
class Measured:
    """The fastest of some runs: wall and CPU seconds, and the most megabytes that one had."""

    step: str
    group: str
    what: str
    wall_s: float
    cpu_s: float
    peak_mb: float
    megabytes_s: float | None


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """rclone's S3 server over ``folder``, in which each folder is a bucket."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    rclone = str(Path(sys.executable).with_name("rclone"))
    command = [rclone, "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", ",".join(KEYS),
               str(folder)]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(100):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def make_data(bench: Bench, rows: int) -> None:
    """H&M-shaped purchases: a Parquet object a week as the platform writes it, the same as CSV."""
    from hm_platform.storage.tables import Slice

    for number, week in enumerate(WEEKS):
        query = (
            f"SELECT DATE '{week}' + (i * 7 // {rows})::INTEGER AS t_dat, "
            "md5(c::VARCHAR) || md5((c + 7)::VARCHAR) AS customer_id, "
            "'0' || (100000000 + hash(i * 3) % 90000)::VARCHAR AS article_id, "
            "(hash(i * 5) % 100000) / 1e6 AS price, (1 + hash(i * 7) % 2)::TINYINT AS "
            f"sales_channel_id FROM (SELECT i, hash(i + {number} * {rows}) % 200000 AS c "
            f"FROM range({rows}) AS r(i))"
        )
        with duckdb.connect() as db:
            db.execute(f"COPY ({query}) TO '{bench.folder}/rows.parquet'")
            db.execute(f"COPY ({query}) TO '{bench.folder}/rows.csv' (HEADER)")
            target = Slice("raw", "transactions", (week, week + timedelta(weeks=1)), "t_dat")
            bench.tables.replace(target, rows_of(bench))
        with (bench.folder / "rows.csv").open("rb") as made:
            bench.bucket.upload(f"csv/{week}.csv", made)


def run_step(name: str, bench: Bench) -> None:
    """One step, in this process; prints what it took."""
    step = STEPS[name]
    if not name.endswith("pandas"):
        import boto3  # noqa: F401
        import pyarrow.parquet  # noqa: F401
    else:
        import pandas as pd  # noqa: F401
    begun, used = time.perf_counter(), time.process_time()
    moved = step.run(bench)
    wall, cpu = time.perf_counter() - begun, time.process_time() - used
    # The account of finished children would have that of their parent before them.
    most = (peak() or 0) / 1e6
    print(json.dumps([wall, cpu, most, moved / 1e6 / wall if moved else None]))


def measure(name: str, bench: Bench) -> Measured:
    """A step in processes of its own. Raises CalledProcessError when one fails."""
    command = [sys.executable, "-m", "benchmarks.s3", "--step", name, "--endpoint", bench.endpoint,
               "--folder", str(bench.folder)]  # fmt: skip
    runs = [
        json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        for _ in range(REPEATS)
    ]
    wall, cpu, _, speed = min(runs, key=lambda run: run[0])
    return Measured(
        name, STEPS[name].group, STEPS[name].what, wall, cpu, max(r[2] for r in runs), speed
    )


def page(results: list[Measured], rows: int, megabytes: dict[str, float]) -> str:
    """The table as Markdown."""
    about = (
        f"{rows * len(WEEKS):,} purchases with H&M's columns in {len(WEEKS)} weeks: "
        f"{megabytes['parquet']:,.0f} MB of Parquet as the platform writes it, "
        f"{megabytes['csv']:,.0f} MB of CSV. {os.cpu_count()} cores; the server is rclone's, on "
        "the same machine, so there is no network between, and it takes its part of the cores. "
        f"The fastest of {REPEATS} runs, each in a process of its own, seconds without imports. "
        "`make bench` writes this page."
    )
    lines = [
        "# How fast a bucket is read and written",
        "",
        about,
        "",
        "| | | wall s | CPU s | peak MB | MB/s |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for row in results:
        speed = f"{row.megabytes_s:,.0f}" if row.megabytes_s else ""
        lines.append(
            f"| {row.group} | {row.what} | {row.wall_s:.2f} | {row.cpu_s:.2f} | "
            f"{row.peak_mb:,.0f} | {speed} |"
        )
    return "\n".join([*lines, ""])


def main(
    rows: Annotated[int, typer.Option(help="Rows of each of the four weeks.")] = 1_000_000,
    step: Annotated[str | None, typer.Option(hidden=True)] = None,
    endpoint: Annotated[str, typer.Option(hidden=True)] = "",
    folder: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Time reading and writing a bucket."""
    if step is not None and folder is not None:
        run_step(step, Bench(endpoint, folder))
        return
    with tempfile.TemporaryDirectory(prefix="hm-bench-") as made:
        for name in ("served/bench", "local"):
            Path(made, name).mkdir(parents=True)
        with server(Path(made, "served")) as address:
            bench = Bench(address, Path(made, "local"))
            make_data(bench, rows)
            sizes = {
                name: sum(o.size for o in bench.objects(prefix)) / 1e6
                for name, prefix in (("parquet", "raw/"), ("csv", "csv/"))
            }
            results = []
            for name in STEPS:
                print(f"{STEPS[name].group}: {STEPS[name].what} ...", file=sys.stderr, flush=True)
                results.append(measure(name, bench))
    DOCS.write_text(page(results, rows, sizes))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps([asdict(row) for row in results], indent=1) + "\n")
    print(DOCS.read_text())


if __name__ == "__main__":
    typer.run(main)
