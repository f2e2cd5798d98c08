"""Small tables with weeks, for the storage tests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from hm_platform.storage.tables import Slice, Tables

WEEK = timedelta(days=7)
FIRST = date(2020, 1, 1)


def week(number: int) -> date:
    """The first day of a week, counted from 0."""
    return FIRST + number * WEEK


def of_weeks(first: int, last: int | None = None, **slice_of: Any) -> Slice:
    """The slice of ``marts.t`` with the weeks from ``first`` to ``last``."""
    end = week((first if last is None else last) + 1)
    return Slice("marts", "t", (week(first), end), **slice_of)


ALL = Slice("marts", "t")


def rows(number: int, x: list[Any], **columns: list[Any]) -> pa.Table:
    """Rows of a week, with values in the column x and others."""
    weeks = pa.array([week(number)] * len(x), pa.date32())
    return pa.table({"week": weeks, "x": x, **columns})


def put(tables: Tables, number: int, x: list[Any], **columns: list[Any]) -> None:
    """Replace a week."""
    tables.replace(of_weeks(number), rows(number, x, **columns).to_reader())


def content(tables: Tables, source: Slice = ALL) -> list[dict[str, Any]]:
    """The rows of a slice, in no order."""
    return sorted(tables.read(source).to_pylist(), key=repr)


def values(tables: Tables, source: Slice = ALL) -> list[Any]:
    """What the rows of a slice have in the column x, in no order."""
    return sorted(tables.read(source)["x"].to_pylist(), key=repr)


def breaking(table: pa.Table) -> pa.RecordBatchReader:
    """These rows, and then an error."""

    def batches() -> Iterator[pa.RecordBatch]:
        yield from table.to_batches()
        raise OSError("the source broke off")

    return pa.RecordBatchReader.from_batches(table.schema, batches())
