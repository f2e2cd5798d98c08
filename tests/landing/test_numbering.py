"""Tests of row numbers and of order in files that DuckDB reads with several threads."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from hm_platform.landing.columns import rows_fingerprint
from hm_platform.landing.content import BLOCK, SEPARATOR, examine
from hm_platform.landing.loading import (
    read_articles,
    read_customers,
    read_quarantine,
    read_transactions,
)
from hm_platform.landing.zone import LandingZone
from tests.landing.landed import (
    BAD,
    CALENDAR,
    END,
    GOOD,
    by_uri,
    entries,
    good,
    header,
    index,
    put,
    put_transactions,
    quarantine,
    row,
    transactions,
)

LARGE = 300_000
"""Rows of more than one piece: DuckDB gives a thread 8 MB of a file."""


def test_blank_lines_and_refused_rows_before_a_row_count_as_they_should(zone: LandingZone) -> None:
    put_transactions(zone, "a.csv", "", GOOD, "", "", BAD, " ", GOOD, "")
    assert [found["row_number"] for found in transactions(zone)] == [1, 4]
    assert [found["row_number"] for found in quarantine(zone)] == [2, 3]


def test_a_file_without_rows_has_none(zone: LandingZone) -> None:
    put_transactions(zone, "a.csv")
    entry = entries(zone)["transactions/a.csv"]
    assert (entry["state"], entry["rows"], entry["weeks"]) == ("loaded", 0, [])


def test_of_a_large_file_of_customers_the_last_row_of_each_counts(zone: LandingZone) -> None:
    n = 100_000
    ages = np.arange(4 * n) % 97
    padding = "x" * 60
    lines = (f"{i % n:06d},,,,,{age},{padding}" for i, age in enumerate(ages.tolist()))
    put(zone, "customers/a.csv", [header("customers"), *lines])
    found = read_customers(zone, index(zone)).read_all()
    assert found["customer_id"].cast(pa.int64()).to_pylist() == list(range(n))
    assert np.array_equal(found["age"].to_numpy(), ages[3 * n :])


def test_records_of_several_lines_have_their_numbers_in_a_large_file(zone: LandingZone) -> None:
    description = '"one\n""two""\n' + "x" * 60 + '"'
    lines = []
    for i in range(LARGE // 2):
        key = f"{i:010d}" if i % 1000 else ""
        lines.append(row("articles", article_id=key, detail_desc=description))
    put(zone, "articles/a.csv", [header("articles"), *lines])
    found = index(zone)
    refused = read_quarantine(zone, found).read_all()
    assert refused["row_number"].to_pylist() == list(range(1, LARGE // 2, 1000))
    assert read_articles(zone, found).read_all().num_rows == LARGE // 2 * 999 // 1000


def test_weeks_of_a_large_file_are_told_as_those_of_its_pieces(zone: LandingZone) -> None:
    # A week whose rows lie all over the file, in many of the batches that are counted one by one.
    days = [date(2018, 9, 19) + timedelta(days=7 * (i % 3)) for i in range(LARGE)]
    put_transactions(zone, "a.csv", *(f"{day},c{i},a,1,1" for i, day in enumerate(days)))
    found = index(zone)
    entry = by_uri(found)["transactions/a.csv"]
    assert [week["rows"] for week in entry["weeks"]] == [LARGE // 3] * 3
    assert (entry["first_day"], entry["last_day"]) == (min(days), max(days))
    with duckdb.connect() as connection:
        loaded = read_transactions(zone, found, CALENDAR.first_week, END)
        connection.register("loaded", loaded.read_all())
        told = connection.execute(
            f"SELECT {rows_fingerprint('transactions')} FROM loaded GROUP BY t_dat ORDER BY t_dat"
        ).fetchall()
    assert [(week["fingerprint"],) for week in entry["weeks"]] == told


@pytest.mark.parametrize("place", range(BLOCK - 5, BLOCK + 2))
def test_a_separator_is_found_wherever_it_lies(zone: LandingZone, place: int) -> None:
    lines = "x" * 99 + "\n"
    start = (lines * (BLOCK // 100 + 1))[:place]
    for text, is_plain in ((SEPARATOR, False), (SEPARATOR[:3] + "x", True)):
        put(zone, "transactions/a.csv", start + text + "\n")
        (file,) = zone.files("transactions")
        assert examine(file).is_plain is is_plain


def test_an_underscore_far_down_a_file_is_found_in_a_price(zone: LandingZone) -> None:
    put_transactions(zone, "a.csv", *good(*range(50_000)), "2018-09-20,c,a,1_000,1")
    (refused,) = quarantine(zone)
    assert (refused["row_number"], refused["column_name"]) == (50_001, "price")
