"""What is compared, staged in a DuckDB of its own: narrow rows, each with its week.

Inputs are read once, as streams; what is kept is the nine weeks that matter and a few columns of
them, and DuckDB puts on disk what does not fit into memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import TypeAlias

import duckdb
import pyarrow as pa

from hm_platform.calendar import WEEK
from hm_platform.drift.quantities import WEEKS_BEFORE, feature_columns
from hm_platform.machine import in_memory_config

PURCHASE_COLUMNS = (
    "week", "t_dat", "customer_id", "article_id", "price", "sales_channel_id",
    "product_group_name", "department_name", "club_member_status", "age", "has_article",
    "has_customer",
)  # fmt: skip
"""What is read of ``marts.joined_transactions``."""

SALES_COLUMNS = ("week", "article_id", "first_day")
"""What is read of ``marts.weekly_article_sales``, of all weeks."""

_LAST_WEEK = {
    "articles": "purchases_last_week > 0",
    "customers": "days_since_last_purchase BETWEEN 1 AND 7",
}
"""Of a cut-off's feature rows those of articles and customers that were there in its last week."""

FEATURE_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "articles": ("split", "cutoff", *feature_columns("articles")),
    "customers": (
        "split", "cutoff", "days_since_last_purchase", *feature_columns("customers"),
    ),
}  # fmt: skip
"""What is read of ``features.articles`` and ``features.customers``."""

FEATURE_SPLITS = (
    "serving", "test", "validation", *(f"ranking_{n}" for n in range(1, WEEKS_BEFORE - 1)),
)  # fmt: skip
"""The splits whose cut-offs are the ends of the week and of the weeks before it."""

Rows: TypeAlias = pa.Table | pa.RecordBatchReader


@contextmanager
def staged(
    week: date, purchases: Rows, sales: Rows, features: Mapping[str, Rows]
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with the tables ``purchases``, ``buyers`` (a row a customer and week),
    ``articles`` and ``customers``, of the weeks from WEEKS_BEFORE before ``week`` to it.

    purchases : PURCHASE_COLUMNS of these weeks at least
    sales : SALES_COLUMNS of all weeks
    features : "articles" and "customers" -> their FEATURE_COLUMNS, of FEATURE_SPLITS
    """
    start = week - WEEKS_BEFORE * WEEK
    between = f"week BETWEEN DATE '{start}' AND DATE '{week}'"
    with duckdb.connect(config=in_memory_config()) as db:
        # Counts do not depend on the order of the rows, and keeping it takes memory.
        db.execute("SET preserve_insertion_order = false")
        db.register("incoming_sales", sales)
        db.execute(
            "CREATE TABLE first_sales AS SELECT article_id, min(first_day) AS first_sold, "
            f"min(week) AS week FROM incoming_sales WHERE week <= DATE '{week}' GROUP BY article_id"
        )
        db.register("incoming_purchases", purchases)
        db.execute(
            "CREATE TABLE purchases AS SELECT incoming_purchases.*, first_sold "
            f"FROM (SELECT * FROM incoming_purchases WHERE {between}) AS incoming_purchases "
            "LEFT JOIN first_sales USING (article_id)"
        )
        db.execute(
            "CREATE TABLE buyers AS SELECT week, customer_id, max(age) AS age, "
            "max(club_member_status) AS club_member_status, "
            "bool_and(has_customer) AS has_customer, count(*) AS purchases "
            "FROM purchases GROUP BY week, customer_id"
        )
        for table, rows in features.items():
            columns = ", ".join(feature_columns(table))  # type: ignore[arg-type]
            db.register("incoming", rows)
            db.execute(
                f"CREATE TABLE {table} AS SELECT * FROM (SELECT (cutoff - 7)::DATE AS week, "
                f"{columns} FROM incoming WHERE {_LAST_WEEK[table]}) WHERE {between}"
            )
            db.unregister("incoming")
        yield db


def first_week(db: duckdb.DuckDBPyConnection) -> date | None:
    """The first week with a sale, None where nothing was sold."""
    found = db.execute("SELECT min(week) FROM first_sales").fetchone()
    return found[0] if found else None
