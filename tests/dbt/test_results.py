"""What the models hold, against the same counted in Python; and what bad rows do to a build."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from tests.dbt.project import (
    ARTICLES,
    CALENDAR,
    CUSTOMERS,
    UNKNOWN_ARTICLE,
    WEEKS,
    Dbt,
    Purchase,
    channel_of,
    far_days,
    insert_purchases,
    purchases_of,
)

if TYPE_CHECKING:
    from datetime import date

    from tests.dbt.conftest import Built

PURCHASES = [p for week in WEEKS[:3] for p in purchases_of(week)] + far_days()


def grouped(*columns: int) -> dict[tuple, list[Purchase]]:
    groups = defaultdict(list)
    for purchase in PURCHASES:
        groups[(CALENDAR.week_of(purchase[0]), *(purchase[c] for c in columns))].append(purchase)
    return groups


def test_the_join_keeps_every_purchase_and_says_what_has_no_match(dbt: Dbt) -> None:
    rows = dbt.rows(
        "SELECT t_dat, customer_id, article_id, price, prod_name, age, has_article, has_customer "
        "FROM marts.joined_transactions"
    )
    assert sorted(row[:4] for row in rows) == sorted(PURCHASES)
    for _, customer, article, _, prod_name, age, has_article, has_customer in rows:
        assert has_article == (article in ARTICLES)
        assert prod_name == (f"name of {article}" if has_article else None)
        assert has_customer == (customer in CUSTOMERS)
        assert age == (20 + CUSTOMERS.index(customer) if has_customer else None)


def test_unmatched_purchases_are_counted_and_do_not_stop_the_build(built: Built) -> None:
    assert built.outcome.statuses["joined_transactions_without_article"] == "warn"
    assert built.outcome.statuses["joined_transactions_without_customer"] == "warn"
    unmatched = sum(p[2] == UNKNOWN_ARTICLE for p in PURCHASES)
    assert f"WARN {unmatched} joined_transactions_without_article" in built.outcome.output


def test_article_sales_are_those_counted_in_python(dbt: Dbt) -> None:
    rows = dbt.rows(
        "SELECT week, article_id, purchases, purchases_online, customers, revenue, mean_price, "
        "first_day, last_day FROM marts.weekly_article_sales"
    )
    expected = {
        key: (
            len(group),
            sum(channel_of(p[0]) == 2 for p in group),
            len({p[1] for p in group}),
            pytest.approx(sum(p[3] for p in group)),
            pytest.approx(sum(p[3] for p in group) / len(group)),
            min(p[0] for p in group),
            max(p[0] for p in group),
        )
        for key, group in grouped(2).items()
    }
    assert {row[:2]: row[2:] for row in rows} == expected


def test_customer_purchases_are_those_counted_in_python(dbt: Dbt) -> None:
    rows = dbt.rows(
        "SELECT week, customer_id, purchases, purchases_online, articles, days, spend, "
        "first_day, last_day FROM marts.weekly_customer_purchases"
    )
    expected = {
        key: (
            len(group),
            sum(channel_of(p[0]) == 2 for p in group),
            len({p[2] for p in group}),
            len({p[0] for p in group}),
            pytest.approx(sum(p[3] for p in group)),
            min(p[0] for p in group),
            max(p[0] for p in group),
        )
        for key, group in grouped(1).items()
    }
    assert {row[:2]: row[2:] for row in rows} == expected


def test_customer_article_purchases_are_those_counted_in_python(dbt: Dbt) -> None:
    rows = dbt.rows(
        "SELECT week, customer_id, article_id, purchases, days, spend, first_day, last_day "
        "FROM marts.weekly_customer_article_purchases"
    )
    expected = {
        key: (
            len(group),
            len({p[0] for p in group}),
            pytest.approx(sum(p[3] for p in group)),
            min(p[0] for p in group),
            max(p[0] for p in group),
        )
        for key, group in grouped(1, 2).items()
    }
    assert {row[:3]: row[3:] for row in rows} == expected


def test_bad_rows_fail_their_tests_and_stop_what_is_built_on_them(dbt: Dbt) -> None:
    week: date = WEEKS[1]
    before = dbt.content("marts.joined_transactions")
    with dbt.connect() as connection:
        connection.execute("INSERT INTO raw.articles (article_id) VALUES (?)", [ARTICLES[0]])
        connection.execute("INSERT INTO raw.customers (customer_id, fn) VALUES ('dora', 3)")
        insert_purchases(connection, "bad", [(week, None, ARTICLES[0], -1.0)])
        # It lies in no week, and so in no range either.
        insert_purchases(connection, "undated", [(None, "anna", ARTICLES[0], 1.0)])

    outcome = dbt.build("--exclude-resource-type", "unit_test", weeks=(week, WEEKS[2]))

    assert outcome.returncode != 0
    failed = {name for name, status in outcome.statuses.items() if status == "fail"}
    assert failed == {
        "stg_articles_article_id_unique",
        "stg_transactions_customer_id_not_null",
        "stg_transactions_t_dat_not_null",
    }
    warned = {name for name, status in outcome.statuses.items() if status == "warn"}
    assert warned == {"raw_customers_fn_is_0_or_1", "stg_transactions_price_not_negative"}
    assert outcome.statuses["joined_transactions"] == "skipped"
    assert dbt.content("marts.joined_transactions") == before


def test_damage_to_the_marts_fails_the_tests_that_guard_them(dbt: Dbt) -> None:
    with dbt.connect() as connection:
        connection.execute(
            "DELETE FROM marts.joined_transactions WHERE week = ? AND row_number = 3", [WEEKS[0]]
        )
        connection.execute(
            "UPDATE marts.joined_transactions SET price = price + 1 "
            "WHERE week = ? AND row_number = 4",
            [WEEKS[1]],
        )
        connection.execute(
            "INSERT INTO marts.weekly_article_sales "
            "SELECT * FROM marts.weekly_article_sales WHERE week = ? LIMIT 1",
            [WEEKS[0]],
        )
        connection.execute(
            "UPDATE marts.weekly_customer_purchases SET last_day = last_day + 7 WHERE week = ?",
            [WEEKS[2]],
        )
        connection.execute(
            "UPDATE marts.weekly_article_sales SET purchases_online = -1 WHERE week = ?", [WEEKS[1]]
        )
        connection.execute(
            "UPDATE marts.weekly_customer_purchases SET purchases_online = purchases + 1 "
            "WHERE week = ?",
            [WEEKS[1]],
        )
    outcome = dbt.build("--resource-type", "test", "--select", "tag:weekly")
    assert outcome.returncode != 0
    failed = {name for name, status in outcome.statuses.items() if status == "fail"}
    assert failed == {
        "joined_transactions_has_every_purchase_once",
        "weekly_article_sales_one_row_per_key",
        "weekly_article_sales_adds_up_to_purchases",
        "weekly_article_sales_online_is_part_of_purchases",
        "weekly_customer_purchases_online_is_part_of_purchases",
        "weekly_customer_purchases_week_holds_its_days",
    }
    assert "FAIL 2 joined_transactions_has_every_purchase_once" in outcome.output


def test_everything_is_described_and_typed(built: Built) -> None:
    manifest = json.loads((built.dbt.target / "manifest.json").read_text())
    nodes = [*manifest["nodes"].values(), *manifest["sources"].values()]
    tables = [n for n in nodes if n["resource_type"] in ("model", "source")]
    assert len(tables) == 10
    for table in tables:
        assert len(table["description"]) > 40, table["name"]
        for column in table["columns"].values():
            where = f"{table['name']}.{column['name']}"
            assert len(column["description"]) > 15, where
            assert column["data_type"], where
    # dbt's contracts hold the models to their declared columns; the sources have none.
    for table in tables:
        assert table["resource_type"] == "source" or table["config"]["contract"]["enforced"]
    for test in nodes:
        if test["resource_type"] == "test":
            assert len(test["description"]) > 20, test["name"]


def test_weeks_in_sql_are_the_calendars(built: Built) -> None:
    compiled = built.dbt.target / "compiled/hm_platform/models/staging/stg_transactions.sql"
    assert CALENDAR.sql_week("t_dat").lower() in compiled.read_text()
