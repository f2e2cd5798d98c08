"""The benchmark's plain DuckDB script makes what the platform makes: else its time is no limit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from benchmarks.limit import make_tables

TABLES = [
    *(
        f"marts.{mart}"
        for mart in (
            "joined_transactions", "weekly_article_sales", "weekly_customer_purchases",
            "weekly_customer_article_purchases",
        )
    ),
    *(
        f"datasets.{dataset}"
        for dataset in ("article_index", "customer_index", "train", "validation", "test")
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def tables(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The platform's warehouse, with what the script made from the same files as ``plain``."""
    plain = tmp_path_factory.mktemp("limit") / "plain.duckdb"
    make_tables(home / "landing", plain, date(2018, 9, 19), date(2018, 11, 7), train_weeks=4)
    with duckdb.connect(home / "warehouse.duckdb", read_only=True) as db:
        db.execute(f"ATTACH '{plain}' AS plain (READ_ONLY)")
        yield db


@pytest.mark.parametrize("name", TABLES)
def test_it_makes_every_column_of_every_row(tables: duckdb.DuckDBPyConnection, name: str) -> None:
    described = tables.execute(f"DESCRIBE {name}").fetchall()
    columns = ", ".join(column for column, *_ in described)
    made = f"plain.{name.split('.')[1]}"

    def missing(there: str, here: str) -> list[tuple]:
        return tables.execute(
            f"SELECT {columns} FROM {there} EXCEPT ALL SELECT {columns} FROM {here} LIMIT 3"
        ).fetchall()

    assert tables.execute(f"SELECT count(*) > 0 FROM {name}").fetchone() == (True,)
    assert missing(name, made) == []
    assert missing(made, name) == []
    of_script = tables.execute(f"DESCRIBE SELECT {columns} FROM {made}").fetchall()
    assert [kind[:2] for kind in of_script] == [kind[:2] for kind in described]
