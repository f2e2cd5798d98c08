from __future__ import annotations

from datetime import date, timedelta

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hm_platform.calendar import WEEK, Calendar, CalendarError, days_of

days = st.dates(date(2000, 1, 1), date(2040, 1, 1))


@given(first=days, day=days)
def test_a_week_holds_its_day_and_starts_on_the_first_weekday(first: date, day: date) -> None:
    week = Calendar(first).week_of(day)
    assert week <= day < week + WEEK
    assert week.weekday() == first.weekday()


@given(first=days, day=days)
def test_sql_and_python_agree_to_the_day(first: date, day: date) -> None:
    calendar = Calendar(first)
    in_sql = calendar.sql_week(f"DATE '{day}'")
    found = duckdb.execute(f"SELECT {in_sql}").fetchone()
    assert found == (calendar.week_of(day),)


@given(first=st.dates(date(2016, 1, 1), date(2020, 1, 1)), weeks=st.integers(0, 200))
def test_dagster_and_python_agree_on_every_partition(first: date, weeks: int) -> None:
    calendar = Calendar(first)
    partitions = calendar.partitions()
    week = first + WEEK * weeks
    assert partitions.get_first_partition_key() == str(first)
    window = partitions.time_window_for_partition_key(str(week))
    assert days_of(window) == (week, week + WEEK)


def test_the_last_week_of_hm_is_whole() -> None:
    assert Calendar(date(2018, 9, 19)).week_of(date(2020, 9, 22)) == date(2020, 9, 16)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("yesterday", "YYYY-MM-DD"),
        ("2017-02-30", "YYYY-MM-DD"),
        ("2017-12-26", "the week that holds it is 2017-12-25"),
        ("2016-12-19", "before the first week"),
    ],
)
def test_what_is_no_week_is_refused_with_a_hint(text: str, says: str) -> None:
    with pytest.raises(CalendarError, match=says):
        Calendar(date(2016, 12, 26)).parse(text)


def test_weeks_between_two_days_include_both_ends() -> None:
    monday = date(2016, 12, 26)
    weeks = Calendar(monday).weeks(monday + timedelta(days=6), monday + timedelta(days=14))
    assert weeks == [monday, monday + WEEK, monday + 2 * WEEK]
