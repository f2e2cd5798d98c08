"""Dagster's IO managers: tables as Arrow in the DuckDB warehouse, models as folders on disk.

What belongs here is the translation between Dagster's contexts and the plain functions of
``warehouse`` and ``modelling.model_store``. Assets get and return Arrow tables, record-batch
readers and model folders, and do not know which IO manager is behind them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from dagster import (
    ConfigurableIOManager,
    InputContext,
    MetadataValue,
    OutputContext,
    TableColumn,
    TableColumnConstraints,
    TableSchema,
    TimeWindow,
)
from dagster._core.storage.db_io_manager import DbIOManager, DbTypeHandler, TableSlice
from dagster_duckdb import DuckDBIOManager
from dagster_duckdb.io_manager import DuckDbClient
from pydantic import Field

from hm_platform.calendar import days_of
from hm_platform.storage import model_folders, warehouse


class ArrowDuckDBIOManager(DuckDBIOManager):
    """Arrow tables and record-batch readers in DuckDB.

    An asset's key is its schema and table. A partition is replaced in one transaction together
    with whatever the table needs to hold it; a reader is written and read batch by batch. An input
    may ask for less than all with its metadata: ``columns`` (names) and ``filter`` (column ->
    value, or a list of values of which a row has one).
    """

    @staticmethod
    def type_handlers() -> Sequence[DbTypeHandler]:
        return [ArrowTableHandler(), RecordBatchHandler()]

    def create_io_manager(self, context: Any) -> DbIOManager:
        return DbIOManager(
            db_client=WarehouseClient(),
            database=self.database,
            schema=self.schema_,
            type_handlers=self.type_handlers(),
            default_load_type=pa.Table,
            io_manager_name="ArrowDuckDBIOManager",
        )


class WarehouseClient(DuckDbClient):
    """Opens the warehouse; one transaction an output."""

    @staticmethod
    @contextmanager
    def connect(
        context: OutputContext | InputContext, _: TableSlice
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        path = Path(str((context.resource_config or {})["database"]))
        opened = (
            warehouse.transaction(path)
            if isinstance(context, OutputContext)
            # Not read-only: DuckDB refuses two connections of one process with different modes,
            # and a stream that is still being read may feed what this step writes.
            else warehouse.connect(path)
        )
        with opened as connection:
            yield connection

    @staticmethod
    def delete_table_slice(
        context: OutputContext, table_slice: TableSlice, connection: Any
    ) -> None:
        """Nothing: the handlers replace, since columns must be added before rows are deleted."""

    @staticmethod
    def get_select_statement(table_slice: TableSlice) -> str:
        return _slice(table_slice).select()


class RecordBatchHandler(DbTypeHandler[pa.RecordBatchReader]):
    """Record-batch readers: never held whole."""

    def handle_output(
        self,
        context: OutputContext,
        table_slice: TableSlice,
        obj: pa.RecordBatchReader,
        connection: duckdb.DuckDBPyConnection,
    ) -> Mapping[str, Any]:
        target = _slice(table_slice)
        rows = warehouse.replace(connection, target, obj)
        table = warehouse.Slice(target.schema, target.table)
        counts = {"dagster/row_count": warehouse.count(connection, table)}
        if target.where is not None:
            counts["dagster/partition_row_count"] = rows
        return {**counts, "dagster/column_schema": _table_schema(context, obj.schema)}

    def load_input(
        self,
        context: InputContext,
        table_slice: TableSlice,
        connection: duckdb.DuckDBPyConnection,
    ) -> pa.RecordBatchReader:
        path = Path(str(table_slice.database))
        return warehouse.stream(path, _input_slice(context, table_slice))

    @property
    def supported_types(self) -> Sequence[type[object]]:
        return [pa.RecordBatchReader]


class ArrowTableHandler(DbTypeHandler[pa.Table]):
    """Arrow tables: for what is small or needed whole."""

    def handle_output(
        self,
        context: OutputContext,
        table_slice: TableSlice,
        obj: pa.Table,
        connection: duckdb.DuckDBPyConnection,
    ) -> Mapping[str, Any]:
        return RecordBatchHandler().handle_output(context, table_slice, obj.to_reader(), connection)

    def load_input(
        self,
        context: InputContext,
        table_slice: TableSlice,
        connection: duckdb.DuckDBPyConnection,
    ) -> pa.Table:
        return warehouse.read(connection, _input_slice(context, table_slice))

    @property
    def supported_types(self) -> Sequence[type[object]]:
        return [pa.Table]


def _slice(table_slice: TableSlice) -> warehouse.Slice:
    conditions = []
    for dimension in table_slice.partition_dimensions or ():
        if not isinstance(dimension.partitions, TimeWindow):
            # Dagster passes an empty list where a partition mapping found no upstream partition.
            conditions.append("false")
            continue
        start, end = days_of(dimension.partitions)
        column = warehouse.quoted(dimension.partition_expr)
        conditions.append(f"{column} >= DATE '{start}' AND {column} < DATE '{end}'")
    return warehouse.Slice(
        schema=table_slice.schema,
        table=table_slice.table,
        where=" AND ".join(conditions) or None,
        columns=table_slice.columns or (),
    )


def _input_slice(context: InputContext, table_slice: TableSlice) -> warehouse.Slice:
    source = _slice(table_slice)
    wanted = (context.definition_metadata or {}).get("filter")
    if not wanted:
        return source
    where = " AND ".join(filter(None, [source.where, warehouse.equals(wanted)]))
    return warehouse.Slice(source.schema, source.table, where, source.columns)


def _table_schema(context: OutputContext, schema: pa.Schema) -> MetadataValue:
    """The written columns, with the descriptions that the asset or the Arrow fields carry."""
    declared = (context.definition_metadata or {}).get("dagster/column_schema")
    declared = getattr(declared, "schema", declared)
    described = {c.name: c.description for c in declared.columns} if declared else {}
    return MetadataValue.table_schema(arrow_table_schema(schema, described))


def arrow_table_schema(
    schema: pa.Schema, descriptions: Mapping[str, str | None] | None = None
) -> TableSchema:
    """An Arrow schema as Dagster shows it; field metadata ``description`` is kept."""
    return TableSchema(
        columns=[
            TableColumn(
                name=field.name,
                type=str(field.type),
                description=(descriptions or {}).get(field.name)
                or (field.metadata or {}).get(b"description", b"").decode()
                or None,
                constraints=TableColumnConstraints(nullable=field.nullable),
            )
            for field in schema
        ]
    )


class ModelIOManager(ConfigurableIOManager):
    """Model folders: an asset returns the path of a folder that it trained into, and gets the path
    of the folder in its place when it reads one."""

    directory: str = Field(description="The folder of all models.")

    def handle_output(self, context: OutputContext, obj: Path) -> None:
        folder = model_folders.store(self._root(context), self._week(context), obj)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        context.add_output_metadata({"folder": MetadataValue.path(folder), "bytes": size})

    def load_input(self, context: InputContext) -> Path:
        return model_folders.folder_of(self._root(context), self._week(context))

    def _root(self, context: OutputContext | InputContext) -> Path:
        return Path(self.directory, context.asset_key.path[-1])

    def _week(self, context: OutputContext | InputContext) -> date:
        return date.fromisoformat(context.asset_partition_key)
