"""Tables as Parquet objects: ``<schema>/<table>.parquet``, or one a week under
``<schema>/<table>/<first day of the week>.parquet``.

There are no locks. A write ends with the one request that makes a week's object appear in the place
of the old one, so who reads sees either; and who writes another week has nothing to do with it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

import duckdb
import pyarrow as pa

from hm_platform.calendar import WEEK
from hm_platform.machine import in_memory_config
from hm_platform.storage.s3.bucket import CONNECTIONS, Bucket, Object
from hm_platform.storage.s3.duckdb_connection import connect, told, view
from hm_platform.storage.s3.errors import ChangedObjectError, MissingObjectError, S3Error
from hm_platform.storage.s3.parquet import ParquetStream
from hm_platform.storage.s3.reading import Reading
from hm_platform.storage.s3.weeks import (
    fitted,
    is_week,
    newest,
    only_days,
    refuse_other_days,
    refuse_other_shape,
    week_of,
    weeks_of,
)
from hm_platform.storage.tables import (
    BATCH_ROWS,
    WAIT_S,
    Days,
    Slice,
    StoredWeek,
    Written,
    no_table,
)

log = logging.getLogger(__name__)
T = TypeVar("T")

TRIES = 5
"""How often is read what somebody replaces while it is read."""

SCHEMAS = (
    "raw", "staging", "marts", "datasets", "features", "evaluation", "serving",
)  # fmt: skip
"""The folders that tables lie in."""


@dataclass(frozen=True)
class S3Tables:
    """The tables of a bucket."""

    bucket: Bucket
    _columns: dict[tuple[str, str], pa.Schema] = field(
        default_factory=dict, compare=False, repr=False
    )
    """The columns of the tables with weeks that have been written here."""

    def __str__(self) -> str:
        return str(self.bucket)

    @cached_property
    def _reading(self) -> Reading:
        return Reading(self.bucket)

    def is_empty(self) -> bool:
        return not any(self._any(f"{schema}/") for schema in SCHEMAS)

    def exists(self, schema: str, table: str) -> bool:
        return bool(self._stored(schema, table))

    def names(self) -> list[tuple[str, str]]:
        """Schema and table of all that are there."""
        return sorted(self.all_objects(SCHEMAS))

    def all_objects(self, schemas: Sequence[str]) -> dict[tuple[str, str], list[Object]]:
        """Schema and table -> its objects, of all that are there in these schemas."""
        found: dict[tuple[str, str], list[Object]] = {}
        for each in (each for schema in schemas for each in self.bucket.list(f"{schema}/")):
            named = re.fullmatch(r"([^/]+)/([^/]+?)(/\d{4}-\d\d-\d\d)?\.parquet", each.key)
            if named:
                found.setdefault((named[1], named[2]), []).append(each)
        return found

    def objects(self, schema: str, table: str, days: Days | None = None) -> list[Object]:
        """The objects of a table, in the order of their weeks; those that may have rows of these
        days."""
        return _having(self._stored(schema, table), days)

    def _stored(self, schema: str, table: str) -> list[Object]:
        of_table = re.compile(rf"{re.escape(f'{schema}/{table}')}(/\d{{4}}-\d\d-\d\d)?\.parquet")
        # What begins with the same name comes along, of which there is little.
        listed = self.bucket.list(f"{schema}/{table}")
        return [each for each in listed if of_table.fullmatch(each.key)]

    def replace(self, target: Slice, rows: pa.RecordBatchReader) -> Written:
        """As ``Tables.replace``; a slice by days is whole weeks, from its first day on, and the
        objects of several are replaced one after the other."""
        self._sweep_once()
        present = self._present(target)
        with duckdb.connect(config=in_memory_config()) as db:
            # Types become those that the same rows would have in a DuckDB file.
            db.register("incoming", rows.__arrow_c_stream__())
            if target.days is None:
                incoming = db.execute("SELECT * FROM incoming").to_arrow_reader(BATCH_ROWS)
                written = self._write(fitted(incoming), f"{_path(target)}.parquet")
                return Written(written, written)
            return Written(sum(self._replace_weeks(db, target, present)), None)

    def _present(self, target: Slice) -> pa.Schema:
        """The columns that a table with weeks has. Raises TableError when the slice is none that
        can be replaced."""

        def read(stored: Sequence[Object]) -> pa.Schema:
            refuse_other_shape(target, stored)
            shape = newest(stored) if target.days is not None else None
            return self._reading.schema(shape) if shape else pa.schema([])

        known = self._columns.get((target.schema, target.table))
        if known is not None and target.days is not None and not target.only:
            return known
        return self._steadily(target, read, may_be_new=True)

    def _replace_weeks(
        self, db: duckdb.DuckDBPyConnection, target: Slice, present: pa.Schema
    ) -> Iterator[int]:
        weeks = weeks_of(target)
        source = "incoming"
        if len(weeks) != 1:
            db.execute("CREATE TEMP TABLE spool AS SELECT * FROM incoming")
            source = "spool"
            refuse_other_days(db, target)
        for week in weeks:
            days = (week, week + WEEK)
            where = f" WHERE {Slice('', '', days, target.by).where}" if source == "spool" else ""
            reader = db.execute(f"SELECT * FROM {source}{where}").to_arrow_reader(BATCH_ROWS)
            reader = fitted(reader, present, target)
            columns = reader.schema
            if source == "incoming":
                reader = only_days(reader, target)
            yield self._write(reader, f"{_path(target)}/{week}.parquet")
            self._columns[target.schema, target.table] = columns

    def _write(self, reader: pa.RecordBatchReader, key: str) -> int:
        stream = ParquetStream(reader)
        self.bucket.upload(key, stream)
        return stream.rows

    def read(self, source: Slice) -> pa.Table:
        def read(stored: Sequence[Object]) -> pa.Table:
            return self._reading.table(_having(stored, source.days), source, newest(stored))

        return self._steadily(source, read)

    def read_each(self, *sources: Slice, wait_s: float = WAIT_S) -> list[pa.Table | None]:
        def read(source: Slice) -> pa.Table | None:
            def table(stored: Sequence[Object]) -> pa.Table | None:
                if not stored:
                    return None
                return self._reading.table(_having(stored, source.days), source, newest(stored))

            return self._steadily(source, table, may_be_new=True)

        with ThreadPoolExecutor(CONNECTIONS) as threads:
            return list(threads.map(read, sources))

    def stream(self, source: Slice) -> pa.RecordBatchReader:
        def stream(stored: Sequence[Object]) -> pa.RecordBatchReader:
            return self._reading.stream(_having(stored, source.days), source, newest(stored))

        return self._steadily(source, stream)

    def distinct(self, source: Slice, within: Days) -> pa.Table:
        rows = replace(source, columns=list(dict.fromkeys([*source.columns, source.by])))

        def distinct(stored: Sequence[Object]) -> pa.Table:
            found = self._reading.stream(_having(stored, source.days), rows, newest(stored))
            with duckdb.connect(config=in_memory_config()) as db:
                db.register("rows", found.__arrow_c_stream__())
                return db.execute(source.select_distinct(within, "rows")).to_arrow_table()

        return self._steadily(source, distinct)

    def count(self, source: Slice) -> int:
        def count(stored: Sequence[Object]) -> int:
            objects = _having(stored, source.days)
            if not source.only and all(_lies_in(each, source.days) for each in objects):
                return self._reading.rows(objects)
            asked = [*source.only, *([source.by] if source.days else [])]
            found = self._reading.stream(objects, replace(source, columns=asked), newest(stored))
            return sum(len(batch) for batch in found)

        return self._steadily(source, count)

    def _steadily(
        self,
        source: Slice,
        ask: Callable[[Sequence[Object]], T],
        may_be_new: bool = False,
    ) -> T:
        """What ``ask`` makes of a table's objects; asked again where one was replaced meanwhile."""
        for attempt in range(TRIES):
            stored = self._stored(source.schema, source.table)
            if not stored and not may_be_new:
                raise no_table(source.schema, source.table)
            try:
                return ask(stored)
            except (ChangedObjectError, MissingObjectError):
                if attempt == TRIES - 1:
                    raise
        raise AssertionError("the last try returns or raises")

    def table_rows(self, schema: str, table: str) -> int | None:
        def rows(stored: Sequence[Object]) -> int | None:
            weekly = not stored or any(map(is_week, stored))
            return None if weekly else self._reading.rows(stored)

        return self._steadily(Slice(schema, table), rows, may_be_new=True)

    def weeks(self, schema: str, table: str, by: str = "week") -> list[StoredWeek]:
        stored = self.objects(schema, table)
        return [StoredWeek(week_of(each), bytes=each.size) for each in stored]

    def delete(self, target: Slice) -> None:
        if target.days is None:
            raise AssertionError("weeks are deleted by days")
        stored = self.objects(target.schema, target.table, target.days)
        self.bucket.delete(each.key for each in stored if week_of(each) >= target.days[0])

    @contextmanager
    def sql(self, *sources: Slice) -> Iterator[duckdb.DuckDBPyConnection]:
        with connect(self.bucket) as connection, told(self.bucket):
            for source in sources:
                self.show(connection, source, self._stored(source.schema, source.table))
            yield connection

    def show(
        self, connection: duckdb.DuckDBPyConnection, source: Slice, stored: Sequence[Object]
    ) -> None:
        """Give a table, if it is there, its name on a connection, with the rows of these days.

        stored : all its objects
        """
        shape = newest(stored)
        if shape is None:
            return
        uris = [self.bucket.uri(each.key) for each in _having(stored, source.days)]
        view(connection, source, uris, self.bucket.uri(shape.key))

    def _any(self, prefix: str) -> bool:
        return next(self.bucket.list(prefix), None) is not None

    def _sweep_once(self) -> None:
        if self.bucket in _swept:
            return
        _swept.add(self.bucket)
        try:
            self.bucket.sweep()
        except S3Error as error:
            # Not every server can tell, and not everybody may ask.
            log.warning(
                "cannot tell which uploads to %s broke off (%s): have a lifecycle rule remove what "
                "is left of them",
                self.bucket,
                type(error).__name__,
            )


_swept: set[Bucket] = set()
"""Where this process has looked for what broken uploads have left."""


def _path(target: Slice) -> str:
    return f"{target.schema}/{target.table}"


def _having(stored: Sequence[Object], days: Days | None) -> list[Object]:
    """Those of a table's objects that may have rows of these days."""
    return [each for each in stored if days is None or _meets(each, days)]


def _meets(found: Object, days: Days) -> bool:
    if not is_week(found):
        return days[0] < days[1]
    week = week_of(found)
    return days[0] - week < WEEK and week < days[1]


def _lies_in(found: Object, days: Days | None) -> bool:
    """Whether all rows of an object are of these days, which its name says."""
    if days is None:
        return True
    if not is_week(found):
        return False
    week = week_of(found)
    return days[0] <= week and days[1] - week >= WEEK
