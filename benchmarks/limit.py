"""The machine's own limit for the data path: tables of the same content in plain DuckDB, by hand.

No checks of rows, no reasons, no fingerprints, no order, no weeks that can be replaced: what landed
is read, joined, summed up and split in one go, over identifiers that are numbered first and put
back where a table has them. ``tests/cli/test_limit.py`` compares the tables with the
platform's, row by row.
"""

from __future__ import annotations

import sys
from datetime import date, timedelta
from pathlib import Path

import duckdb

from hm_platform.machine import dbt_memory_limit, duckdb_config

TEXTS = (
    "product_code", "prod_name", "product_type_name", "product_group_name",
    "graphical_appearance_name", "colour_group_name", "perceived_colour_value_name",
    "perceived_colour_master_name", "department_name", "index_code", "index_name",
    "index_group_name", "section_name", "garment_group_name",
)  # fmt: skip
NUMBERS = ("product_type_no", "department_no", "section_no", "garment_group_no")

BLANKS = r"e' \t\r\n'"


def make_tables(
    landing: Path, database: Path, first_week: date, week: date, train_weeks: int
) -> None:
    """Make joined purchases, weekly sums, and the indices and splits of a week.

    landing : articles and customers as CSV, transactions as Parquet
    week : the built one, whose purchases are the test split
    """
    with duckdb.connect(database, config=duckdb_config()) as db:
        db.execute(f"SET memory_limit = {dbt_memory_limit()}")
        db.execute("SET preserve_insertion_order = false")
        _load(db, landing, first_week)
        _join(db)
        _sum_up(db)
        _split(db, week, train_weeks)


def _load(db: duckdb.DuckDBPyConnection, landing: Path, first_week: date) -> None:
    texts = ", ".join(f"nullif(trim({name}, {BLANKS}), '') AS {name}" for name in TEXTS)
    numbers = ", ".join(f"{name}::INTEGER AS {name}" for name in NUMBERS)
    db.execute(
        f"""
        CREATE TABLE articles AS
        SELECT row_number() OVER (ORDER BY article_id)::INTEGER AS article, article_id,
            {texts}, {numbers}
        FROM read_csv('{landing}/articles/*.csv', all_varchar = true)
        """
    )
    db.execute(
        f"""
        CREATE TABLE customers AS
        SELECT row_number() OVER (ORDER BY customer_id)::INTEGER AS customer, customer_id,
            coalesce("FN"::DOUBLE = 1, false) AS receives_fashion_news,
            coalesce("Active"::DOUBLE = 1, false) AS is_active,
            nullif(trim(club_member_status, {BLANKS}), '') AS club_member_status,
            CASE WHEN lower(trim(fashion_news_frequency, {BLANKS})) = 'none' THEN 'NONE'
                ELSE nullif(trim(fashion_news_frequency, {BLANKS}), '')
            END AS fashion_news_frequency,
            age::SMALLINT AS age, nullif(trim(postal_code, {BLANKS}), '') AS postal_code
        FROM read_csv('{landing}/customers/*.csv', all_varchar = true)
        """
    )
    db.execute(
        f"""
        CREATE TABLE purchases AS
        SELECT time_bucket(INTERVAL 7 DAY, t_dat::DATE, DATE '{first_week}')::DATE AS week,
            t_dat::DATE AS t_dat, customer, article, price::DOUBLE AS price,
            sales_channel_id::TINYINT AS sales_channel_id,
            'transactions/' || parse_filename(filename) AS uri, file_row_number + 1 AS row_number
        FROM read_parquet(
            '{landing}/transactions/*.parquet', filename = true, file_row_number = true
        )
        JOIN customers USING (customer_id) JOIN articles USING (article_id)
        """
    )


def _join(db: duckdb.DuckDBPyConnection) -> None:
    db.execute(
        """
        CREATE TABLE joined_transactions AS
        SELECT * EXCLUDE (article, customer), true AS has_article, true AS has_customer
        FROM purchases JOIN articles USING (article) JOIN customers USING (customer)
        """
    )


