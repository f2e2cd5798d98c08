"""The ``raw`` assets: the landing zone as an index and as typed tables.

Everything here is a function of the files in the landing zone. Reading and checking them is the
work of ``hm_platform.landing``.
"""

from typing import Any

import pyarrow as pa
from dagster import AssetExecutionContext, AssetIn, MetadataValue, asset

from hm_platform.assets.metadata import OWNERS, declared
from hm_platform.assets.partitions import CALENDAR, days, one_run, weekly
from hm_platform.landing import index, loading
from hm_platform.resources import LandingResource, TablesResource

LANDED_FILES = {"landed_files": AssetIn(["raw", "landed_files"])}
COMMON: dict[str, Any] = {"group_name": "raw", "owners": OWNERS, "backfill_policy": one_run}


@asset(
    key=["raw", "landed_files"], kinds={"duckdb"}, metadata=declared("raw.landed_files"), **COMMON
)
def landed_files(
    context: AssetExecutionContext, landing: LandingResource, tables: TablesResource
) -> pa.Table:
    """The index of the landing zone: a row a file, with what it holds and what became of it.

    A file is read once to be indexed; as long as its content stays the same it is not read again.
    """
    found = index.index_landing_zone(
        landing.zone,
        CALENDAR,
        previous=tables.previous("raw", "landed_files"),
        progress=context.log.info,
    )
    states = found.group_by("state").aggregate([("uri", "count"), ("rows_quarantined", "sum")])
    context.add_output_metadata(
        {f"files_{row['state']}": MetadataValue.int(row["uri_count"]) for row in states.to_pylist()}
    )
    return found


@asset(
    key=["raw", "articles"],
    ins=LANDED_FILES,
    kinds={"duckdb"},
    metadata=declared("raw.articles"),
    **COMMON,
)
def articles(landing: LandingResource, landed_files: pa.Table) -> pa.RecordBatchReader:
    """The catalogue as it landed: a row an article; of several the newest file's."""
    return loading.read_articles(landing.zone, landed_files)


@asset(
    key=["raw", "customers"],
    ins=LANDED_FILES,
    kinds={"duckdb"},
    metadata=declared("raw.customers"),
    **COMMON,
)
def customers(landing: LandingResource, landed_files: pa.Table) -> pa.RecordBatchReader:
    """The customers as they landed: a row a customer; of several the newest file's."""
    return loading.read_customers(landing.zone, landed_files)


@asset(
    key=["raw", "transactions"],
    ins=LANDED_FILES,
    partitions_def=weekly,
    kinds={"duckdb"},
    metadata={"partition_expr": "t_dat", **declared("raw.transactions")},
    **COMMON,
)
def transactions(
    context: AssetExecutionContext, landing: LandingResource, landed_files: pa.Table
) -> pa.RecordBatchReader:
    """The purchases of the landed files, a row a purchase, with the file and row they came from.

    Two equal rows in one file are two purchases; the same file twice is one file.
    """
    start, end = days(context)
    return loading.read_transactions(landing.zone, landed_files, start, end)


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


ASSETS = [landed_files, articles, customers, transactions, quarantine]
