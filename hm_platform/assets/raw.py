"""The ``raw`` assets: the landing zone as an index and as typed tables.

Everything here is a function of the files in the landing zone. Reading and checking them is the
work of ``hm_platform.landing``.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pyarrow as pa
from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetExecutionContext,
    AssetIn,
    MetadataValue,
    TableColumn,
    TableRecord,
    TableSchema,
    asset,
    asset_check,
)

from hm_platform.assets.metadata import OWNERS, declared
from hm_platform.assets.partitions import CALENDAR, SETTINGS, days, one_run, weekly
from hm_platform.landing import accounting, index, loading
from hm_platform.landing.schemas import SchemaChange, schema_changes
from hm_platform.notifying import Notice, notify
from hm_platform.resources import LandingResource, TablesResource

LANDED_FILES = {"landed_files": AssetIn(["raw", "landed_files"])}
COMMON: dict[str, Any] = {"group_name": "raw", "owners": OWNERS, "backfill_policy": one_run}

MOST_LISTED = 200
"""Files that the metadata of a run lists; ``raw.landed_files`` has them all."""


@asset(
    key=["raw", "landed_files"], kinds={"duckdb"}, metadata=declared("raw.landed_files"), **COMMON
)
def landed_files(
    context: AssetExecutionContext, landing: LandingResource, tables: TablesResource
) -> pa.Table:
    """The index of the landing zone: a row a file, with what it holds and what became of it.

    A file is read once to be indexed; as long as nobody touches it it is not read again.
    """
    previous = tables.previous("raw", "landed_files")
    found = index.index_landing_zone(
        landing.zone,
        landing.rules(),
        previous,
        context.log.info,
        in_warehouse=lambda: tables.loaded_rows(CALENDAR),
        quiet_s=SETTINGS.landing_quiet_seconds if "dagster/sensor_name" in context.run.tags else 0,
    )
    changes = schema_changes(previous, found)
    if changes:
        context.log.warning(f"the columns of landed files have changed:\n{_lines(changes)}")
    states = found.group_by("state").aggregate([("uri", "count")]).to_pylist()
    context.add_output_metadata(
        {
            **{f"files_{row['state']}": MetadataValue.int(row["uri_count"]) for row in states},
            "files": _files_table(found),
            "schema_changes": MetadataValue.json([vars(change) for change in changes]),
        }
    )
    return found


def _lines(changes: Sequence[SchemaChange]) -> str:
    return "\n".join(f"- {change}" for change in changes)


def _files_table(landed: pa.Table) -> Any:
    """The files that are not simply loaded, and then the others, as the UI shows them."""
    wanted = [
        *("uri", "state", "reason", "size", "first_day", "last_day"),
        *("rows", "rows_loaded", "rows_quarantined", "rows_held", "content_hash"),
    ]
    rows = landed.select(wanted).to_pylist()
    rows.sort(key=lambda row: (row["state"] == "loaded", row["reason"] is None, row["uri"]))
    return MetadataValue.table(
        [
            TableRecord(
                {name: v if isinstance(v, int) else str(v or "") for name, v in row.items()}
            )
            for row in rows[:MOST_LISTED]
        ],
        TableSchema([TableColumn(name, str(landed.schema.field(name).type)) for name in wanted]),
    )


@asset_check(
    asset=["raw", "landed_files"],
    description="The files that came have the columns that their data set had before. Warns, since "
    "a file that cannot do without is held and the others are not concerned.",
)
def columns_are_as_before(context: AssetCheckExecutionContext) -> AssetCheckResult:
    event = context.instance.get_latest_materialization_event(landed_files.key)
    materialization = event.asset_materialization if event else None
    changes: Any = materialization.metadata["schema_changes"].value if materialization else []
    if changes:
        # Here the index is stored: a look that fails to, and is done again, would tell it again.
        told = _lines([SchemaChange(**change) for change in changes])
        notify(Notice("The columns of landed files have changed", told, "warning"), SETTINGS)
    return AssetCheckResult(
        passed=not changes,
        severity=AssetCheckSeverity.WARN,
        metadata={"changes": MetadataValue.json(changes)},
    )


@asset_check(
    asset=["raw", "landed_files"],
    description="Of every file that can be read, the rows are those loaded, those quarantined and "
    "those held back: none is lost.",
    blocking=True,
)
def rows_of_files_add_up(landed_files: pa.Table) -> AssetCheckResult:
    faults = accounting.files_that_do_not_add_up(landed_files)
    return AssetCheckResult(
        passed=not faults,
        metadata={"files": landed_files.num_rows, "faults": MetadataValue.json(faults)},
    )


@asset_check(
    asset=["raw", "landed_files"],
    description="No file is held back. Warns: everything else goes on, and the file's reason says "
    "what to do about it.",
)
def no_file_is_held(landed_files: pa.Table) -> AssetCheckResult:
    held = [row for row in landed_files.to_pylist() if row["state"] == "held"]
    return AssetCheckResult(
        passed=not held,
        severity=AssetCheckSeverity.WARN,
        metadata={
            "files": len(held),
            "reasons": MetadataValue.json({row["uri"]: row["reason"] for row in held[:50]}),
        },
    )


@asset(
    key=["raw", "articles"],
    ins=LANDED_FILES,
    kinds={"duckdb"},
    metadata=declared("raw.articles"),
    **COMMON,
)
def articles(
    landing: LandingResource, tables: TablesResource, landed_files: pa.Table
) -> pa.RecordBatchReader:
    """The catalogue as it landed: a row an article; of several the last file's by name."""
    kept = partial(tables.of_files, "articles")
    return loading.read_articles(landing.zone, landed_files, kept)


