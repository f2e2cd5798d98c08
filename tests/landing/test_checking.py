"""Tests of which rows are refused, and why."""

from __future__ import annotations

import pytest

from hm_platform.landing.loading import (
    read_articles,
)
from hm_platform.landing.zone import LandingZone
from tests.landing.landed import (
    GOOD,
    HEADER,
    TODAY,
    entries,
    header,
    index,
    put,
    put_transactions,
    quarantine,
    row,
    transactions,
)


@pytest.mark.parametrize(
    ("line", "column", "reason"),
    [
        ("2018-02-30,c,a,1,1", "t_dat", "not a date written YYYY-MM-DD"),
        ("2018-9-20,c,a,1,1", "t_dat", "not a date written YYYY-MM-DD"),
        (" 2018-09-20,c,a,1,1", "t_dat", "not a date written YYYY-MM-DD"),
        ("2018-09-20 10:00:00,c,a,1,1", "t_dat", "not a date written YYYY-MM-DD"),
        ("epoch,c,a,1,1", "t_dat", "not a date written YYYY-MM-DD"),
        (",c,a,1,1", "t_dat", "missing"),
        ("2018-09-18,c,a,1,1", "t_dat", "dated before the first week"),
        ("2020-09-23,c,a,1,1", "t_dat", "dated in the future"),
        ("infinity,c,a,1,1", "t_dat", "dated in the future"),
        ("2018-09-20,,a,1,1", "customer_id", "missing"),
        ("2018-09-20,  ,a,1,1", "customer_id", "missing"),
        ("2018-09-20,c,\t,1,1", "article_id", "missing"),
        ("2018-09-20,c,a,,1", "price", "missing"),
        ("2018-09-20,c,a,-0.01,1", "price", "not a number of 0 or more"),
        ("2018-09-20,c,a,free,1", "price", "not a number of 0 or more"),
        ("2018-09-20,c,a,nan,1", "price", "not a number of 0 or more"),
        ("2018-09-20,c,a,inf,1", "price", "not a number of 0 or more"),
        ("2018-09-20,c,a,1_000,1", "price", "not a number of 0 or more"),
        ("2018-09-20,c,a,1,", "sales_channel_id", "missing"),
        ("2018-09-20,c,a,1,3", "sales_channel_id", "neither 1 nor 2"),
        ("2018-09-20,c,a,1,1.2", "sales_channel_id", "neither 1 nor 2"),
        ("2018-09-20,c,a,1", None, "too few fields (5 expected)"),
        (" ", None, "too few fields (5 expected)"),
        ("2018-09-20,c,a,1,1,", None, "too many fields (5 expected)"),
        ('2018-09-20,"c,a,1,1', None, "broken quoting"),
        ('2018-09-20,"c"x,a,1,1', None, "broken quoting"),
        (b"2018-09-20,M\xfcller,a,1,1", None, "bytes that are not UTF-8"),
        ("2018-09-20," + "c" * 600_000 + ",a,1,1", None, "a line of over 500,000 characters"),
        ("2018-09-20," + "c" * 5_000_000 + ",a,1,1", None, "a line of over 500,000 characters"),
    ],
)
def test_a_bad_row_is_refused_with_its_reason_and_spares_the_others(
    zone: LandingZone, line: str | bytes, column: str | None, reason: str
) -> None:
    text = line.encode() if isinstance(line, str) else line
    lines = [HEADER.encode(), GOOD.encode(), text, f"{TODAY},last,0000000001,0,2".encode()]
    put(zone, "transactions/a.csv", b"\n".join(lines))
    entry = entries(zone)["transactions/a.csv"]
    assert (entry["rows"], entry["rows_loaded"], entry["rows_quarantined"]) == (3, 2, 1)
    named = f"{column} {reason}" if column else reason
    assert entry["reason"] == f"refused 1 row: 1 x {named}"
    assert [found["row_number"] for found in transactions(zone)] == [1, 3]
    record = text.decode(errors="backslashreplace")
    (refused,) = quarantine(zone)
    assert refused["record"] == record[:500_000]
    del refused["record"]
    assert refused == {
        "uri": "transactions/a.csv",
        "row_number": 2,
        "column_name": column,
        "reason": reason,
    }


def test_only_rows_out_of_range_are_still_told_from_others(zone: LandingZone) -> None:
    put_transactions(zone, "a.csv", "2018-01-01,c,a,1,1", "2018-01-01,c,a,-1,1")
    assert [(found["column_name"], found["reason"]) for found in quarantine(zone)] == [
        ("t_dat", "dated before the first week or in the future"),
        ("price", "not a number of 0 or more"),
    ]
    assert transactions(zone) == []


def test_a_price_fault_beyond_the_good_days_is_a_price_fault(zone: LandingZone) -> None:
    put_transactions(zone, "a.csv", GOOD, "2018-12-24,c,a,-1,1")
    assert [found["column_name"] for found in quarantine(zone)] == ["price"]


def test_articles_with_a_wrong_number_are_refused(zone: LandingZone) -> None:
    lines = [
        row("articles", article_id="a1", product_type_no="12.5"),
        row("articles", article_id="a2", section_no="99999999999"),
        row("articles", product_type_no="1"),
        row("articles", article_id="a4", section_no="-7"),
    ]
    put(zone, "articles/a.csv", [header("articles"), *lines])
    assert [(entry["column_name"], entry["reason"]) for entry in quarantine(zone)] == [
        ("product_type_no", "not a whole number"),
        ("section_no", "not a whole number"),
        ("article_id", "missing"),
    ]
    assert read_articles(zone, index(zone)).read_all()["section_no"].to_pylist() == [-7]
