"""The one asset in ``marts`` that dbt does not make: the record of which weeks are loaded."""

import duckdb
import pyarrow as pa
from dagster import AssetExecutionContext, AssetIn, asset

from hm_platform.assets.metadata import OWNERS, declared
from hm_platform.assets.partitions import CALENDAR, days, one_run, weekly
from hm_platform.code_version import code_fingerprint
from hm_platform.landed_weeks import landed_weeks


@asset(
    key=["marts", "loaded_weeks"],
    ins={
        "landed_files": AssetIn(["raw", "landed_files"]),
        "customer_purchases": AssetIn(
            ["marts", "weekly_customer_purchases"],
            metadata={"columns": ["week", "purchases", "first_day", "last_day"]},
        ),
    },
    deps=[
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
    landed_files: pa.Table,
    customer_purchases: pa.RecordBatchReader,
) -> pa.Table:
    """The weeks whose purchases are loaded, and the fingerprint of what they were loaded from.

    Written last, so a week that is listed here is complete in raw, staging and marts; `hm build`
    loads the weeks that are missing here or whose files have changed since.
    """
    start, end = days(context)
    landed = [
        week
        for week in landed_weeks(landed_files, CALENDAR, code_fingerprint())
        if start <= week.week < end
    ]
    weeks = pa.table(
        {
            "week": pa.array([w.week for w in landed], pa.date32()),
            "files": pa.array([w.files for w in landed], pa.int32()),
            "fingerprint": pa.array([w.fingerprint for w in landed], pa.string()),
        }
    )
    with duckdb.connect() as db:
        db.register("weeks", weeks)
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


ASSETS = [loaded_weeks]
