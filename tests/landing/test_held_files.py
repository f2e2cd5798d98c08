"""Tests of the share of refused rows past which a file is held back, of what it takes to look at a
file once more, and of the rows of files that are held for their columns."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from hm_platform.calendar import Calendar
from hm_platform.landing.loading import read_customers, read_quarantine, read_transactions
from hm_platform.landing.validating import Rules
from hm_platform.landing.zone import LandingZone
from tests.landing.landed import (
    BAD,
    CALENDAR,
    END,
    GOOD,
    HEADER,
    LENIENT,
    PURCHASES,
    STRICT,
    TODAY,
    by_uri,
    good,
    header,
    index,
    put,
    put_parquet,
    put_transactions,
    row,
    validations,
)


def _counts(found: pa.Table, uri: str = "transactions/a.csv") -> tuple[str, int, int, int]:
    entry = by_uri(found)[uri]
    assert entry["rows"] == entry["rows_loaded"] + entry["rows_quarantined"] + entry["rows_held"]
    names = ("rows_loaded", "rows_quarantined", "rows_held")
    return (entry["state"], *(entry[name] for name in names))


def test_the_limit_is_a_twentieth_by_default() -> None:
    assert Rules(CALENDAR).max_refused_share == 0.05


def test_a_file_at_the_limit_is_loaded_and_one_past_it_is_held(zone: LandingZone) -> None:
    put_transactions(zone, "a.csv", *good(*range(19)), BAD)
    put_transactions(zone, "b.csv", *good(*range(100, 118)), BAD)
    found = index(zone, rules=STRICT)
    assert _counts(found) == ("loaded", 19, 1, 0)
    assert _counts(found, "transactions/b.csv") == ("held", 0, 1, 18)


@pytest.mark.parametrize("percent", [7, 29, 57])
def test_the_limit_is_exact_whatever_the_share(zone: LandingZone, percent: int) -> None:
    put_transactions(zone, "a.csv", *good(*range(100 - percent)), *[BAD] * percent)
    at = index(zone, rules=replace(STRICT, max_refused_share=percent / 100))
    assert _counts(at) == ("loaded", 100 - percent, percent, 0)
    past = index(zone, rules=replace(STRICT, max_refused_share=(percent - 1) / 100))
    assert _counts(past) == ("held", 0, percent, 100 - percent)


def test_a_held_file_says_why_and_loads_nothing_while_the_others_load(zone: LandingZone) -> None:
    put_transactions(zone, "a.csv", *good(1, 2), BAD, "2018-09-20,c1")
    put_transactions(zone, "b.csv", *good(3, 4))
    found = index(zone, rules=STRICT)
    entry = by_uri(found)["transactions/a.csv"]
    assert _counts(found) == ("held", 0, 2, 2)
    assert entry["weeks"] == []
    for part in (
        *("50.0%", "HM_MAX_REFUSED_SHARE = 0.05", "send it again", "refused 2 rows"),
        *("1 x too few fields (5 expected)", "1 x price not a number of 0 or more"),
    ):
        assert part in entry["reason"]
    loaded = read_transactions(zone, found, CALENDAR.first_week, END).read_all()
    assert loaded["customer_id"].to_pylist() == ["c3", "c4"]


def test_the_refused_rows_of_a_held_file_are_listed(zone: LandingZone) -> None:
    early = "2018-09-18,c1,0108775015,0.05,1"
    put_transactions(zone, "a.csv", *good(1), BAD, *good(2), early)
    found = index(zone, rules=STRICT)
    listed = read_quarantine(zone, found).read_all().to_pylist()
    assert [(each["row_number"], each["reason"], each["record"]) for each in listed] == [
        (2, "not a number of 0 or more", BAD),
        (4, "dated before the first week", early),
    ]


def test_a_file_of_refused_rows_alone_is_held(zone: LandingZone) -> None:
    put_transactions(zone, "a.csv", BAD)
    assert _counts(index(zone, rules=STRICT)) == ("held", 0, 1, 0)


def test_without_a_limit_no_file_is_held_for_its_rows(zone: LandingZone) -> None:
    put_transactions(zone, "a.csv", BAD)
    assert _counts(index(zone, rules=LENIENT)) == ("loaded", 0, 1, 0)


def test_a_limit_of_nothing_holds_a_file_for_one_row_but_not_for_none(zone: LandingZone) -> None:
    put_transactions(zone, "a.csv", *good(*range(500)), BAD)
    put_transactions(zone, "b.csv", *good(1000))
    put_transactions(zone, "c.csv")
    found = index(zone, rules=replace(STRICT, max_refused_share=0.0))
    assert _counts(found) == ("held", 0, 1, 500)
    assert _counts(found, "transactions/b.csv") == ("loaded", 1, 0, 0)
    assert _counts(found, "transactions/c.csv") == ("loaded", 0, 0, 0)


def test_customers_are_held_by_the_same_limit(zone: LandingZone) -> None:
    lines = [row("customers", customer_id=f"c{i}", age="young" if i else "9") for i in range(3)]
    put(zone, "customers/a.csv", [header("customers"), *lines])
    put(zone, "customers/b.csv", [header("customers"), row("customers", customer_id="d")])
    found = index(zone, rules=STRICT)
    assert _counts(found, "customers/a.csv") == ("held", 0, 2, 1)
    assert read_customers(zone, found).read_all()["customer_id"].to_pylist() == ["d"]
    assert read_quarantine(zone, found).read_all().num_rows == 2


def test_the_same_content_as_a_held_file_is_a_duplicate_of_it(zone: LandingZone) -> None:
    put_transactions(zone, "a.csv", GOOD, BAD)
    put_transactions(zone, "b.csv", GOOD, BAD)
    found = by_uri(index(zone, rules=STRICT))
    assert [entry["state"] for entry in found.values()] == ["held", "duplicate"]


@pytest.mark.parametrize(
    "rules",
    [
        replace(STRICT, max_refused_share=0.5),
        replace(STRICT, without=("customers.age",)),
        replace(STRICT, calendar=Calendar(date(2018, 9, 12))),
        replace(STRICT, code="another"),
    ],
    ids=["limit", "without", "first-week", "code"],
)
def test_other_rules_check_every_file_again(
    zone: LandingZone, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_transactions(zone, "a.csv", GOOD, BAD)
    put_transactions(zone, "b.csv", *good(7))
    put_transactions(zone, "c.csv", *good(7))
    before = index(zone, rules=STRICT)
    checked = validations(monkeypatch)
    again = index(zone, before, rules=rules)
    assert checked == ["transactions/a.csv", "transactions/b.csv"], "a duplicate is checked once"
    assert again.equals(index(zone, rules=rules))
    checked.clear()
    index(zone, again, rules=rules)
    assert checked == []


def test_a_higher_limit_loads_what_was_held_and_a_lower_one_holds_it(zone: LandingZone) -> None:
    put_transactions(zone, "a.csv", GOOD, BAD)
    held = index(zone, rules=STRICT)
    loaded = index(zone, held, rules=replace(STRICT, max_refused_share=0.5))
    assert [_counts(held)[0], _counts(loaded)[0]] == ["held", "loaded"]
    assert _counts(index(zone, loaded, rules=STRICT)) == ("held", 0, 1, 1)


def test_the_rules_of_each_limit_have_a_fingerprint_of_their_own() -> None:
    several = [
        STRICT,
        replace(STRICT, max_refused_share=0.06),
        replace(STRICT, calendar=Calendar(date(2018, 9, 12))),
        replace(STRICT, code="x"),
        replace(STRICT, without=("x",)),
        replace(STRICT, without=("x", "y")),
        replace(STRICT, without=("x",), code="y"),
    ]
    assert len({rules.fingerprint for rules in several}) == len(several)
    assert Rules(Calendar(CALENDAR.first_week)).fingerprint == STRICT.fingerprint


def test_rows_of_tomorrow_count_as_refused_until_then(zone: LandingZone) -> None:
    tomorrow = date(2020, 9, 23)
    put_transactions(zone, "a.csv", GOOD, *good(1, day=tomorrow))
    before = index(zone, rules=STRICT)
    assert _counts(before) == ("held", 0, 1, 1)
    assert by_uri(before)["transactions/a.csv"]["check_again_on"] == tomorrow
    assert _counts(index(zone, before, rules=STRICT, today=TODAY))[0] == "held"
    assert _counts(index(zone, before, rules=STRICT, today=tomorrow)) == ("loaded", 2, 0, 0)


TWO = f"{GOOD}\n\n{GOOD}\n"


@pytest.mark.parametrize(
    ("uri", "content", "rows"),
    [
        ("transactions/x.csv", f"{HEADER[:-17]}\n{TWO}".encode(), 2),
        ("transactions/x.csv.gz", gzip.compress(f"{HEADER},price\n{TWO}".encode(), mtime=0), 2),
        ("transactions/x.csv", f"{HEADER[:-17]}\n{GOOD}\n\xe9\xff\n".encode("latin-1"), 2),
        ("transactions/x.csv", b"price\n", 0),
        ("transactions/x.csv", TWO.encode(), None),
        ("transactions/x.csv", f"{HEADER}\n{TWO}".encode("utf-16-le"), None),
        ("transactions/x.parquet", {"price": None}, 2),
        ("transactions/x.parquet", {"customer_id": [1.5, 2.5]}, 2),
        ("customers/x.csv", b'age,postal_code\n30,"two\nlines"\n31,\n', 2),
        ("customers/x.csv", b'age,postal_code\n30,"two\nlines"\n31,,\n"broken\n', 4),
    ],
)
def test_rows_that_cannot_be_read_for_their_columns_are_counted(
    zone: LandingZone, uri: str, content: Any, rows: int | None
) -> None:
    if isinstance(content, dict):
        columns = {**PURCHASES, **content}
        put_parquet(zone, uri, {name: v for name, v in columns.items() if v is not None})
    else:
        put(zone, uri, content)
    found = by_uri(index(zone))[uri]
    assert (found["state"], found["rows"], found["rows_held"]) == ("held", rows, rows or 0)
    assert found["columns"]


def test_a_file_that_is_named_as_another_kind_hides_none_that_is_not(zone: LandingZone) -> None:
    content = put_parquet(zone, "transactions/b.parquet", PURCHASES).read_bytes()
    put(zone, "transactions/a.csv", content)
    states = {uri: entry["state"] for uri, entry in by_uri(index(zone)).items()}
    assert states == {"transactions/a.csv": "held", "transactions/b.parquet": "loaded"}
