"""Weeks are replaced whole, by themselves and all at once, whatever the order they are built in."""

from __future__ import annotations

import shutil
import signal
import time
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from hm_platform.calendar import WEEK
from tests.dbt.project import CALENDAR, WEEKS, Dbt, purchases_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WEEKLY = [
    "joined_transactions",
    "weekly_article_sales",
    "weekly_customer_purchases",
    "weekly_customer_article_purchases",
]
LEAN = ["--exclude-resource-type", "unit_test"]


def by_week(dbt: Dbt, table: str) -> dict[date, set[tuple[Any, ...]]]:
    weeks: dict[date, set[tuple[Any, ...]]] = {}
    for row in dbt.content(f"marts.{table}"):
        weeks.setdefault(row[0], set()).add(row)
    return weeks


def test_a_range_is_replaced_and_nothing_else(dbt: Dbt) -> None:
    before = {table: by_week(dbt, table) for table in WEEKLY}
    dbt.write_week(WEEKS[0], purchases_of(WEEKS[0])[:5])  # changed, but not asked for
    dbt.write_week(WEEKS[1], [])
    dbt.write_week(WEEKS[2], purchases_of(WEEKS[2], seed=1))

    outcome = dbt.build("--select", "tag:weekly", *LEAN, weeks=(WEEKS[1], WEEKS[3]))

    # The test that compares raw with joined looks at the range alone, and so does not complain
    # about the first week.
    assert outcome.returncode == 0, outcome.output
    for table in WEEKLY:
        after = by_week(dbt, table)
        assert WEEKS[1] not in after
        assert after[WEEKS[2]] != before[table][WEEKS[2]]
        untouched = set(before[table]) - {WEEKS[1], WEEKS[2]}
        assert {w: after[w] for w in untouched} == {w: before[table][w] for w in untouched}
    assert {(r[1], r[2], r[3], r[4]) for r in by_week(dbt, WEEKLY[0])[WEEKS[2]]} == set(
        purchases_of(WEEKS[2], seed=1)
    )


def test_weeks_built_out_of_order_are_those_built_at_once(dbt: Dbt) -> None:
    at_once = {table: by_week(dbt, table) for table in WEEKLY}
    shutil.copy(dbt.home / "raw.duckdb", dbt.warehouse)
    for week in (WEEKS[2], WEEKS[0]):
        outcome = dbt.build(*LEAN, weeks=(week, week + WEEK))
        assert outcome.returncode == 0, outcome.output
    for table in WEEKLY:
        assert by_week(dbt, table) == {w: at_once[table][w] for w in (WEEKS[0], WEEKS[2])}


def test_a_range_of_many_years_has_every_row_of_it_once(dbt: Dbt) -> None:
    at_once = {table: dbt.content(f"marts.{table}") for table in WEEKLY}
    shutil.copy(dbt.home / "raw.duckdb", dbt.warehouse)
    ((first, last),) = dbt.rows("SELECT min(t_dat), max(t_dat) FROM raw.transactions")
    weeks = CALENDAR.week_of(first), CALENDAR.week_of(last) + WEEK
    assert weeks[1] - weeks[0] > 52 * WEEK
    outcome = dbt.build("--select", "tag:weekly", "staging", *LEAN, weeks=weeks)
    assert outcome.returncode == 0, outcome.output
    assert {table: dbt.content(f"marts.{table}") for table in WEEKLY} == at_once


def test_a_column_is_added_and_filled_in_the_weeks_built(dbt: Dbt, tmp_path: Path) -> None:
    changed = replace(dbt, project=tmp_path / "changed" / "dbt")
    shutil.copytree(dbt.project, changed.project, ignore=shutil.ignore_patterns("target", "logs"))
    model = changed.project / "models/marts/weekly_customer_purchases"
    sql, yml = model.with_suffix(".sql"), model.with_suffix(".yml")
    column = "      - {name: highest_price, data_type: DOUBLE, description: Of all.}\n"
    sql.write_text(
        sql.read_text().replace("min(t_dat)", "max(price) as highest_price,\n        min(t_dat)")
    )
    yml.write_text(yml.read_text().replace("    columns:\n", "    columns:\n" + column, 1))
    before = dbt.content("marts.weekly_customer_purchases")

    outcome = changed.build(
        "--select", "weekly_customer_purchases", *LEAN, weeks=(WEEKS[1], WEEKS[2])
    )

    assert outcome.returncode == 0, outcome.output
    assert {row[:-1] for row in dbt.content("marts.weekly_customer_purchases")} == before
    filled = dbt.rows(
        "SELECT DISTINCT week FROM marts.weekly_customer_purchases WHERE highest_price IS NOT NULL"
    )
    assert filled == [(WEEKS[1],)]


