"""Reads of tables that are not an asset's inputs."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest
from dagster_dbt import DbtCliResource

from hm_platform.resources import InstalledDbt, TablesResource
from hm_platform.storage.resource import LocalStorage

WEEK = date(2020, 9, 16)


@pytest.fixture
def tables(tmp_path: Path) -> TablesResource:
    with duckdb.connect(tmp_path / "warehouse.duckdb") as db:
        db.execute("CREATE SCHEMA marts")
        db.execute(
            "CREATE TABLE marts.joined_transactions AS SELECT * FROM (VALUES "
            "(DATE '2020-09-09', 'a', 'x'), (DATE '2020-09-09', 'a', 'x'), "
            "(DATE '2020-09-16', 'a', 'y'), (DATE '2020-09-02', 'it''s', 'y'), "
            "(DATE '2020-09-02', 'c', 'x')) AS t(week, customer_id, article_id)"
        )
    return TablesResource(storage=LocalStorage(home=str(tmp_path)))


def test_what_some_customers_bought_before_a_week(tables: TablesResource) -> None:
    found = tables.of_customers(["a", "it's"], WEEK, ["customer_id", "article_id"])
    assert found.column_names == ["customer_id", "article_id"]
    rows = sorted(zip(*(column.to_pylist() for column in found.columns), strict=True))
    assert rows == [("a", "x"), ("a", "x"), ("it's", "y")]


def test_nobody_bought_nothing(tables: TablesResource) -> None:
    assert len(tables.of_customers([], WEEK, ["week"])) == 0


def test_weeks_that_begin_between_two_days(tables: TablesResource) -> None:
    key = ["marts", "joined_transactions"]
    found = tables.between(key, date(2020, 9, 9), WEEK, ["customer_id"]).read_all()
    assert found.to_pydict() == {"customer_id": ["a", "a"]}


def test_rows_of_files_of_a_table_that_may_not_be_there(tables: TablesResource) -> None:
    assert tables.of_files("customers", ["a.csv"]) is None
    with tables.storage.tables.sql() as db:
        db.execute("CREATE SCHEMA raw")
        db.execute(
            "CREATE TABLE raw.transactions AS SELECT * FROM (VALUES "
            "(DATE '2020-09-08', 'a.csv'), (DATE '2020-09-09', 'a.csv'), "
            "(DATE '2020-09-16', 'a.csv'), (DATE '2020-09-09', 'b''s.csv'), "
            "(DATE '2020-09-09', 'c.csv')) AS t(t_dat, uri)"
        )
        db.execute("CREATE TABLE raw.customers AS SELECT uri FROM raw.transactions")
    wanted = ["a.csv", "b's.csv"]
    purchases = tables.of_files("transactions", wanted, days=(date(2020, 9, 9), WEEK))
    assert purchases is not None
    assert sorted(purchases.read_all()["uri"].to_pylist()) == wanted
    customers = tables.of_files("customers", ["c.csv"])
    assert customers is not None
    assert customers.read_all()["uri"].to_pylist() == ["c.csv"]


def test_dagster_dbt_still_asks_for_an_adapter_where_it_is_told_that_there_is_none() -> None:
    hook = "_initialize_dbt_core_adapter"
    assert hook in vars(DbtCliResource)
    assert hook in vars(InstalledDbt)
