"""`make bench`: times commands as a person types them, on the real sample, in a fresh home.

Each command is a process of its own; wall and CPU seconds and peak memory are the operating
system's account of it and its children. Prints a table and writes the same as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.processes import BIN, measure

RESULTS = Path(__file__).parent / "results" / "bench.json"


def main() -> None:
    hm, dagster = str(BIN / "hm"), str(BIN / "dagster")
    with tempfile.TemporaryDirectory(prefix="hm-bench-") as home:
        results = [
            measure(what, command, {"HM_HOME": home}, Path(home, "said"))
            for what, command in (
                ("land the sample", [hm, "land", "complete-journey"]),
                ("land it again", [hm, "land", "complete-journey"]),
                ("load 53 weeks and build the last", [hm, "build"]),
                ("build it again", [hm, "build"]),
                ("build the week before", [hm, "build", "--week", "2017-12-18"]),
                ("recommendations of a customer", [hm, "recommend", "1228"]),
                (
                    "validate the definitions",
                    [dagster, "definitions", "validate", "-m", "hm_platform.definitions"],
                ),
            )
        ]
    table = Table(title=f"{os.cpu_count()} cores", title_justify="left")
    table.add_column("what")
    for column in ("wall s", "CPU s", "peak MB"):
        table.add_column(column, justify="right")
    for row in results:
        table.add_row(row.what, f"{row.wall_s:.1f}", f"{row.cpu_s:.1f}", f"{row.peak_mb:,.0f}")
    Console(highlight=False).print(table)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps([asdict(row) for row in results], indent=1) + "\n")
    print(f"written to {RESULTS}", file=sys.stderr)


if __name__ == "__main__":
    main()
