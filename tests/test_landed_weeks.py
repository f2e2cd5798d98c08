from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hm_platform.calendar import WEEK, Calendar
from hm_platform.landed_weeks import (
    BRIDGE,
    bridged,
    build_fingerprint,
    catalogue_fingerprints,
    landed_weeks,
    rows_fingerprint,
    weeks_to_load,
)
from hm_platform.landing.entry import Entry, WeekRows, to_table

FIRST = date(2017, 1, 2)
CALENDAR = Calendar(FIRST)


def week(number: int) -> date:
    return FIRST + WEEK * number


def purchases(name: str, last_day: date | None = None, **rows: str) -> Entry:
    """A file of purchases; w3="a" says that it has rows of week 3, with the fingerprint a."""
    weeks = tuple(WeekRows(week(int(w[1:])), 1, found) for w, found in rows.items())
    ends = [each.week + timedelta(days=6) for each in weeks]
    return Entry(
        f"transactions/{name}",
        "transactions",
        size=1,
        content_hash=name,
        first_day=min((each.week for each in weeks), default=None),
        last_day=last_day or max(ends, default=None),
        weeks=weeks,
    )


def fingerprints(*entries: Entry, code: str = "code", calendar: Calendar = CALENDAR) -> dict:
    return {w.week: w.fingerprint for w in landed_weeks(to_table(entries), calendar, code)}


def stale(before: dict[date, str], *entries: Entry, code: str = "code") -> list[tuple[date, date]]:
    return weeks_to_load(landed_weeks(to_table(entries), CALENDAR, code), before)


def one(number: int) -> tuple[date, date]:
    return week(number), week(number)


ONE = purchases("1.csv", w0="a", w1="b")
TWO = purchases("2.csv", w2="c")


def test_a_week_is_complete_when_its_last_day_has_landed() -> None:
    file = purchases("1.csv", last_day=FIRST + timedelta(days=8), w0="a", w1="b")
    complete = {w.week: w.complete for w in landed_weeks(to_table([file]), CALENDAR, "code")}
    assert complete == {FIRST: True, FIRST + WEEK: False}


def test_the_last_day_of_a_file_that_is_not_loaded_completes_nothing() -> None:
    started = purchases("1.csv", last_day=FIRST, w0="a")
    held = replace(purchases("2.csv", last_day=FIRST + timedelta(days=6)), state="held")
    assert [w.complete for w in landed_weeks(to_table([started, held]), CALENDAR, "code")] == [
        False
    ]


def test_nothing_landed_has_no_weeks() -> None:
    articles = Entry("articles/a.csv", "articles", 1, "a")
    assert landed_weeks(to_table([]), CALENDAR, "code") == []
    assert landed_weeks(to_table([articles]), CALENDAR, "code") == []
    assert landed_weeks(pa.table({"uri": ["of another version"]}), CALENDAR, "code") == []


def test_a_changed_file_makes_its_weeks_stale_and_no_others() -> None:
    before = fingerprints(ONE, TWO)
    assert stale(before, ONE, TWO) == []
    assert stale(before, ONE, purchases("2.csv", w2="other")) == [one(2)]
    assert stale(before, purchases("1.csv", w0="a", w1="other"), TWO) == [one(1)]


def test_a_file_with_rows_of_two_far_weeks_changes_those_two_only() -> None:
    before = fingerprints(*(purchases(f"{n}.csv", **{f"w{n}": "x"}) for n in range(10)))
    files = [purchases(f"{n}.csv", **{f"w{n}": "x"}) for n in range(10)]
    assert stale(before, *files, purchases("late.csv", w1="y", w8="z")) == [one(1), one(8)]


def test_a_file_under_another_name_is_other_rows() -> None:
    assert stale(fingerprints(ONE, TWO), ONE, purchases("3.csv", w2="c")) == [one(2)]


def test_weeks_between_are_weeks_without_files() -> None:
    landed = landed_weeks(to_table([purchases("1.csv", w0="a", w3="b")]), CALENDAR, "code")
    assert [(w.week, w.files, w.complete) for w in landed] == [
        (week(0), 1, True),
        (week(1), 0, True),
        (week(2), 0, True),
        (week(3), 1, True),
    ]
    assert landed[1].fingerprint == landed[2].fingerprint == rows_fingerprint([], CALENDAR, "code")


def test_neighbouring_weeks_are_one_range() -> None:
    assert stale({}, ONE, TWO) == [(FIRST, week(2))]
    middle = {week(1): fingerprints(ONE, TWO)[week(1)]}
    assert stale(middle, ONE, TWO) == [one(0), one(2)]


def test_a_week_whose_files_are_all_gone_is_loaded_again() -> None:
    before = fingerprints(ONE, TWO)
    assert stale(before, ONE) == [one(2)]
    assert stale(before) == [(week(0), week(2))]


@pytest.mark.parametrize("state", ["held", "pending"])
def test_rows_that_are_kept_of_a_file_that_is_not_in_order_leave_its_weeks_as_they_are(
    state: str,
) -> None:
    broken = replace(TWO, state=state, rows_kept=1, last_day=None, content_hash=None)
    assert stale(fingerprints(ONE, TWO), ONE, broken) == []


