"""Everything on this machine: tables in one DuckDB file, models and pages in folders beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from hm_platform.storage import model_folders, warehouse
from hm_platform.storage.tables import (
    WAIT_S,
    Days,
    Slice,
    StoredWeek,
    Written,
    no_table,
    table_exists,
)
from hm_platform.storage.unfinished import ABANDONED, remove_abandoned, unfinished

LOOKING_WAIT_S = 60.0
"""Seconds that somebody who only looks waits for a build that is writing."""


@dataclass(frozen=True)
class Warehouse:
    """The tables of one DuckDB file.

    read_only : for commands that only look: they do not hold up others who look. Whoever writes
        must not ask for it: of two connections of one process both or none are read-only
    """

    path: Path
    read_only: bool = False

    def __str__(self) -> str:
        return str(self.path)

    def is_empty(self) -> bool:
        return not self.path.exists()

    def exists(self, schema: str, table: str) -> bool:
        with self.sql() as connection:
            return table_exists(connection, schema, table)

    def replace(self, target: Slice, rows: pa.RecordBatchReader) -> Written:
        with warehouse.transaction(self.path) as connection:
            written = warehouse.replace(connection, target, rows)
            whole = Slice(target.schema, target.table)
            return Written(written, warehouse.count(connection, whole))

    def read(self, source: Slice) -> pa.Table:
        with self._holding(source) as connection:
            return warehouse.read(connection, source)

    def read_each(self, *sources: Slice, wait_s: float = WAIT_S) -> list[pa.Table | None]:
        with warehouse.connect(self.path, read_only=self.read_only, wait_s=wait_s) as connection:
            return [
                warehouse.read(connection, source)
                if table_exists(connection, source.schema, source.table)
                else None
                for source in sources
            ]

    def stream(self, source: Slice) -> pa.RecordBatchReader:
        with self._holding(source):
            return warehouse.stream(self.path, source, read_only=self.read_only)

    def distinct(self, source: Slice, within: Days) -> pa.Table:
        # DuckDB finds them in its compressed columns with all threads. To hand over all rows takes
        # ten times as long.
        with self._holding(source) as connection:
            return connection.execute(source.select_distinct(within)).to_arrow_table()

    def count(self, source: Slice) -> int:
        with self._holding(source) as connection:
            return warehouse.count(connection, source)

    def table_rows(self, schema: str, table: str) -> int | None:
        return self.count(Slice(schema, table)) if self.exists(schema, table) else None

    def weeks(self, schema: str, table: str, by: str = "week") -> list[StoredWeek]:
        with self.sql() as connection:
            if not table_exists(connection, schema, table):
                return []
            return warehouse.weeks(connection, Slice(schema, table, by=by))

    def delete(self, target: Slice) -> None:
        if target.days is None:
            raise AssertionError("weeks are deleted by days")
        if self.exists(target.schema, target.table):
            warehouse.delete(self.path, target)

    @contextmanager
    def sql(self, *_: Slice) -> Iterator[duckdb.DuckDBPyConnection]:
        wait_s = LOOKING_WAIT_S if self.read_only else WAIT_S
        with warehouse.connect(self.path, read_only=self.read_only, wait_s=wait_s) as connection:
            yield connection

    @contextmanager
    def _holding(self, source: Slice) -> Iterator[duckdb.DuckDBPyConnection]:
        with self.sql() as connection:
            if not table_exists(connection, source.schema, source.table):
                raise no_table(source.schema, source.table)
            yield connection


@dataclass(frozen=True)
class ModelFolders:
    """The versions of one model: a folder a version, and a pointer a week."""

    root: Path

    def __str__(self) -> str:
        return str(self.root)

    def store(self, week: date, trained: Path) -> str:
        return str(model_folders.store(self.root, week, trained))

    def folder_of(self, week: date) -> Path:
        return model_folders.folder_of(self.root, week)

    def folder_of_version(self, version: str) -> Path:
        return model_folders.folder_of_version(self.root, version)

    def version_of_week(self, week: date) -> str | None:
        return model_folders.version_of_week(self.root, week)

    def versions(self) -> list[str]:
        return model_folders.versions(self.root)

    def weeks(self) -> list[date]:
        return model_folders.weeks(self.root)

    def size(self, version: str) -> int:
        return model_folders.size(self.folder_of_version(version))

    def forget(self, week: date) -> None:
        model_folders.pointer(self.root, week).unlink(missing_ok=True)

    def delete(self, version: str) -> None:
        model_folders.delete(self.root, version)

    def remove_unfinished(self, older_than: timedelta = ABANDONED) -> None:
        remove_abandoned(self.root)


@dataclass(frozen=True)
class PageFolder:
    """Pages as files of one folder."""

    folder: Path

    def address(self, name: object) -> str:
        return str(self.folder / f"{name}.html")

    def write(self, name: object, html: str) -> str:
        path = Path(self.address(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(path.parent)
        written = unfinished(path)
        try:
            written.write_text(html, encoding="utf-8")
            written.replace(path)
        finally:
            with suppress(FileNotFoundError):
                written.unlink()
        return str(path)
