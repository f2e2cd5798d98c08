"""``docs/scale.md`` and its plot, from the JSON of each scale that was measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

DOCS = Path(__file__).parent.parent / "docs"
PLOT = "images/scale.svg"

_INTRODUCTION = """\
# From a hundredth of H&M to all of it

Written by `make bench` and `make bench SCALE=1`; do not edit by hand.

Synthetic shops of H&M's shape ({machine}): at scale 1 there are 1.37 million customers, 105,000
articles and 32 million purchases in 105 weeks. Each is landed, loaded and built by one `hm build`.
*Limit* is a script in plain DuckDB (`benchmarks/limit.py`) that makes the same tables from the same
files, without checks, reasons or weeks that can be replaced. The *data path* is everything from
landed files to the splits. *Row by row* is the join and the splits alone, by Python's dictionaries,
as recommender tutorials do it (`benchmarks/row_by_row.py`), as far as its rows have room; both
ratios are of the seconds of the data path to the other's. Memory is that of the largest process, in
MB of 2^20 bytes.
"""
_COLUMNS = (
    "scale", "purchases", "row by row", "limit", "data path", "to row by row", "to the limit",
    "purchases a second", "whole build", "CPU", "peak memory", "disk",
)  # fmt: skip


def write_page(results: Path, docs: Path = DOCS) -> None:
    """Write the page and its plot from ``scale-*.json`` in a folder; the smallest scale first."""
    found = sorted(
        (json.loads(file.read_text()) for file in results.glob("scale-*.json")),
        key=lambda each: each["scale"],
    )
    (docs / PLOT).parent.mkdir(parents=True, exist_ok=True)
    (docs / "scale.md").write_text(page(found), encoding="utf-8")
    plot(found, docs / PLOT)


def page(found: Sequence[dict[str, Any]]) -> str:
    """The page as Markdown; ``found`` as in the JSON, the smallest scale first."""
    largest = found[-1]
    machine = f"{largest['cores']} cores, {largest['memory_gb']:.0f} GB of memory"
    lines = [
        _INTRODUCTION.format(machine=machine),
        *_table(_COLUMNS, [_row(each) for each in found]),
        "",
        f"![Seconds by purchases]({PLOT})",
        "",
        "Dotted: in proportion to purchases. What lies above its dotted line in smaller shops",
        "grows more slowly than they do: starts of processes and of dbt are the same in all, and",
        "so are, at most, the examples that a model learns from.",
        "",
        "## One more week",
        "",
        "The data path of a week that lands on top of others, in a shop that grows: its splits, of",
        "half a year of purchases, and the start of Python and twice that of dbt are part of it.",
        "",
        *_table(
            ("scale", *(f"after {weeks} weeks" for weeks in largest["new_weeks"])),
            [
                (
                    f"{each['scale']:g}",
                    *(
                        f"{week['wall_s']:.0f} s, {week['peak_mb']:,.0f} MB"
                        for week in each["new_weeks"].values()
                    ),
                )
                for each in found
            ],
        ),
        "",
        "## Inner loops",
        "",
        "Customers a second for whom the 40 best of all articles are found exactly, by vectors",
        "of 64 numbers; *product* is the product of the same matrices alone. Then the examples",
        "that training gets a second, as batches are made and as the network learns from them.",
        "",
        *_table(
            (
                "scale",
                "articles",
                *largest["loops"]["search"],
                *largest["loops"]["training"],
            ),
            [
                (
                    f"{each['scale']:g}",
                    f"{each['loops']['articles']:,}",
                    *(
                        f"{each['loops']['search'].get(n, 0):,.0f}"
                        for n in largest["loops"]["search"]
                    ),
                    *(f"{speed:,.0f}" for speed in each["loops"]["training"].values()),
                )
                for each in found
            ],
        ),
        "",
        f"## Where time and memory go at scale {largest['scale']:g}",
        "",
        *_table(
            ("asset", "seconds", "peak memory of the process"),
            [
                (name, f"{cost['seconds']:,.1f}", f"{cost['peak_memory_mb']:,.0f} MB")
                for name, cost in sorted(
                    largest["assets"].items(), key=lambda item: -item[1]["seconds"]
                )
            ],
        ),
        "",
    ]
    return "\n".join(lines)


def plot(found: Sequence[dict[str, Any]], file: Path) -> None:
    """Seconds against purchases, both logarithmic, beside what would grow in proportion to them."""
    with mpl.rc_context({"svg.hashsalt": "scale", "font.size": 9}):
        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        axes = figure.subplots()
        purchases = [each["purchases"] for each in found]
        for label, values in (
            ("whole build", [each["build"]["wall_s"] for each in found]),
            ("data path", [each["data_path_s"] for each in found]),
            ("limit of the data path", [each["limit"]["wall_s"] for each in found]),
            ("one more week", [[*each["new_weeks"].values()][-1]["wall_s"] for each in found]),
        ):
            [drawn] = axes.loglog(purchases, values, marker="o", label=label)
            even = [values[-1] * each / purchases[-1] for each in purchases]
            axes.loglog(purchases, even, ":", color=drawn.get_color(), linewidth=1)
        axes.plot([], [], ":", color="grey", label="in proportion to purchases")
        axes.set_xlabel("purchases in 105 weeks")
        axes.set_ylabel("seconds")
        axes.grid(visible=True, which="major", alpha=0.3)
        figure.legend(frameon=False, loc="outside lower center", ncols=3)
        figure.savefig(file, metadata={"Date": None})


def _row(each: dict[str, Any]) -> tuple[str, ...]:
    slow = each["row_by_row"]
    return (
        f"{each['scale']:g}",
        f"{each['purchases']:,}",
        f"{slow['wall_s']:.0f} s, {slow['peak_mb']:,.0f} MB" if slow else "",
        f"{each['limit']['wall_s']:.1f} s",
        f"{each['data_path_s']:.1f} s",
        f"{each['data_path_s'] / slow['wall_s']:.2f}" if slow else "",
        f"{each['data_path_s'] / each['limit']['wall_s']:.2f}",
        f"{each['purchases'] / each['data_path_s']:,.0f}",
        f"{each['build']['wall_s']:.0f} s",
        f"{each['build']['cpu_s']:.0f} s",
        f"{each['build']['peak_mb']:,.0f} MB",
        f"{each['disk_mb']:,.0f} MB",
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    head = "| " + " | ".join(columns) + " |"
    under = "|---|" + "---:|" * (len(columns) - 1)
    return [head, under, *("| " + " | ".join(row) + " |" for row in rows)]