@asset(
    key=["raw", "customers"],
    ins=LANDED_FILES,
    kinds={"duckdb"},
    metadata=declared("raw.customers"),
    **COMMON,
)
def customers(
    landing: LandingResource, tables: TablesResource, landed_files: pa.Table
) -> pa.RecordBatchReader:
    """The customers as they landed: a row a customer; of several the last file's by name."""
    kept = partial(tables.of_files, "customers")
    return loading.read_customers(landing.zone, landed_files, kept)


@asset(
    key=["raw", "transactions"],
    ins=LANDED_FILES,
    partitions_def=weekly,
    kinds={"duckdb"},
    metadata={"partition_expr": "t_dat", **declared("raw.transactions")},
    **COMMON,
)
def transactions(
    context: AssetExecutionContext,
    landing: LandingResource,
    tables: TablesResource,
    landed_files: pa.Table,
) -> pa.RecordBatchReader:
    """The purchases of the landed files, a row a purchase, with the file and row they came from.

    Two equal rows in one file are two purchases; the same file twice is one file.
    """
    start, end = days(context)
    return loading.read_transactions(
        landing.zone,
        landed_files,
        start,
        end,
        kept=partial(tables.of_files, "transactions", days=(start, end)),
    )


@asset_check(
    asset=["raw", "transactions"],
    additional_ins=LANDED_FILES,
    description="Of each week and file, the table holds the very rows that the index counted when "
    "the file landed: with the quarantined and the held ones, every landed row.",
    blocking=True,
)
def every_landed_row_is_loaded(
    context: AssetCheckExecutionContext, tables: TablesResource, landed_files: pa.Table
) -> AssetCheckResult:
    start, end = days(context)
    landed = accounting.landed_rows(landed_files, start, end)
    loaded = tables.loaded_rows(CALENDAR, start, end)
    faults = accounting.differences(landed, loaded)
    return AssetCheckResult(
        passed=not faults,
        metadata={
            "weeks": len(CALENDAR.weeks(start, end)) - 1,
            "rows": sum(rows for files in loaded.values() for _, rows, _ in files),
            "faults": MetadataValue.json(faults),
        },
    )


@asset(
    key=["raw", "quarantine"],
    ins=LANDED_FILES,
    kinds={"duckdb"},
    metadata=declared("raw.quarantine"),
    **COMMON,
)
def quarantine(landing: LandingResource, landed_files: pa.Table) -> pa.RecordBatchReader:
    """The rows that were refused, with the column and the reason, as they stood in their file."""
    return loading.read_quarantine(landing.zone, landed_files)


@asset_check(
    asset=["raw", "quarantine"],
    additional_ins=LANDED_FILES,
    description="Every row that the index counted as refused is listed, and no other.",
    blocking=True,
)
def every_refused_row_is_listed(
    quarantine: pa.RecordBatchReader, landed_files: pa.Table
) -> AssetCheckResult:
    faults = accounting.quarantine_faults(landed_files, quarantine)
    return AssetCheckResult(passed=not faults, metadata={"faults": MetadataValue.json(faults)})


ASSETS = [landed_files, articles, customers, transactions, quarantine]
CHECKS = [
    columns_are_as_before,
    rows_of_files_add_up,
    no_file_is_held,
    every_landed_row_is_loaded,
    every_refused_row_is_listed,
]