@pytest.mark.parametrize("state", ["held", "duplicate", "pending"])
def test_a_file_of_which_nothing_is_loaded_does_not_count(state: str) -> None:
    nothing = replace(TWO, state=state, weeks=())
    assert fingerprints(ONE, nothing) == fingerprints(ONE)


def test_other_code_and_another_calendar_make_everything_stale() -> None:
    before = fingerprints(ONE)
    assert stale(before, ONE, code="other") == [(week(0), week(1))]
    earlier = fingerprints(ONE, calendar=Calendar(FIRST - WEEK))
    assert not set(earlier.values()) & set(before.values())


def test_the_order_of_files_does_not_matter() -> None:
    rows = [("b", 1, "x"), ("a", 2, "y")]
    assert rows_fingerprint(rows, CALENDAR, "code") == rows_fingerprint(
        rows[::-1], CALENDAR, "code"
    )


@given(
    st.dictionaries(st.integers(0, 30), st.sampled_from("abc"), min_size=1),
    st.dictionaries(st.integers(0, 30), st.sampled_from("abc"), min_size=1),
)
def test_exactly_the_weeks_that_differ_are_in_the_ranges_and_no_two_touch(
    before: dict[int, str], after: dict[int, str]
) -> None:
    loaded = fingerprints(purchases("f.csv", **{f"w{n}": rows for n, rows in before.items()}))
    wanted = purchases("f.csv", **{f"w{n}": rows for n, rows in after.items()})
    ranges = stale(loaded, wanted)
    differ = {
        day
        for day in loaded.keys() | fingerprints(wanted).keys()
        if loaded.get(day) != fingerprints(wanted).get(day)
    }
    covered = [day for first, last in ranges for day in CALENDAR.weeks(first, last)]
    assert covered == sorted(differ)
    assert all(b[0] - a[1] > WEEK for a, b in pairwise(ranges))


ARTICLES = Entry("articles/a.csv", "articles", 1, "a")
CUSTOMERS = Entry("customers/c.csv", "customers", 1, "c")


def changed_tables(*entries: Entry, code: str = "code") -> set[str]:
    """Of which tables without weeks these entries are other ones than ARTICLES and CUSTOMERS."""
    before = catalogue_fingerprints(to_table([ARTICLES, CUSTOMERS]), "code")
    after = catalogue_fingerprints(to_table(entries), code)
    return {name for name in before if before[name] != after[name]}


def test_each_table_without_weeks_is_named_by_its_own_files() -> None:
    assert changed_tables(ARTICLES, CUSTOMERS, ONE) == set()
    assert changed_tables(replace(ARTICLES, content_hash="b"), CUSTOMERS) == {"articles"}
    assert changed_tables(ARTICLES) == {"customers"}
    assert changed_tables(ARTICLES, replace(CUSTOMERS, state="held")) == {"customers"}
    assert changed_tables(ARTICLES, replace(CUSTOMERS, rows_kept=3)) == {"customers"}
    refused = replace(ONE, rows_quarantined=1)
    assert changed_tables(ARTICLES, CUSTOMERS, refused) == {"quarantine"}
    everything = {"articles", "customers", "quarantine"}
    assert changed_tables(ARTICLES, CUSTOMERS, code="other") == everything


LOADED = {week(0): "a", week(1): "b", week(2): "c"}
CATALOGUE = {"articles": "x", "customers": "y", "quarantine": "z"}


def build(
    loaded: dict[date, str] = LOADED,
    catalogue: dict[str, str] = CATALOGUE,
    code: str = "code",
    **parameters: object,
) -> str:
    return build_fingerprint(week(1), loaded, catalogue, code, parameters)


def test_later_weeks_and_refused_rows_leave_a_build_up_to_date() -> None:
    assert build() == build({**LOADED, week(2): "other", week(3): "d"})
    assert build() == build(catalogue={**CATALOGUE, "quarantine": "other"})


def test_a_build_is_out_of_date_when_anything_that_it_is_made_of_is_another() -> None:
    others = [
        build({**LOADED, week(1): "other"}),
        build({**LOADED, week(0): "other"}),
        build({week(1): "b"}),
        build(catalogue={**CATALOGUE, "articles": "other"}),
        build(catalogue={**CATALOGUE, "customers": "other"}),
        build(catalogue={}),
        build(code="other"),
        build(seed=1),
        build_fingerprint(week(2), LOADED, CATALOGUE, "code", {}),
    ]
    assert len({build(), *others}) == 1 + len(others)


def test_few_weeks_between_others_are_taken_along_and_many_are_not() -> None:
    assert bridged([]) == []
    assert bridged([week(3), week(1)]) == [week(1), week(2), week(3)]
    assert bridged([week(1), week(1 + BRIDGE)]) == [week(n) for n in range(1, 2 + BRIDGE)]
    assert bridged([week(1), week(2 + BRIDGE)]) == [week(1), week(2 + BRIDGE)]
