"""Tables as Parquet objects: ``<schema>/<table>.parquet``, or one a week under
``<schema>/<table>/<first day of the week>.parquet``.

There are no locks. A write ends with the one request that makes a week's object appear in the place
of the old one, so who reads sees either; and who writes another week has nothing to do with it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from hm_platform.storage.s3.bucket import CONNECTIONS, Bucket, Object
from hm_platform.storage.s3.duckdb_connection import connect, duckdb_settings, view
from hm_platform.storage.s3.errors import S3Error
from hm_platform.storage.s3.parquet import ParquetStream
from hm_platform.storage.s3.reading import Reading
from hm_platform.storage.tables import (
    BATCH_ROWS,
    WAIT_S,
    Days,
    Slice,
    TableError,
    Written,
    no_table,
    quoted,
)

log = logging.getLogger(__name__)

WEEK = timedelta(days=7)
SCHEMAS = (
    "raw", "staging", "marts", "datasets", "features", "evaluation", "serving",
)  # fmt: skip
"""The folders that tables lie in."""


@dataclass(frozen=True)
class S3Tables:
    """The tables of a bucket."""

    bucket: Bucket
    _fits: dict[tuple[str, str], pa.Schema] = field(default_factory=dict, compare=False, repr=False)
    """The columns with which this process has written a table, and which fit its other weeks."""

    def __str__(self) -> str:
        return str(self.bucket)

    @cached_property
    def _reading(self) -> Reading:
        return Reading(self.bucket)

    def is_empty(self) -> bool:
        return not any(self._any(f"{schema}/") for schema in SCHEMAS)

    def exists(self, schema: str, table: str) -> bool:
        return self._newest(schema, table) is not None

    def is_weekly(self, schema: str, table: str) -> bool:
        """Whether the table is there with an object a week."""
        return self._any(f"{schema}/{table}/")

    def names(self) -> list[tuple[str, str]]:
        """Schema and table of all that are there."""
        found = set()
        for schema in SCHEMAS:
            for each in self.bucket.list(f"{schema}/"):
                named = re.fullmatch(r"([^/]+)/([^/]+?)(/\d{4}-\d\d-\d\d)?\.parquet", each.key)
                if named:
                    found.add((named[1], named[2]))
        return sorted(found)

    def objects(self, schema: str, table: str, days: Days | None = None) -> list[Object]:
        """The objects of a table, in the order of their weeks; those that may have rows of these
        days."""
        name = re.escape(f"{schema}/{table}")
        of_table = re.compile(rf"{name}(?:/(\d{{4}}-\d\d-\d\d))?\.parquet")
        if days is None:
            # What begins with the same name comes along, of which there is little.
            listed = self.bucket.list(f"{schema}/{table}")
            return [each for each in listed if of_table.fullmatch(each.key)]
        start, end = days
        folder = f"{schema}/{table}/"
        first = start - WEEK + timedelta(days=1) if start > date.min + WEEK else date.min
        found = []
        for each in self.bucket.list(folder, after=f"{folder}{first}"):
            named = of_table.fullmatch(each.key)
            if named is None:
                continue
            if date.fromisoformat(named[1]) >= end:
                break
            found.append(each)
        return found

    def replace(self, target: Slice, rows: pa.RecordBatchReader) -> Written:
        """As ``Tables.replace``; a slice by days is whole weeks, from its first day on, and the
        objects of several are replaced one after the other."""
        self._sweep_once()
        with duckdb.connect(config=duckdb_settings()) as db:
            # Types become those that the same rows would have in a DuckDB file.
            db.register("incoming", rows.__arrow_c_stream__())
            if target.days is None:
                written = self._write(db, target, "incoming", f"{_path(target)}.parquet")
                return Written(written, written)
            return Written(sum(self._replace_weeks(db, target)), None)

    def _replace_weeks(self, db: duckdb.DuckDBPyConnection, target: Slice) -> Iterator[int]:
        if target.days is None:
            raise AssertionError("a weekly table is written by days")
        start, end = target.days
        weeks = [start + WEEK * i for i in range((end - start) // WEEK)]
        source = "incoming"
        if len(weeks) != 1:
            db.execute("CREATE TEMP TABLE spool AS SELECT * FROM incoming")
            source = "spool"
            self._refuse_others(db, target)
        for week in weeks:
            key = f"{_path(target)}/{week}.parquet"
            yield self._write(db, target, source, key, (week, week + WEEK))

    def _write(
        self,
        db: duckdb.DuckDBPyConnection,
        target: Slice,
        source: str,
        key: str,
        days: Days | None = None,
    ) -> int:
        """Put the rows of ``source``, of these days, in the place of an object."""
        query = f"SELECT * FROM {source}"
        if days is not None and source != "incoming":
            query += f" WHERE {Slice('', '', days, target.by).where}"
        reader = db.execute(query).to_arrow_reader(BATCH_ROWS)
        if days is not None:
            self._refuse_other_types(target, reader.schema, key)
            if source == "incoming":
                reader = _only_days(reader, target, days)
        stream = ParquetStream(reader)
        self.bucket.upload(key, stream)
        return stream.rows

    def _refuse_others(self, db: duckdb.DuckDBPyConnection, target: Slice) -> None:
        where = Slice("", "", target.days, target.by).where
        found = db.execute(
            f"SELECT {quoted(target.by)} FROM spool WHERE NOT coalesce({where}, false) LIMIT 1"
        ).fetchone()
        if found is not None:
            raise _other_day(target, found[0])

    def _refuse_other_types(self, target: Slice, schema: pa.Schema, key: str) -> None:
        """Raises TableError when a column has another type than in another week."""
        if self._fits.get((target.schema, target.table)) == schema:
            return
        other = self._newest(target.schema, target.table, but=key)
        for column in self._reading.schema(other) if other else ():
            mine = schema.get_field_index(column.name)
            if mine >= 0 and schema.field(mine).type != column.type:
                raise TableError(
                    f"column {column.name} of {target.schema}.{target.table} is {column.type} in "
                    f"{self.bucket.uri(other.key) if other else ''} and "
                    f"{schema.field(mine).type} now: delete the table's objects and build its "
                    "weeks again"
                )
        self._fits[target.schema, target.table] = schema

    def read(self, source: Slice) -> pa.Table:
        return self._reading.table(self._objects(source), source)

    def read_each(self, *sources: Slice, wait_s: float = WAIT_S) -> list[pa.Table | None]:
        def read(source: Slice) -> pa.Table | None:
            objects = self.objects(source.schema, source.table, source.days)
            if not objects and not self.exists(source.schema, source.table):
                return None
            return self.read(source)

        with ThreadPoolExecutor(CONNECTIONS) as threads:
            return list(threads.map(read, sources))

    def stream(self, source: Slice) -> pa.RecordBatchReader:
        return self._reading.stream(self._objects(source), source)

    def count(self, source: Slice) -> int:
        objects = self.objects(source.schema, source.table, source.days)
        if not objects and not self.exists(source.schema, source.table):
            raise no_table(source.schema, source.table)
        begun = source.days and any(week_of(each) < source.days[0] for each in objects)
        if source.only or begun:
            return sum(len(batch) for batch in self._reading.stream(objects, source))
        return self._reading.rows(objects)

    def table_rows(self, schema: str, table: str) -> int | None:
        if self.is_weekly(schema, table):
            return None
        return self.count(Slice(schema, table)) if self.exists(schema, table) else None

    @contextmanager
    def sql(self, *sources: Slice) -> Iterator[duckdb.DuckDBPyConnection]:
        with connect(self.bucket) as connection:
            for source in sources:
                self.show(connection, source)
            try:
                yield connection
            except (duckdb.HTTPException, duckdb.IOException) as error:
                raise S3Error(
                    f"cannot read from {self.bucket}: {str(error).splitlines()[0]}; run this again"
                ) from None

    def show(self, connection: duckdb.DuckDBPyConnection, source: Slice) -> bool:
        """Give the table its name on a connection, with the rows of these days; whether there is
        one."""
        objects = self.objects(source.schema, source.table, source.days)
        shown = objects or self._for_columns(source)
        if not shown:
            return False
        view(connection, source, [self.bucket.uri(each.key) for each in shown], empty=not objects)
        return True

    def _objects(self, source: Slice) -> Sequence[Object]:
        """The objects of a slice; where it has none, one of the table's, for its columns."""
        found = self.objects(source.schema, source.table, source.days)
        found = found or self._for_columns(source)
        if not found:
            raise no_table(source.schema, source.table)
        return found

    def _for_columns(self, source: Slice) -> list[Object]:
        newest = self._newest(source.schema, source.table)
        return [] if newest is None else [newest]

    def _newest(self, schema: str, table: str, but: str = "") -> Object | None:
        """The object of a table that was written last."""
        objects = (each for each in self.objects(schema, table) if each.key != but)
        return max(objects, key=lambda each: (each.modified, each.key), default=None)

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
            log.warning("%s; a lifecycle rule should remove them", error)


_swept: set[Bucket] = set()
"""Where this process has looked for what broken uploads have left."""


def week_of(found: Object) -> date:
    """The first day of the week that an object holds."""
    return date.fromisoformat(found.key.removesuffix(".parquet").rsplit("/", 1)[1])


def _path(target: Slice) -> str:
    return f"{target.schema}/{target.table}"


def _other_day(target: Slice, day: object) -> TableError:
    start, end = target.days or (None, None)
    return TableError(
        f"a row of {target.schema}.{target.table} has the {target.by} {day}, which is not in the "
        f"days {start} to {end} (excluded) that are written"
    )


def _only_days(reader: pa.RecordBatchReader, target: Slice, days: Days) -> pa.RecordBatchReader:
    """The same batches; raises TableError at a row of another day, as that of a null."""
    start, end = days

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            column = batch[target.by]
            bounds = pc.min_max(column).as_py()
            if column.null_count:
                raise _other_day(target, None)
            if len(batch) and not (start <= bounds["min"] and bounds["max"] < end):
                other = bounds["min"] if bounds["min"] < start else bounds["max"]
                raise _other_day(target, other)
            yield batch

    return pa.RecordBatchReader.from_batches(reader.schema, batches())
