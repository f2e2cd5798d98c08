"""The assets in ``marts`` that dbt does not make: the records of what is loaded, and from what."""

import duckdb
import pyarrow as pa
from dagster import AssetExecutionContext, AssetIn, AssetKey, asset

from hm_platform.assets.metadata import OWNERS, declared
from hm_platform.assets.partitions import CALENDAR, EVERY_WEEK, days, one_run, weekly
from hm_platform.code_version import code_fingerprint
from hm_platform.landed_weeks import (
    CATALOGUE,
    JOINED,
    bridged,
    catalogue_fingerprints,
    fingerprints,
    landed_weeks,
    rows_fingerprint,
)
from hm_platform.machine import in_memory_config
from hm_platform.resources import TablesResource


@asset(
    key=["marts", "loaded_catalogue"],
    ins={"landed_files": AssetIn(["raw", "landed_files"])},
    deps=[["staging", "stg_articles"], ["staging", "stg_customers"], ["raw", "quarantine"]],
    group_name="marts",
    owners=OWNERS,
    backfill_policy=one_run,
    kinds={"duckdb"},
    metadata=declared("marts.loaded_catalogue"),
)
def loaded_catalogue(
    context: AssetExecutionContext, tables: TablesResource, landed_files: pa.Table
) -> pa.Table:
    """What the tables without weeks were read from: articles, customers, and refused rows.

    Written last, so what is listed here is complete in raw and staging; a look through the landing
    zone that was killed half-way is not, and is done again. Of a table that this run has not read
    it says what it said before: the files may have changed since somebody decided not to.

    Weeks whose purchases waited for articles or customers that are known now go from the record of
    what is loaded, so that they are loaded, and joined, again.
    """
    waited = tables.weeks_to_join_again([name for name in JOINED if _made(context, name)])
    for week in bridged(waited):
        context.log.info(f"week {week} is joined again: articles or customers are known now")
        tables.forget("marts", "loaded_weeks", week)
    before = fingerprints(tables.previous("marts", "loaded_catalogue"), "table_name")
    now = catalogue_fingerprints(landed_files, code_fingerprint())
    prints = {name: (now if _made(context, name) else before).get(name, "") for name in CATALOGUE}
    rows = tables.row_counts([("raw", name) for name in CATALOGUE])
    return pa.table(
        {
            "table_name": list(CATALOGUE),
            "rows": pa.array([rows.get(("raw", name), 0) for name in CATALOGUE], pa.int64()),
            "fingerprint": [prints[name] for name in CATALOGUE],
        }
    )


def _made(context: AssetExecutionContext, name: str) -> bool:
    """Whether this run, or one that it goes on with, has made the index and all that comes of one
    of CATALOGUE."""
    keys = [["raw", "landed_files"], ["raw", name]]
    keys += [] if name == "quarantine" else [["staging", f"stg_{name}"]]
    runs = {context.run.run_id, context.run.parent_run_id, context.run.root_run_id}
    events = [context.instance.get_latest_materialization_event(AssetKey(key)) for key in keys]
    return all(event is not None and event.run_id in runs for event in events)


@asset(
    key=["marts", "loaded_weeks"],
    freshness_policy=EVERY_WEEK,
    ins={
        "landed_files": AssetIn(["raw", "landed_files"]),
        "customer_purchases": AssetIn(
            ["marts", "weekly_customer_purchases"],
            metadata={"columns": ["week", "purchases", "first_day", "last_day"]},
        ),
    },
    deps=[
        ["raw", "transactions"],
        ["marts", "joined_transactions"],
        ["marts", "weekly_article_sales"],
        ["marts", "weekly_customer_article_purchases"],
    ],
    partitions_def=weekly,
    backfill_policy=one_run,
    group_name="marts",
    owners=OWNERS,
    kinds={"duckdb"},
    metadata={"partition_expr": "week", **declared("marts.loaded_weeks")},
)
def loaded_weeks(
    context: AssetExecutionContext,
    tables: TablesResource,
    landed_files: pa.Table,
    customer_purchases: pa.RecordBatchReader,
) -> pa.Table:
    """The weeks whose purchases are loaded, and the fingerprint of the rows that are.

    Written last, so a week that is listed here is complete in raw, staging and marts. The
    fingerprint is that of the loaded rows and not of those that should be: a week is up to date
    when the index of the landing zone gives it the same one.
    """
    start, end = days(context)
    code = code_fingerprint()
    rows = tables.loaded_rows(CALENDAR, start, end)
    # With a bucket a look may have read articles while these weeks were joined.
    waiting = set(tables.weeks_to_join_again(JOINED, (start, end)))
    landed = (week.week for week in landed_weeks(landed_files, CALENDAR, code))
    weeks = [week for week in landed if start <= week < end and week not in waiting]
    loaded = pa.table(
        {
            "week": pa.array(weeks, pa.date32()),
            "files": pa.array([len(rows.get(week, ())) for week in weeks], pa.int32()),
            "fingerprint": pa.array(
                [rows_fingerprint(rows.get(week, ()), CALENDAR, code) for week in weeks],
                pa.string(),
            ),
        }
    )
    with duckdb.connect(config=in_memory_config()) as db:
        db.register("weeks", loaded)
        db.register("customer_purchases", customer_purchases)
        return db.execute(
            """
            SELECT week, any_value(files) AS files,
                coalesce(sum(purchases), 0)::BIGINT AS purchases,
                min(first_day) AS first_day, max(last_day) AS last_day,
                any_value(fingerprint) AS fingerprint
            FROM weeks LEFT JOIN customer_purchases USING (week)
            GROUP BY week ORDER BY week
            """
        ).to_arrow_table()


ASSETS = [loaded_catalogue, loaded_weeks]
