"""The DuckDB warehouse: opening it beside other processes, replacing slices, streaming reads.

Plain functions on DuckDB and Arrow; ``local`` makes ``Tables`` of them.

DuckDB lets one process write at a time and locks the file while it does. That lock belongs to the
operating system, which frees it when its holder dies; whoever finds the warehouse taken waits for
it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pyarrow as pa

from hm_platform.machine import duckdb_config
from hm_platform.storage.tables import (
    BATCH_ROWS,
    WAIT_S,
    Slice,
    StoredWeek,
    TableError,
    quoted,
)

log = logging.getLogger(__name__)


class WarehouseError(TableError):
    """The warehouse cannot be opened, or a table does not fit what is written to it."""


@contextmanager
def connect(
    path: Path, *, read_only: bool = False, wait_s: float = WAIT_S
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse, closed again on the way out, also after an error.

    Waits up to ``wait_s`` seconds while another process holds it.

    Raises WarehouseError when it stays taken, does not exist (read only), is not a warehouse, or
    cannot be read or written to the end.
    """
    if read_only and not path.exists():
        raise WarehouseError(f"there is no warehouse at {path} yet: run `hm build` first")
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = _open(path, read_only, wait_s)
    try:
        yield connection
    except duckdb.IOException as error:
        raise WarehouseError(_not_usable(path, error)) from error
    finally:
        connection.close()


def _not_usable(path: Path, error: duckdb.IOException) -> str:
    what = f"the warehouse {path} cannot be read or written: {error}"
    if "checksum" in str(error):
        what += (
            "\nit is damaged: move it out of the way and run `hm build`, which makes it again from "
            "what has landed"
        )
    return what


def _open(path: Path, read_only: bool, wait_s: float) -> duckdb.DuckDBPyConnection:
    start, pause, told = time.monotonic(), 0.05, False
    while True:
        try:
            return duckdb.connect(path, read_only=read_only, config=duckdb_config())
        except duckdb.IOException as error:
            waited = time.monotonic() - start
            if "Could not set lock" not in str(error):
                raise WarehouseError(_not_usable(path, error)) from error
            if waited > wait_s:
                raise WarehouseError(
                    f"the warehouse {path} has been in use by another process for "
                    f"{waited:.0f} s; close that process (a DuckDB shell?) and run this again: "
                    f"{error}"
                ) from error
            if waited > 5 and not told:
                told = True
                log.warning("waiting for the warehouse, which another process holds: %s", error)
            time.sleep(pause)
            pause = min(pause * 1.5, 1.0)


@contextmanager
def transaction(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse in one transaction: what happens to it happens at once or not at all."""
    with connect(path) as connection:
        connection.begin()
        try:
            yield connection
        except BaseException:
            # DuckDB has rolled back by itself after some errors.
            with suppress(duckdb.TransactionException):
                connection.rollback()
            raise
        connection.commit()


def replace(
    connection: duckdb.DuckDBPyConnection, target: Slice, rows: pa.RecordBatchReader
) -> int:
    """Put ``rows`` in the place of a slice and return how many there are.

    To be called inside a transaction. A whole table is made anew with the schema of ``rows``. A
    slice keeps the rest of the table: columns that ``rows`` has and the table has not are added
    (NULL in old rows), columns that only the table has become NULL in the new rows.

    Raises WarehouseError when a column's type differs from the table's.
    """
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(target.schema)}")
    # Of a C stream DuckDB asks for a batch when it has room for one; of a reader, pyarrow would
    # have up to a gigabyte of batches waiting.
    connection.register("incoming", rows.__arrow_c_stream__())
    try:
        if not target.where:
            written = connection.execute(
                f"CREATE OR REPLACE TABLE {target.name} AS SELECT * FROM incoming"
            )
        else:
            _fit_table(connection, target, rows.schema)
            connection.execute(f"DELETE FROM {target.name} WHERE {target.where}")
            written = connection.execute(
                f"INSERT INTO {target.name} BY NAME SELECT * FROM incoming"
            )
        row = written.fetchone()
        return 0 if row is None else int(row[0])
    finally:
        connection.unregister("incoming")


def _fit_table(connection: duckdb.DuckDBPyConnection, target: Slice, schema: pa.Schema) -> None:
    """Make the table, or add the columns that it lacks."""
    connection.register("incoming_shape", schema.empty_table())
    try:
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS {target.name} AS SELECT * FROM incoming_shape"
        )
        present = _column_types(connection, target.name)
        for column, type_ in _column_types(connection, "incoming_shape").items():
            if column not in present:
                connection.execute(f"ALTER TABLE {target.name} ADD COLUMN {quoted(column)} {type_}")
            elif present[column] != type_:
                raise WarehouseError(
                    f"column {column} of {target.schema}.{target.table} is {present[column]} in "
                    f"the warehouse and {type_} now: drop the table and build its weeks again"
                )
    finally:
        connection.unregister("incoming_shape")


def _column_types(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    described = connection.execute(f"DESCRIBE {relation}").fetchall()
    return {name: type_ for name, type_, *_ in described}


def count(connection: duckdb.DuckDBPyConnection, source: Slice) -> int:
    """Rows of a slice."""
    found = connection.execute(f"SELECT count(*) FROM ({source.select()})").fetchone()
    return int(found[0]) if found else 0


def weeks(connection: duckdb.DuckDBPyConnection, source: Slice) -> list[StoredWeek]:
    """The weeks of a table, oldest first, by the column ``source.by``."""
    by = quoted(source.by)
    found = connection.execute(
        f"SELECT {by}, count(*) FROM {source.name} WHERE {by} IS NOT NULL GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    return [StoredWeek(week, rows=rows) for week, rows in found]


def delete(path: Path, target: Slice) -> None:
    """Remove the rows of a slice in one transaction, and have their room used again.

    DuckDB does not make the file smaller: a checkpoint frees the blocks, and what is written next
    goes there.
    """
    with transaction(path) as connection:
        connection.execute(f"DELETE FROM {target.name} WHERE {target.where}")
    # Closing the last connection of a process does so too; others may be open here, or be reading.
    with connect(path) as connection, suppress(duckdb.TransactionException):
        connection.execute("CHECKPOINT")


def read(connection: duckdb.DuckDBPyConnection, source: Slice) -> pa.Table:
    """A slice as one Arrow table."""
    return connection.execute(source.select()).to_arrow_table()


def stream(path: Path, source: Slice, *, read_only: bool = False) -> pa.RecordBatchReader:
    """A slice as record batches, read as they are asked for.

    The stream opens the warehouse for itself and closes it when it ends or is dropped. (A cursor
    of another connection would not do: once its parent is closed, the next ``duckdb.connect`` of
    this process to the same file waits for the cursor for ever.)
    """
    return owned_stream(_open(path, read_only, WAIT_S), source.select())


def owned_stream(connection: duckdb.DuckDBPyConnection, query: str) -> pa.RecordBatchReader:
    """The result of ``query`` as record batches; ``connection`` closes when they end."""
    reader = connection.execute(query).to_arrow_reader(BATCH_ROWS)

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            yield from reader
        finally:
            reader.close()
            connection.close()

    return pa.RecordBatchReader.from_batches(reader.schema, batches())
