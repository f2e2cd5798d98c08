"""Dagster's IO managers: tables as Arrow, models as folders.

What belongs here is the translation between Dagster's contexts and what ``tables`` and ``places``
can do. Assets get and return Arrow tables, record-batch readers and model folders, and do not know
what is behind them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

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

from hm_platform.calendar import days_of
from hm_platform.machine import give_back_memory
from hm_platform.progress import paced
from hm_platform.storage import model_folders
from hm_platform.storage.metering import METER, Step, counted
from hm_platform.storage.resource import StorageResource
from hm_platform.storage.tables import Days, Slice

NEVER = (date.min, date.min)
"""No day at all."""


class ArrowIOManager(ConfigurableIOManager):
    """Arrow tables and record-batch readers.

    An asset's key is its schema and table; ``partition_expr`` in its metadata is the column by
    which it is cut into weeks. A week is replaced at once; a reader is written and read batch by
    batch. An input may ask for less than all with its metadata: ``columns`` (names) and ``filter``
    (column -> value, or a list of values of which a row has one).
    """

    storage: StorageResource

    def handle_output(self, context: OutputContext, obj: pa.Table | pa.RecordBatchReader) -> None:
        metadata = context.definition_metadata or {}
        days = days_of(context.asset_partitions_time_window) if _has_weeks(context) else None
        rows = obj.to_reader() if isinstance(obj, pa.Table) else obj
        schema, sizes = rows.schema, [0]
        rows = paced(counted(rows, sizes.append), context.log.info)
        written = self.storage.tables.replace(_slice(context, days, metadata), rows)
        # What made them is done: the next asset of the process has all the memory.
        give_back_memory()
        context.add_output_metadata(
            {
                **row_counts(written.table_rows, written.rows if days else None),
                "dagster/column_schema": _table_schema(context, schema),
                **_cost(context, sum(sizes)),
            }
        )

    def load_input(self, context: InputContext) -> pa.Table | pa.RecordBatchReader:
        upstream = context.upstream_output
        described = (upstream.definition_metadata if upstream else None) or {}
        days = None
        if _has_weeks(context):
            # Where a partition mapping found no upstream partition, there is no time window.
            window: TimeWindow | None = (
                context.asset_partitions_time_window if context.asset_partition_keys else None
            )
            days = days_of(window) if window else NEVER
        source = _slice(context, days, described, context.definition_metadata or {})
        count = partial(METER.read, _step(context))
        count(0)
        if context.dagster_type.typing_type is pa.RecordBatchReader:
            return counted(self.storage.tables.stream(source), count)
        rows = self.storage.tables.read(source)
        count(rows.nbytes)
        return rows


def row_counts(table_rows: int | None, partition_rows: int | None) -> dict[str, int]:
    """Metadata that Dagster's catalogue plots: what is known of these."""
    counts = {
        "dagster/row_count": table_rows,
        "dagster/partition_row_count": partition_rows,
    }
    return {name: rows for name, rows in counts.items() if rows is not None}


def _step(context: InputContext | OutputContext) -> Step:
    step = context.step_context
    return step.run_id, step.step.key


def _cost(context: OutputContext, written: int) -> dict[str, float]:
    """What the output has cost, by Dagster's record of when its step began."""
    run_id, step = _step(context)
    stats = context.step_context.instance.get_run_step_stats(run_id, [step])
    began = next((each.start_time for each in stats if each.start_time), time.time())
    return METER.stored((run_id, step), began, written)


def _has_weeks(context: InputContext | OutputContext) -> bool:
    return context.has_asset_partitions


def _slice(
    context: InputContext | OutputContext,
    days: Days | None,
    asset: Mapping[str, Any],
    wanted: Mapping[str, Any] | None = None,
) -> Slice:
    """The slice of the context's asset.

    asset : the metadata of the asset
    wanted : the metadata of the input, if it is one
    """
    schema, table = context.asset_key.path[-2:]
    wanted = wanted or {}
    return Slice(
        schema,
        table,
        days,
        asset.get("partition_expr", "week"),
        wanted.get("filter") or {},
        wanted.get("columns") or (),
    )


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
    of a folder with the same content when it reads one."""

    storage: StorageResource

    def handle_output(self, context: OutputContext, obj: Path) -> None:
        size = model_folders.size(obj)
        address = self.storage.models.store(_week(context), obj)
        context.add_output_metadata(
            {"folder": MetadataValue.path(address), "bytes": size, **_cost(context, size)}
        )

    def load_input(self, context: InputContext) -> Path:
        folder = self.storage.models.folder_of(_week(context))
        METER.read(_step(context), model_folders.size(folder))
        return folder


def _week(context: InputContext | OutputContext) -> date:
    return date.fromisoformat(context.asset_partition_key)