def _sum_up(db: duckdb.DuckDBPyConnection) -> None:
    db.execute(
        """
        CREATE TABLE weekly_customer_article_purchases AS
        WITH summed AS (
            SELECT week, customer, article, count(*)::INTEGER AS purchases,
                count(*) FILTER (WHERE sales_channel_id = 2)::INTEGER AS purchases_online,
                bit_or(1 << (t_dat - week)::INTEGER) AS on_days,
                sum(trunc(price)) AS whole, sum(((price - trunc(price)) * 1e18)::BIGINT) AS rest,
                min(t_dat) AS first_day, max(t_dat) AS last_day
            FROM purchases GROUP BY week, customer, article
        )
        SELECT customer_id, article_id, summed.*, bit_count(on_days)::INTEGER AS days,
            whole + rest / 1e18 AS spend
        FROM summed
        JOIN (SELECT customer, customer_id FROM customers) USING (customer)
        JOIN (SELECT article, article_id FROM articles) USING (article)
        """
    )
    # A row of that table is a pair of customer and article: counted, they are the distinct ones.
    mean_price = "sum / purchases AS mean_price"
    days = "bit_count(on_days)::INTEGER AS days"
    for table, entity, columns in (
        ("article_sales", "article", f"pairs AS customers, sum AS revenue, {mean_price}"),
        ("customer_purchases", "customer", f"pairs AS articles, sum AS spend, {days}"),
    ):
        db.execute(
            f"""
            CREATE TABLE weekly_{table} AS
            WITH summed AS (
                SELECT week, {entity}, count(*)::INTEGER AS pairs,
                    sum(purchases)::INTEGER AS purchases,
                    sum(purchases_online)::INTEGER AS purchases_online,
                    bit_or(on_days) AS on_days, sum(whole) + sum(rest) / 1e18 AS sum,
                    min(first_day) AS first_day, max(last_day) AS last_day
                FROM weekly_customer_article_purchases GROUP BY week, {entity}
            )
            SELECT week, {entity}_id, purchases, purchases_online, first_day, last_day, {columns}
            FROM summed JOIN (SELECT {entity}, {entity}_id FROM {entity}s) USING ({entity})
            """
        )


def _split(db: duckdb.DuckDBPyConnection, week: date, train_weeks: int) -> None:
    seven = timedelta(weeks=1)
    splits = {
        "train": (week - (train_weeks + 1) * seven, week - seven),
        "validation": (week - seven, week),
        "test": (week, week + seven),
    }
    days = {name: f"t_dat >= DATE '{a}' AND t_dat < DATE '{b}'" for name, (a, b) in splits.items()}
    for entity in ("article", "customer"):
        db.execute(
            f"""
            CREATE TABLE {entity}_index AS
            SELECT DATE '{week}' AS week, {entity}, {entity}_id, in_training,
                (row_number() OVER (ORDER BY in_training DESC, {entity}) - 1)::INTEGER
                    AS {entity}_index
            FROM (
                SELECT {entity}, {entity}_id,
                    {entity} IN (SELECT {entity} FROM purchases WHERE {days["train"]})
                        AS in_training
                FROM {entity}s
            )
            """
        )
    for name, where in days.items():
        db.execute(
            f"""
            CREATE TABLE {name} AS
            SELECT DATE '{week}' AS week, t_dat, customer_id, article_id, customer_index,
                article_index, price, sales_channel_id
            FROM (FROM purchases WHERE {where})
            JOIN (SELECT article, article_id, article_index FROM article_index) USING (article)
            JOIN (SELECT customer, customer_id, customer_index FROM customer_index)
                USING (customer)
            """
        )


if __name__ == "__main__":
    make_tables(
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        date.fromisoformat(sys.argv[3]),
        date.fromisoformat(sys.argv[4]),
        int(sys.argv[5]),
    )
