"""Tests of the made-up data: same bytes, H&M's shape, and what its docstring promises."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hm_platform.landing.errors import LandingError
from hm_platform.landing.loading import read_articles, read_customers, read_transactions
from hm_platform.landing.synthetic import land
from hm_platform.landing.zone import DatasetInfo, LandingZone
from tests.landing.landed import CALENDAR, index, state


def _contents(zone: LandingZone) -> dict[str, bytes]:
    return {name: content for name, (_, content) in state(zone.root).items()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> LandingZone:
    zone = LandingZone(tmp_path_factory.mktemp("synthetic"))
    land(zone, customers=3_000, weeks=60, seed=1)
    return zone


@pytest.fixture
def tables(made: LandingZone) -> duckdb.DuckDBPyConnection:
    found = index(made)
    assert sum(found["rows_quarantined"].to_pylist()) == 0
    assert set(found["state"].to_pylist()) == {"loaded"}
    connection = duckdb.connect()
    end = CALENDAR.first_week + timedelta(weeks=60)
    readers = {
        "articles": read_articles(made, found),
        "customers": read_customers(made, found),
        "transactions": read_transactions(made, found, CALENDAR.first_week, end),
    }
    for name, reader in readers.items():
        table = reader.read_all()
        connection.register(name, table)
    return connection


def _one(tables: duckdb.DuckDBPyConnection, sql: str) -> tuple:
    row = tables.execute(sql).fetchone()
    assert row is not None
    return row


def test_same_arguments_same_bytes(tmp_path: Path) -> None:
    one, two, other = (LandingZone(tmp_path / name) for name in ("one", "two", "other"))
    land(one, customers=200, weeks=3, seed=7)
    land(two, customers=200, weeks=3, seed=7)
    land(other, customers=200, weeks=3, seed=8)
    assert _contents(one) == _contents(two)
    assert all(
        _contents(one)[name] != _contents(other)[name]
        for name in _contents(one)
        if name != "dataset.toml"
    )


def test_more_weeks_leave_the_earlier_ones_alone(tmp_path: Path) -> None:
    zone = LandingZone(tmp_path)
    first = land(zone, customers=200, weeks=3)
    before = state(tmp_path)
    more = land(zone, customers=200, weeks=5)
    after = state(tmp_path)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"articles/articles.csv"}
    assert more.written == (
        "articles/articles.csv",
        "transactions/2018-10-10.parquet",
        "transactions/2018-10-17.parquet",
    )
    assert more.rows > first.rows
    assert land(zone, customers=200, weeks=3).removed == more.written[1:]
    assert land(zone, customers=200, weeks=3).written == ()


def test_a_week_a_file(made: LandingZone) -> None:
    assert made.dataset() == DatasetInfo("synthetic", date(2018, 9, 19))
    entries = [row for row in index(made).to_pylist() if row["dataset"] == "transactions"]
    assert len(entries) == 60
    for entry in entries:
        week = date.fromisoformat(Path(entry["uri"]).stem)
        assert week <= entry["first_day"] <= entry["last_day"] < week + timedelta(weeks=1)


def test_identifiers_are_hms(tables: duckdb.DuckDBPyConnection) -> None:
    assert _one(tables, "SELECT bool_and(regexp_full_match(customer_id, '[0-9a-f]{64}')), "
                "count(*) FROM customers") == (True, 3_000)  # fmt: skip
    assert _one(
        tables,
        "SELECT bool_and(regexp_full_match(article_id, '0[0-9]{9}')), "
        "bool_and(left(article_id, 7) = product_code) FROM articles",
    ) == (True, True)
    unknown = "SELECT count(*) FROM transactions ANTI JOIN {} USING ({})"
    assert _one(tables, unknown.format("articles", "article_id")) == (0,)
    assert _one(tables, unknown.format("customers", "customer_id")) == (0,)
    assert _one(tables, "SELECT count(DISTINCT product_code) < count(*) FROM articles") == (True,)


def test_rows_are_ordered_by_day_and_customer(tables: duckdb.DuckDBPyConnection) -> None:
    sql = """
        SELECT bool_and((t_dat, customer_id) >= (day, customer)) FROM (
            SELECT *, lag(t_dat) OVER w AS day, lag(customer_id) OVER w AS customer
            FROM transactions WINDOW w AS (ORDER BY uri, row_number)
        ) WHERE day IS NOT NULL
    """
    assert _one(tables, sql) == (True,)


def test_prices_and_channels(tables: duckdb.DuckDBPyConnection) -> None:
    least, middle, most, online = _one(
        tables,
        "SELECT min(price), median(price), max(price), avg(sales_channel_id - 1) FROM transactions",
    )
    assert 0 < least < 0.02 < middle < 0.05 < most < 0.6
    assert 0.6 < online < 0.8
    discounted = "SELECT count(DISTINCT price) FROM transactions GROUP BY article_id"
    assert max(row[0] for row in tables.execute(discounted).fetchall()) > 1


def test_popularity_and_activity_are_skewed(tables: duckdb.DuckDBPyConnection) -> None:
    share = """
        SELECT sum(n) FILTER (place <= 0.1) / sum(n) FROM (
            SELECT n, percent_rank() OVER (ORDER BY n DESC) AS place
            FROM (SELECT count(*) AS n FROM transactions GROUP BY {})
        )
    """
    assert _one(tables, share.format("article_id"))[0] > 0.4
    assert _one(tables, share.format("customer_id"))[0] > 0.25
    assert _one(tables, "SELECT count(DISTINCT customer_id) FROM transactions")[0] < 3_000


def test_articles_come_and_go(tables: duckdb.DuckDBPyConnection) -> None:
    weeks, late, gone = _one(
        tables,
        """
        SELECT
            median(last - first),
            avg((first > DATE '2018-12-01')::INTEGER),
            avg((last < DATE '2019-09-01')::INTEGER)
        FROM (
            SELECT min(t_dat) AS first, max(t_dat) AS last
            FROM transactions GROUP BY article_id HAVING count(*) > 5
        )
        """,
    )
    assert 20 < weeks < 250
    assert late > 0.3
    assert gone > 0.3


def test_seasons_repeats_and_doubles(tables: duckdb.DuckDBPyConnection) -> None:
    seasons = """
        SELECT avg((month(t_dat) IN (5, 6, 7))::INTEGER) FROM transactions
        JOIN articles USING (article_id) WHERE garment_group_name = '{}'
    """
    assert _one(tables, seasons.format("Swimwear")) > _one(tables, seasons.format("Knitwear"))
    again = """
        SELECT avg((days > 1)::INTEGER), avg((n > days)::INTEGER) FROM (
            SELECT count(DISTINCT t_dat) AS days, count(*) AS n
            FROM transactions GROUP BY customer_id, article_id
        )
    """
    repeats, doubles = _one(tables, again)
    assert 0.02 < repeats < 0.4
    assert 0.02 < doubles < 0.3


def test_missing_values(tables: duckdb.DuckDBPyConnection) -> None:
    fn, active, age, club = _one(
        tables,
        "SELECT avg((fn IS NULL)::INT), avg((active IS NULL)::INT), avg((age IS NULL)::INT), "
        "avg((club_member_status IS NULL)::INT) FROM customers",
    )
    assert 0.6 < fn < active < 0.72
    assert 0.003 < age < 0.03
    assert 0 < club < 0.02
    assert _one(tables, "SELECT min(age) >= 16 AND max(age) <= 99 FROM customers") == (True,)


@pytest.mark.parametrize(
    "arguments", [{"customers": 0}, {"weeks": 0}, {"weeks": 401}, {"seed": -1}]
)
def test_arguments_out_of_range(zone: LandingZone, arguments: dict[str, Any]) -> None:
    with pytest.raises(LandingError, match="out of range"):
        land(zone, **arguments)
    assert not zone.root.exists()


def test_a_shop_with_one_customer(zone: LandingZone) -> None:
    landed = land(zone, customers=1, weeks=2)
    assert landed.rows >= 0
    assert len(zone.files("transactions")) == 2
