"""Small landing zones for the tests: writing files into them and reading the raw tables out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hm_platform.calendar import Calendar
from hm_platform.landing.columns import COLUMNS
from hm_platform.landing.loading import (
    index_landing_zone,
    read_quarantine,
    read_transactions,
)
from hm_platform.landing.zone import LandingZone

CALENDAR = Calendar(date(2018, 9, 19))
TODAY = date(2020, 9, 22)
HEADER = "t_dat,customer_id,article_id,price,sales_channel_id"
GOOD = "2018-09-20,c1,0108775015,0.05,1"


def put(zone: LandingZone, uri: str, content: bytes | str | Iterable[str]) -> Path:
    """Write a file: bytes or text as they are, or lines with a line feed each."""
    path = zone.root / uri
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(content, bytes):
        text = content if isinstance(content, str) else "".join(f"{line}\n" for line in content)
        content = text.encode()
    path.write_bytes(content)
    return path


def put_parquet(zone: LandingZone, uri: str, columns: Mapping[str, Any]) -> Path:
    path = zone.root / uri
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(columns)), path)
    return path


def put_transactions(zone: LandingZone, name: str, *lines: str) -> Path:
    return put(zone, f"transactions/{name}", [HEADER, *lines])


def row(dataset: str, **values: str) -> str:
    """A CSV line of a data set in which all but ``values`` is empty."""
    return ",".join(values.get(column.name, "") for column in COLUMNS[dataset])


def header(dataset: str) -> str:
    return ",".join(column.name for column in COLUMNS[dataset])


def index(zone: LandingZone, previous: pa.Table | None = None, **options: Any) -> pa.Table:
    return index_landing_zone(zone, CALENDAR, previous, today=TODAY, **options)


def entries(zone: LandingZone) -> dict[str, dict[str, Any]]:
    """The rows of the index, by uri."""
    return {entry["uri"]: entry for entry in index(zone).to_pylist()}


def transactions(
    zone: LandingZone, start: date = CALENDAR.first_week, end: date = date(2021, 1, 1)
) -> list[dict[str, Any]]:
    return read_transactions(zone, index(zone), start, end).read_all().to_pylist()


def quarantine(zone: LandingZone) -> list[dict[str, Any]]:
    return read_quarantine(zone, index(zone)).read_all().to_pylist()


def state(root: Path) -> dict[str, tuple[int, bytes]]:
    """Time of change and content of every file under ``root``, by relative name."""
    return {
        path.relative_to(root).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
