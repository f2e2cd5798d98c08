"""The benchmark's plain DuckDB script makes what the platform makes: else its time is no limit."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from benchmarks.limit import make_tables

NUMBERED = "JOIN customers USING (customer_index) JOIN articles USING (article_index)"

PAIRS = {
    "joined_transactions": (
        "SELECT week, t_dat, customer_id, article_id, price, sales_channel_id, prod_name, age",
        "marts.joined_transactions",
        "joined_transactions",
    ),
    "weekly_article_sales": (
        "SELECT week, article_id, purchases, first_day, last_day",
        "marts.weekly_article_sales",
        "weekly_article_sales JOIN articles USING (article_index)",
    ),
    "weekly_customer_purchases": (
        "SELECT week, customer_id, purchases, spend, first_day, last_day",
        "marts.weekly_customer_purchases",
        "weekly_customer_purchases JOIN customers USING (customer_index)",
    ),
    "weekly_customer_article_purchases": (
        "SELECT week, customer_id, article_id, purchases, spend, first_day, last_day",
        "marts.weekly_customer_article_purchases",
        f"weekly_customer_article_purchases {NUMBERED}",
    ),
    **{
        split: (
            "SELECT t_dat, customer_id, article_id, price, sales_channel_id",
            f"datasets.{split}",
            f"{split} {NUMBERED}",
        )
        for split in ("train", "validation", "test")
    },
}


@pytest.fixture(scope="module")
def both(home: Path, tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """A connection with the platform's tables by their schema, and the script's in `plain`."""
    made = tmp_path_factory.mktemp("limit") / "limit.duckdb"
    make_tables(home / "landing", made, date(2018, 9, 19), date(2018, 11, 7), 4)
    db = duckdb.connect()
    db.execute(f"ATTACH '{made}' AS plain (READ_ONLY)")
    db.execute(f"ATTACH '{home / 'warehouse.duckdb'}' AS platform (READ_ONLY)")
    db.execute("USE platform")
    return db


@pytest.mark.parametrize("table", PAIRS)
def test_a_table_has_the_same_rows(table: str, both: duckdb.DuckDBPyConnection) -> None:
    columns, platform, plain = PAIRS[table]
    for name in ("articles", "customers", table):
        plain = plain.replace(name, f"plain.{name}") if name in plain.split() else plain
    of_platform, of_plain = f"{columns} FROM platform.{platform}", f"{columns} FROM {plain}"
    ((rows,),) = both.execute(f"SELECT count(*) FROM ({of_platform})").fetchall()
    ((different,),) = both.execute(
        f"SELECT count(*) FROM (({of_platform} EXCEPT ALL {of_plain}) "
        f"UNION ALL ({of_plain} EXCEPT ALL {of_platform}))"
    ).fetchall()
    assert rows > 0
    assert different == 0