def test_an_insert_that_fails_leaves_the_old_week(dbt: Dbt) -> None:
    before = dbt.content("marts.weekly_article_sales")
    # It cannot be added up exactly, so the insert fails after the delete.
    dbt.write_week(WEEKS[1], [(WEEKS[1], "anna", "0108775015", float("inf"))])
    outcome = dbt.build("--select", "weekly_article_sales", *LEAN, weeks=(WEEKS[1], WEEKS[2]))
    assert outcome.returncode != 0
    assert outcome.statuses["weekly_article_sales"] == "error"
    assert dbt.content("marts.weekly_article_sales") == before


def test_a_killed_build_leaves_the_old_week(dbt: Dbt) -> None:
    before = dbt.content("marts.weekly_article_sales")
    with dbt.connect() as connection:
        # Reading it takes minutes: time enough to be killed between the delete and the commit.
        connection.execute("ALTER TABLE raw.transactions RENAME TO quick")
        connection.execute(
            "CREATE VIEW raw.transactions AS SELECT * REPLACE (price + 1 + 0 * "
            "(SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range < b.range)"
            " AS price) FROM raw.quick"
        )
    dbt.log.unlink(missing_ok=True)
    process = dbt.start("--select", "weekly_article_sales", *LEAN, weeks=(WEEKS[1], WEEKS[2]))
    try:
        wait_for(lambda: dbt.log.exists() and "delete from" in dbt.log.read_text())
        time.sleep(0.3)
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert dbt.content("marts.weekly_article_sales") == before


def test_dbt_waits_for_another_process_that_holds_the_warehouse(dbt: Dbt) -> None:
    dbt.log.unlink(missing_ok=True)
    with dbt.connect():
        process = dbt.start("--select", "stg_customers", *LEAN)
        wait_for(lambda: dbt.log.exists() and "Opening a new connection" in dbt.log.read_text())
        time.sleep(0.5)
        assert process.poll() is None
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output


@pytest.mark.parametrize(
    ("arguments", "weeks", "complaint"),
    [
        ([], (WEEKS[1], WEEKS[2] + timedelta(days=1)), "not made of whole weeks"),
        (["--full-refresh"], (WEEKS[1], WEEKS[2]), "would lose all other weeks"),
    ],
)
def test_ranges_that_would_do_harm_are_refused(
    dbt: Dbt, arguments: list[str], weeks: tuple[date, date], complaint: str
) -> None:
    before = dbt.content("marts.weekly_article_sales")
    outcome = dbt.build("--select", "weekly_article_sales", *LEAN, *arguments, weeks=weeks)
    assert outcome.returncode != 0
    assert complaint in " ".join(outcome.output.split())
    assert dbt.content("marts.weekly_article_sales") == before


def test_sums_lie_in_a_stated_order(dbt: Dbt) -> None:
    for table, keys in {
        "weekly_article_sales": "week, article_id",
        "weekly_customer_purchases": "week, customer_id",
        "weekly_customer_article_purchases": "week, customer_id, article_id",
    }.items():
        rows = dbt.rows(f"SELECT {keys} FROM marts.{table}")
        assert rows == sorted(rows)


def test_every_row_is_in_the_week_of_the_calendar(dbt: Dbt) -> None:
    rows = dbt.rows("SELECT DISTINCT week, t_dat FROM marts.joined_transactions")
    assert len(rows) > 250
    assert all(week == CALENDAR.week_of(day) for week, day in rows)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
