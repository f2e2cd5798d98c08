"""Small landing zones for the tests: writing files into them and reading the raw tables out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hm_platform.calendar import Calendar
from hm_platform.landing import index as index_module
from hm_platform.landing.columns import COLUMNS
from hm_platform.landing.index import index_landing_zone
from hm_platform.landing.loading import read_quarantine, read_transactions
from hm_platform.landing.validating import Rules
from hm_platform.landing.zone import Landing, LandingZone

CALENDAR = Calendar(date(2018, 9, 19))
TODAY = date(2020, 9, 22)
HEADER = "t_dat,customer_id,article_id,price,sales_channel_id"
LENIENT = Rules(CALENDAR, max_refused_share=1.0)
"""However many rows of a file are refused, the others are loaded."""
STRICT = Rules(CALENDAR)
"""As they are by default."""
GOOD = "2018-09-20,c1,0108775015,0.05,1"
BAD = "2018-09-20,c1,0108775015,-1,1"
PURCHASES = {
    "t_dat": [date(2018, 9, 20)] * 2,
    "customer_id": ["c1", "c2"],
    "article_id": ["0108775015"] * 2,
    "price": [0.05, -1.0],
    "sales_channel_id": [1, 1],
}
"""Two purchases as columns; the price of the second is refused."""
END = date(2021, 1, 1)
"""After every day that the tests land."""


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


def good(*numbers: int, day: date = date(2018, 9, 20)) -> list[str]:
    """Lines of good transactions, a line a number, all different."""
    return [f"{day},c{number},0108775015,0.05,1" for number in numbers]


def put_transactions(zone: LandingZone, name: str, *lines: str) -> Path:
    return put(zone, f"transactions/{name}", [HEADER, *lines])


def row(dataset: str, **values: str) -> str:
    """A CSV line of a data set in which all but ``values`` is empty."""
    return ",".join(values.get(column.name, "") for column in COLUMNS[dataset])


def header(dataset: str) -> str:
    return ",".join(column.name for column in COLUMNS[dataset])


def index(
    zone: Landing, previous: pa.Table | None = None, rules: Rules = LENIENT, **options: Any
) -> pa.Table:
    return index_landing_zone(zone, rules, previous, **{"today": TODAY, **options})


def by_uri(found: pa.Table) -> dict[str, dict[str, Any]]:
    """The rows of an index, by uri."""
    return {entry["uri"]: entry for entry in found.to_pylist()}


def entries(zone: LandingZone) -> dict[str, dict[str, Any]]:
    """What an index of the zone has, by uri."""
    return by_uri(index(zone))


def transactions(
    zone: Landing, start: date = CALENDAR.first_week, end: date = END
) -> list[dict[str, Any]]:
    return read_transactions(zone, index(zone), start, end).read_all().to_pylist()


def quarantine(zone: LandingZone) -> list[dict[str, Any]]:
    return read_quarantine(zone, index(zone)).read_all().to_pylist()


def validations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collects the uris of files whose rows are checked."""
    return _calls(monkeypatch, "validate", lambda session, file, *rest: file.uri)


def examinations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collects the uris of files that are read."""
    return _calls(monkeypatch, "examine", lambda file: file.uri)


def _calls(monkeypatch: pytest.MonkeyPatch, name: str, told: Callable[..., str]) -> list[str]:
    called: list[str] = []
    function = getattr(index_module, name)

    def noting(*arguments: Any) -> Any:
        called.append(told(*arguments))
        return function(*arguments)

    monkeypatch.setattr(index_module, name, noting)
    return called


def state(root: Path) -> dict[str, tuple[int, bytes]]:
    """Time of change and content of every file under ``root``, by relative name."""
    return {
        path.relative_to(root).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def put_customers(
    zone: LandingZone, name: str, lacks: Sequence[str] = (), adds: Sequence[str] = ()
) -> Path:
    """Customers whose id is the file's name, in every column but those that it lacks."""
    everything = [*(column.name for column in COLUMNS["customers"]), *adds]
    columns = [column for column in everything if column not in lacks]
    values = {"customer_id": name, "age": "30", "postal_code": "p", "fn": "1", "active": "1"}
    lines = [",".join(columns), ",".join(values.get(column, "x") for column in columns)]
    return put(zone, f"customers/{name}.csv", lines)
