"""The machine's own limit for the data path: the same tables in plain DuckDB, by hand.

No checks of rows, no reasons, no fingerprints, no weeks that can be replaced: what landed is read,
joined, summed up and split in one go, over identifiers that are numbered first. The platform's
tables have the same rows.
"""

from __future__ import annotations

import sys
from datetime import date, timedelta
from pathlib import Path

import duckdb

from hm_platform.machine import duckdb_config

ARTICLE_COLUMNS = (
    "product_code, prod_name, product_type_no, product_type_name, product_group_name, "
    "graphical_appearance_name, colour_group_name, perceived_colour_value_name, "
    "perceived_colour_master_name, department_no, department_name, index_code, index_name, "
    "index_group_name, section_no, section_name, garment_group_no, garment_group_name"
)
CUSTOMER_COLUMNS = (
    'coalesce("FN"::DOUBLE = 1, false) AS receives_fashion_news, '
    'coalesce("Active"::DOUBLE = 1, false) AS is_active, club_member_status, '
    "fashion_news_frequency, age::INTEGER AS age, postal_code"
)
SUMS = (
    "count(*)::INTEGER AS purchases, sum(price::DECIMAL(38, 18))::DOUBLE AS spend, "
    "min(t_dat) AS first_day, max(t_dat) AS last_day"
)
NUMBERED = {"article": "articles", "customer": "customers"}


def make_tables(
    landing: Path, database: Path, first_week: date, week: date, train_weeks: int
) -> None:
    """Read what has landed and make joined purchases, weekly sums and the splits of a week.

    week : the built one, whose purchases are the test split
    """
    with duckdb.connect(database, config=duckdb_config()) as db:
        db.execute("SET preserve_insertion_order = false")
        for entity, folder in NUMBERED.items():
            db.execute(
                f"CREATE TABLE {folder} AS SELECT *, (row_number() OVER (ORDER BY {entity}_id) - 1)"
                f"::INTEGER AS {entity}_index FROM read_csv('{landing}/{folder}/*.csv', "
                "all_varchar = true)"
            )
        db.execute(
            f"""
            CREATE TABLE purchases AS
            SELECT time_bucket(INTERVAL 7 DAY, t_dat::DATE, DATE '{first_week}')::DATE AS week,
                t_dat::DATE AS t_dat, customer_index, article_index, price::DOUBLE AS price,
                sales_channel_id::TINYINT AS sales_channel_id
            FROM read_parquet('{landing}/transactions/*.parquet')
            JOIN customers USING (customer_id) JOIN articles USING (article_id)
            """
        )
        db.execute(
            f"""
            CREATE TABLE joined_transactions AS
            SELECT week, t_dat, customer_id, article_id, price, sales_channel_id,
                {ARTICLE_COLUMNS}, {CUSTOMER_COLUMNS}
            FROM purchases JOIN articles USING (article_index)
            JOIN customers USING (customer_index)
            """
        )
        for table, key in (
            ("weekly_article_sales", "week, article_index"),
            ("weekly_customer_purchases", "week, customer_index"),
            ("weekly_customer_article_purchases", "week, customer_index, article_index"),
        ):
            db.execute(
                f"CREATE TABLE {table} AS SELECT {key}, {SUMS} FROM purchases GROUP BY {key}"
            )
        seven = timedelta(weeks=1)
        for split, start, end in (
            ("train", week - (train_weeks + 1) * seven, week - seven),
            ("validation", week - seven, week),
            ("test", week, week + seven),
        ):
            db.execute(
                f"CREATE TABLE {split} AS SELECT * FROM purchases "
                f"WHERE t_dat >= DATE '{start}' AND t_dat < DATE '{end}' "
                "ORDER BY t_dat, customer_index, article_index"
            )


if __name__ == "__main__":
    make_tables(
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        date.fromisoformat(sys.argv[3]),
        date.fromisoformat(sys.argv[4]),
        int(sys.argv[5]),
    )
