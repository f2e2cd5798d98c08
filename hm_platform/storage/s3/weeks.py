"""The weeks of a table of which each is an object: what may be written in the place of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from hm_platform.calendar import WEEK
from hm_platform.storage.s3.bucket import Object
from hm_platform.storage.tables import Slice, TableError, quoted


def is_week(found: Object) -> bool:
    """Whether an object holds a week of a table, and not all of it."""
    return found.key.count("/") == 2


def week_of(found: Object) -> date:
    """The first day of the week that an object holds."""
    return date.fromisoformat(found.key.removesuffix(".parquet").rsplit("/", 1)[1])


def weeks_of(target: Slice) -> list[date]:
    """The first days of the weeks of a slice. Raises TableError where they are not whole."""
    start, end = target.days or (date.min, date.min)
    if start >= end or (end - start) % WEEK:
        raise TableError(
            f"{target.schema}.{target.table} is written by whole weeks, which the days from "
            f"{start} to {end} (excluded) are not"
        )
    return [start + WEEK * i for i in range((end - start) // WEEK)]


def newest(stored: Sequence[Object]) -> Object | None:
    """The object of a table that was written last: it has all columns that the table has."""
    return max(stored, key=lambda each: (each.modified, each.key), default=None)


def refuse_other_shape(target: Slice, stored: Sequence[Object]) -> None:
    """Raises TableError where a table is stored by weeks and would be whole, or the other way
    round, since its rows would then be there twice; or where some rows of an object are meant."""
    name = f"{target.schema}.{target.table}"
    if target.only:
        raise TableError(f"{name} lies in a bucket and is replaced whole or by weeks, not by rows")
    others = [each for each in stored if is_week(each) != (target.days is not None)]
    if others:
        now, then = ("whole", "by weeks") if target.days is None else ("by weeks", "whole")
        raise TableError(
            f"{name} is to be stored {now} and is stored {then}: delete {others[0].key} and what "
            "else there is of it, and build it again"
        )


def fitted(
    reader: pa.RecordBatchReader, present: pa.Schema | None = None, target: Slice | None = None
) -> pa.RecordBatchReader:
    """The same rows with the columns that their table has and they have not, which are null.

    present : the columns that the table has

    Raises TableError when a column's type differs from the table's.
    """
    incoming = pa.schema([(field.name, _stored_as(field.type)) for field in reader.schema])
    fields = list(present or ())
    for field in fields:
        at = incoming.get_field_index(field.name)
        if target is not None and at >= 0 and incoming.field(at).type != field.type:
            raise TableError(
                f"column {field.name} of {target.schema}.{target.table} is {field.type} in the "
                f"bucket and {incoming.field(at).type} now: delete the table's objects and build "
                "its weeks again"
            )
    known = {field.name for field in fields}
    schema = pa.schema([*fields, *(field for field in incoming if field.name not in known)])

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            columns = [
                batch[field.name].cast(field.type)
                if field.name in incoming.names
                else pa.nulls(len(batch), field.type)
                for field in schema
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _stored_as(type_: pa.DataType) -> pa.DataType:
    """Parquet counts no whole seconds."""
    return pa.timestamp("ms", type_.tz) if type_ == pa.timestamp("s") else type_


def only_days(reader: pa.RecordBatchReader, target: Slice) -> pa.RecordBatchReader:
    """The same batches; raises TableError at a row of another day, as that of a null."""

    def batches() -> Iterator[pa.RecordBatch]:
        start, end = target.days or (date.min, date.max)
        for batch in reader:
            column = batch[target.by].cast(pa.date32(), safe=False)
            bounds = pc.min_max(column).as_py()
            if column.null_count:
                raise _other_day(target, None)
            if len(batch) and not (start <= bounds["min"] and bounds["max"] < end):
                other = bounds["min"] if bounds["min"] < start else bounds["max"]
                raise _other_day(target, other)
            yield batch

    return pa.RecordBatchReader.from_batches(reader.schema, batches())


def refuse_other_days(db: duckdb.DuckDBPyConnection, target: Slice) -> None:
    """Raises TableError when the table ``spool`` has a row of a day that is not in the slice."""
    where = Slice("", "", target.days, target.by).where
    found = db.execute(
        f"SELECT {quoted(target.by)} FROM spool WHERE NOT coalesce({where}, false) LIMIT 1"
    ).fetchone()
    if found is not None:
        raise _other_day(target, found[0])


def _other_day(target: Slice, day: object) -> TableError:
    start, end = target.days or (None, None)
    return TableError(
        f"a row of {target.schema}.{target.table} has the {target.by} {day}, which is not in the "
        f"days {start} to {end} (excluded) that are written"
    )
