"""The page of growing shops says what its JSON says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.scale_page import write_page


def measured(seconds: float) -> dict[str, Any]:
    return {"what": "", "wall_s": seconds, "cpu_s": seconds, "peak_mb": 500.0}


def scaled(scale: float, *, row_by_row: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "scale": scale, "customers": 1, "purchases": round(32e6 * scale), "limit": measured(100),
        "row_by_row": row_by_row, "build": measured(2000), "data_path_s": 250.0,
        "new_weeks": {"13": measured(30), "104": measured(31)},
        "loops": {
            "articles": 1000, "search": {"product": 2000.0, "hm_platform": 1500.0},
            "training": {"batches alone": 9000.0, "with the network": 300.0},
        },
        "assets": {"raw/transactions": {"seconds": 40.0, "peak_memory_mb": 2500.0}},
        "disk_mb": 900.0, "cores": 2, "memory_gb": 8.0, "machine": "a machine",
    }  # fmt: skip


def written(folder: Path, *scales: dict[str, Any]) -> str:
    for each in scales:
        (folder / f"scale-{each['scale']:g}.json").write_text(json.dumps(each))
    write_page(folder, folder)
    return (folder / "scale.md").read_text("utf-8")


def cells(page: str, start: str) -> list[str]:
    """Of the first row that begins so."""
    line = next(line for line in page.splitlines() if line.startswith(f"| {start} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_has_the_ratios_and_each_scale_its_row(tmp_path: Path) -> None:
    page = written(tmp_path, scaled(0.1, row_by_row=None), scaled(0.01, row_by_row=measured(50)))

    found = dict(zip(cells(page, "scale"), cells(page, "0.01"), strict=True))
    assert (found["purchases"], found["data path"]) == ("320,000", "250.0 s")
    assert (found["to the limit"], found["to row by row"]) == ("2.50", "5.00")
    assert (found["purchases a second"], found["peak memory"]) == ("1,280", "500 MB")
    without = dict(zip(cells(page, "scale"), cells(page, "0.1"), strict=True))
    assert (without["row by row"], without["to row by row"]) == ("", "")
    assert without["to the limit"] == "2.50"


def test_one_more_week_the_loops_and_the_assets_of_the_largest_are_told(tmp_path: Path) -> None:
    page = written(tmp_path, scaled(0.1, row_by_row=None))

    assert "| scale | after 13 weeks | after 104 weeks |" in page
    assert "| 0.1 | 30 s, 500 MB | 31 s, 500 MB |" in page
    assert "| 0.1 | 1,000 | 2,000 | 1,500 | 9,000 | 300 |" in page
    assert "| raw/transactions | 40.0 | 2,500 MB |" in page


def test_the_plot_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    written(tmp_path, scaled(0.1, row_by_row=None), scaled(0.01, row_by_row=None))
    plot = tmp_path / "images" / "scale.svg"
    first = plot.read_bytes()
    written(tmp_path)
    assert plot.read_bytes() == first
    assert b"<svg" in first
