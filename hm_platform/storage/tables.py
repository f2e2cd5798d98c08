"""What tables are asked for, wherever they lie: slices of them, and what can be done with those.

``local`` keeps them in a DuckDB file and ``s3`` as Parquet objects; nobody else knows which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from hm_platform.errors import PlatformError

if TYPE_CHECKING:
    import duckdb

BATCH_ROWS = 122_880
"""Rows a record batch: one DuckDB row group."""

WAIT_S = 900.0
"""Seconds to wait for tables that another process holds."""

Days = tuple[date, date]
"""First day, and the first day after."""


class TableError(PlatformError):
    """A table that is not there, or that does not fit what is written to it."""


@dataclass(frozen=True)
class Slice:
    """Part of a table: some columns (all, when empty) of some rows (all, when nothing is said).

    days : only rows whose column ``by`` lies in them; whole weeks, when written
    only : only rows that have this value, or one of these values, in each of these columns
    """

    schema: str
    table: str
    days: Days | None = None
    by: str = "week"
    only: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    columns: Sequence[str] = ()

    @property
    def name(self) -> str:
        return f"{quoted(self.schema)}.{quoted(self.table)}"

    @property
    def where(self) -> str:
        """The rows, as a SQL condition; empty where it is all of them."""
        conditions = [f"{quoted(k)} {_one_of(v)}" for k, v in self.only.items()]
        if self.days is not None:
            conditions.append(self.lies_in(self.days))
        return " AND ".join(conditions)

    def lies_in(self, days: Days) -> str:
        """Whether a row lies in these days, as a SQL condition."""
        start, end = days
        column = quoted(self.by)
        return f"{column} >= DATE '{start}' AND {column} < DATE '{end}'"

    def select(self) -> str:
        """The slice, as SQL."""
        columns = ", ".join(map(quoted, self.columns)) or "*"
        where = f" WHERE {self.where}" if self.where else ""
        return f"SELECT {columns} FROM {self.name}{where}"

    def select_distinct(self, within: Days, rows: str = "") -> str:
        """What ``Tables.distinct`` gives, as SQL; ``rows`` names those of the slice, if the table
        is not there by its name."""
        columns = ", ".join(map(quoted, self.columns))
        found = rows or (f"{self.name} WHERE {self.where}" if self.where else self.name)
        return (
            f"SELECT {columns}, bool_or({self.lies_in(within)}) AS within "
            f"FROM {found} GROUP BY {columns}"
        )


@dataclass(frozen=True)
class Written:
    """What a write has done.

    rows : those that were written
    table_rows : those that the whole table has now, where that is known without a look at all of it
    """

    rows: int
    table_rows: int | None


@dataclass(frozen=True)
class StoredWeek:
    """A week of a table, as far as its storage knows it without reading it.

    rows, bytes : None where only reading would tell
    """

    week: date
    rows: int | None = None
    bytes: int | None = None


class Tables(Protocol):
    """All tables of a platform. A table's name is its asset's key: schema and table.

    Everything here raises TableError, with what to do about it, when tables cannot be got at.
    """

    def exists(self, schema: str, table: str) -> bool:
        """Whether there is such a table."""

    def replace(self, target: Slice, rows: pa.RecordBatchReader) -> Written:
        """Put ``rows`` in the place of a slice, of which a reader sees the old rows or the new.

        A whole table is made anew with the schema of ``rows``. A slice by days keeps the rest of
        the table: columns that are new are NULL in old rows, columns that have gone are NULL in
        new rows. Raises TableError when a column's type differs from the table's.
        """

    def read(self, source: Slice) -> pa.Table:
        """A slice as one Arrow table."""

    def read_each(self, *sources: Slice, wait_s: float = WAIT_S) -> list[pa.Table | None]:
        """Each of these slices as one Arrow table, or None where there is no such table.

        wait_s : seconds to wait for tables that another process holds
        """

    def stream(self, source: Slice) -> pa.RecordBatchReader:
        """A slice as record batches, read as they are asked for."""

    def distinct(self, source: Slice, within: Days) -> pa.Table:
        """Each row of a slice once, in any order, and beside its columns, which must be given,
        ``within``: whether there is such a row in these days."""

    def count(self, source: Slice) -> int:
        """Rows of a slice."""

    def table_rows(self, schema: str, table: str) -> int | None:
        """Rows of a whole table; None where there is none, or where it would take a look at every
        week to know."""

    def weeks(self, schema: str, table: str, by: str = "week") -> list[StoredWeek]:
        """The weeks that a table has, oldest first; none where there is no such table.

        by : the column with the first day of each row's week
        """

    def delete(self, target: Slice) -> None:
        """Remove whole weeks, a slice by days; those that are not there are gone already.

        A reader sees each of them whole or not at all. To be called again after it was killed.
        """

    def sql(self, *sources: Slice) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A connection to ask in SQL, in which each of these tables goes by its name.

        Of a slice by days it may have those days only. Tables that are not there are not there.
        """

    def is_empty(self) -> bool:
        """Whether nothing was ever written."""


def quoted(identifier: str) -> str:
    """A SQL identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A SQL string."""
    return "'" + text.replace("'", "''") + "'"


def _one_of(values: str | Sequence[str]) -> str:
    if isinstance(values, str):
        return f"= {literal(values)}"
    # IN () is no SQL: nothing is one of no values.
    return f"IN ({', '.join(map(literal, values)) or 'NULL'})"


def table_exists(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    """Whether a connection knows a table of that name."""
    # DuckDB imports pandas, for half a second, when it is given parameters.
    found = connection.execute(
        "SELECT 1 FROM information_schema.tables "
        f"WHERE table_schema = {literal(schema)} AND table_name = {literal(table)}"
    ).fetchone()
    return found is not None


def no_table(schema: str, table: str) -> TableError:
    """What to say where a table is asked for and is not there."""
    return TableError(f"there is no table {schema}.{table} yet: materialise {schema}/{table} first")
