"""Tests of the weeks of a file: their rows, and the fingerprint that tells one version from
another."""

from __future__ import annotations

import gzip
import tempfile
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hm_platform.calendar import Calendar
from hm_platform.landing.columns import rows_fingerprint
from hm_platform.landing.entry import WeekRows, from_table
from hm_platform.landing.loading import read_transactions
from hm_platform.landing.zone import LandingZone
from tests.landing.landed import (
    BAD,
    CALENDAR,
    END,
    LENIENT,
    TODAY,
    good,
    index,
    put,
    put_transactions,
)

W1, W2, FAR = date(2018, 9, 19), date(2018, 9, 26), date(2020, 2, 26)


def _weeks(zone: LandingZone, *lines: str) -> dict[date, WeekRows]:
    put_transactions(zone, "a.csv", *lines)
    (entry,) = from_table(index(zone))
    assert sum(week.rows for week in entry.weeks) == entry.rows_loaded
    return {week.week: week for week in entry.weeks}


def _in_table(zone: LandingZone, found: pa.Table) -> dict[tuple[str, date], WeekRows]:
    """The weeks of each file as the loaded table has them."""
    rows = read_transactions(zone, found, CALENDAR.first_week, END).read_all()
    with duckdb.connect() as connection:
        connection.register("landed", rows)
        connection.execute("CREATE TABLE loaded AS SELECT * FROM landed ORDER BY price, row_number")
        rows = connection.execute(
            f"SELECT uri, {CALENDAR.sql_week('t_dat')} AS week, count(*), "
            f"{rows_fingerprint('transactions')} FROM loaded GROUP BY uri, week"
        ).fetchall()
    return {(uri, week): WeekRows(week, count, mark) for uri, week, count, mark in rows}


def test_a_file_of_two_far_weeks_has_just_those(zone: LandingZone) -> None:
    last = FAR + timedelta(days=6)
    found = _weeks(zone, *good(1, 2, day=FAR), *good(3), *good(4, day=last), BAD)
    assert {week: found[week].rows for week in found} == {W1: 1, FAR: 3}


def test_a_week_begins_on_the_calendars_day(zone: LandingZone) -> None:
    lines = [line for i in range(8) for line in good(i, day=W1 + timedelta(days=i))]
    assert [week.rows for week in _weeks(zone, *lines).values()] == [7, 1]
    rules = type(LENIENT)(Calendar(date(2018, 9, 17)), 1.0)
    (entry,) = from_table(index(zone, rules=rules))
    assert [(week.week, week.rows) for week in entry.weeks] == [
        (date(2018, 9, 17), 5),
        (date(2018, 9, 24), 3),
    ]


def test_a_week_stays_the_same_while_rows_of_others_follow_its_own(zone: LandingZone) -> None:
    before = _weeks(zone, *good(1, 2, 2), *good(3, day=W2))
    after = _weeks(zone, *good(1, 2, 2), *good(3, 4, day=W2), *good(5, day=FAR), BAD)
    assert after[W1] == before[W1]
    assert after[W2] != before[W2]


@pytest.mark.parametrize(
    "lines",
    [
        [*good(1, 9), *good(3, day=W2)],
        [*good(2, 1), *good(3, day=W2)],
        [BAD, *good(1, 2), *good(3, day=W2)],
        [*good(1, 2, 2), *good(3, day=W2)],
        [*good(1), *good(3, day=W2)],
        [*good(1), *good(2, day=W1), *good(3, day=W2)],
        [good(1)[0].replace("0.05", "0.06"), *good(2), *good(3, day=W2)],
        [good(1)[0][:-1] + "2", *good(2), *good(3, day=W2)],
    ],
    ids=["changed", "order", "numbers", "more", "fewer", "day", "price", "channel"],
)
def test_a_week_is_another_once_a_row_of_it_is(zone: LandingZone, lines: list[str]) -> None:
    before = _weeks(zone, *good(1, 2), *good(3, day=W2))
    assert _weeks(zone, *lines)[W1].fingerprint != before[W1].fingerprint


def test_equal_rows_do_not_cancel_out(zone: LandingZone) -> None:
    marks = {_weeks(zone, *good(*[1] * n))[W1].fingerprint for n in range(1, 7)}
    assert len(marks) == 6
    # A purchase of two of a kind that turns out to be one of two others.
    marks = {_weeks(zone, *good(3, n, n))[W1].fingerprint for n in range(10)}
    assert len(marks) == 10


def test_the_same_rows_have_the_same_weeks_however_they_are_written(zone: LandingZone) -> None:
    lines = [*good(1, 2), *good(3, day=FAR)]
    plain = _weeks(zone, *lines)
    (zone.root / "transactions/a.csv").unlink()
    text = "t_dat;price;article_id;customer_id;sales_channel_id\r\n" + "".join(
        f'{day};5e-2;{article};"{customer}";{channel}\r\n'
        for day, customer, article, _, channel in (line.split(",") for line in lines)
    )
    put(zone, "transactions/b.csv.gz", gzip.compress(text.encode()))
    pq.write_table(
        pa.table(
            {
                "sales_channel_id": pa.array([1] * 3, pa.int8()),
                "customer_id": ["c1", "c2", "c3"],
                "article_id": ["0108775015"] * 3,
                "t_dat": [date(2018, 9, 20), date(2018, 9, 20), FAR],
                "price": [0.05] * 3,
            }
        ),
        zone.root / "transactions/c.parquet",
        row_group_size=1,
    )
    for entry in from_table(index(zone)):
        assert {week.week: week for week in entry.weeks} == plain


rows = st.tuples(st.dates(W1, TODAY), st.integers(0, 9))


@settings(max_examples=12)
@given(st.lists(st.lists(st.one_of(rows, st.none()), max_size=12), min_size=1, max_size=3))
def test_the_index_and_the_loaded_table_tell_the_same_weeks(
    files: list[list[tuple[date, int] | None]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        zone = LandingZone(Path(folder))
        for i, lines in enumerate(files):
            texts = (good(line[1], day=line[0])[0] if line else BAD for line in lines)
            put_transactions(zone, f"{i}.csv", *texts)
        found = index(zone)
        told = {(entry.uri, week.week): week for entry in from_table(found) for week in entry.weeks}
        assert told == _in_table(zone, found)
