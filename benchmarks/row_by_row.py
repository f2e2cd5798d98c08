"""The data path as recommender tutorials write it: rows as Python dictionaries.

What Metaflow's recommender tutorial does with the same data set ("Recs at reasonable scale",
episode 1): SQL joins purchases with articles and customers, ``fetchall`` brings the rows, each
becomes a dictionary, and list comprehensions cut them into the three splits by their day.
"""

from __future__ import annotations

import sys
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq


def make_splits(landing: Path, folder: Path, week: date, train_weeks: int) -> None:
    """Join what has landed, and write the splits of a week as ``<split>.parquet``.

    week : the built one, whose purchases are the test split
    """
    with duckdb.connect() as db:
        # Like the tutorial's dbt models, a table first.
        db.execute(
            f"""
            CREATE TABLE joined AS
            SELECT t.t_dat::DATE AS t_dat, t.customer_id, t.article_id, t.price::DOUBLE AS price,
                t.sales_channel_id, a.* EXCLUDE (article_id), c.* EXCLUDE (customer_id)
            FROM read_parquet('{landing}/transactions/*.parquet') t
            JOIN read_csv('{landing}/articles/*.csv', all_varchar = true) a USING (article_id)
            JOIN read_csv('{landing}/customers/*.csv', all_varchar = true) c USING (customer_id)
            ORDER BY t_dat
            """
        )
        rows = db.execute("SELECT * FROM joined").fetchall()
        names = [column[0].lower() for column in db.description or ()]
    purchases = [dict(zip(names, row, strict=True)) for row in rows]
    seven = timedelta(weeks=1)
    bounds = {
        "train": (week - (train_weeks + 1) * seven, week - seven),
        "validation": (week - seven, week),
        "test": (week, week + seven),
    }
    for split, (start, end) in bounds.items():
        chosen = [row for row in purchases if start <= row["t_dat"] < end]
        pq.write_table(pa.Table.from_pylist(chosen), folder / f"{split}.parquet")


if __name__ == "__main__":
    make_splits(
        Path(sys.argv[1]), Path(sys.argv[2]), date.fromisoformat(sys.argv[3]), int(sys.argv[4])
    )
