"""Tests of reading the landing zone as typed tables."""

from __future__ import annotations

import gc
import threading
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hm_platform.landing import loading, session
from hm_platform.landing.columns import (
    ARTICLES_SCHEMA,
    CUSTOMERS_SCHEMA,
    QUARANTINE_SCHEMA,
    TRANSACTIONS_SCHEMA,
)
from hm_platform.landing.content import Content
from hm_platform.landing.errors import LandingError
from hm_platform.landing.loading import (
    read_articles,
    read_customers,
    read_quarantine,
    read_transactions,
)
from hm_platform.landing.zone import LandedFile, LandingZone
from tests.landing.landed import (
    CALENDAR,
    GOOD,
    entries,
    header,
    index,
    put,
    put_transactions,
    quarantine,
    row,
    transactions,
)

START, END = CALENDAR.first_week, date(2021, 1, 1)


def test_rows_come_typed_in_order_of_file_and_row(zone: LandingZone) -> None:
    put_transactions(zone, "b.csv", "2018-09-21,c2,0000000002,0.5,2", GOOD, GOOD)
    put_transactions(zone, "a.csv", "2018-09-30,c1,0000000001,1e-3,1")
    reader = read_transactions(zone, index(zone), START, END)
    assert reader.schema == TRANSACTIONS_SCHEMA
    assert [tuple(found.values()) for found in reader.read_all().to_pylist()] == [
        (date(2018, 9, 30), "c1", "0000000001", 0.001, 1, "transactions/a.csv", 1),
        (date(2018, 9, 21), "c2", "0000000002", 0.5, 2, "transactions/b.csv", 1),
        (date(2018, 9, 20), "c1", "0108775015", 0.05, 1, "transactions/b.csv", 2),
        (date(2018, 9, 20), "c1", "0108775015", 0.05, 1, "transactions/b.csv", 3),
    ]


def test_the_end_is_excluded(zone: LandingZone) -> None:
    days = [date(2018, 9, 25) + timedelta(days=i) for i in range(10)]
    put_transactions(zone, "a.csv", *(f"{day},c,a,1,1" for day in days))
    found = transactions(zone, date(2018, 9, 26), date(2018, 10, 3))
    assert [entry["t_dat"] for entry in found] == days[1:8]
    assert [entry["row_number"] for entry in found] == list(range(2, 9))
    assert transactions(zone, date(2019, 1, 1), date(2019, 2, 1)) == []


def test_files_without_a_row_of_the_weeks_are_not_opened(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in ("2018-09-25", "2018-09-26", "2018-10-02", "2018-10-03"):
        put_transactions(zone, f"{day}.csv", f"{day},c,a,1,1")
    # Around the week, with no row in it.
    put_transactions(zone, "late.csv", "2018-09-20,c,a,1,1", "2018-10-10,c,a,1,1")
    found = index(zone)
    opened: list[str] = []
    examine = loading.examine

    def noting(file: LandedFile) -> Content:
        opened.append(file.uri)
        return examine(file)

    monkeypatch.setattr(loading, "examine", noting)
    read_transactions(zone, found, date(2018, 9, 26), date(2018, 10, 3)).read_all()
    assert opened == ["transactions/2018-09-26.csv", "transactions/2018-10-02.csv"]


def test_held_and_duplicate_files_give_no_rows(zone: LandingZone) -> None:
    put_transactions(zone, "a.csv", GOOD)
    put_transactions(zone, "b.csv", GOOD)
    put(zone, "transactions/c.csv", f"t_dat,price\n{GOOD}\n")
    assert len(transactions(zone)) == 1


def test_articles_the_last_file_wins_ordered_by_id(zone: LandingZone) -> None:
    one = [("0000000002", "old", "253"), ("0000000001", "twice", ""), ("0000000001", "again", "")]
    two = [("0000000002", "new", "")]
    for name, rows in (("a", one), ("b", two)):
        lines = (
            row("articles", article_id=key, prod_name=text, product_type_no=number)
            for key, text, number in rows
        )
        put(zone, f"articles/{name}.csv", [header("articles"), *lines])
    reader = read_articles(zone, index(zone))
    assert reader.schema == ARTICLES_SCHEMA
    assert reader.read_all().select(["article_id", "prod_name", "product_type_no"]).to_pylist() == [
        {"article_id": "0000000001", "prod_name": "again", "product_type_no": None},
        {"article_id": "0000000002", "prod_name": "new", "product_type_no": None},
    ]


@pytest.mark.parametrize("again", [1, 2])
def test_the_last_file_wins_where_it_has_the_content_of_an_earlier_one(
    zone: LandingZone, again: int
) -> None:
    ages = {1: 30, 2: 40, 3: {1: 30, 2: 40}[again]}
    for name, age in ages.items():
        line = row("customers", customer_id="c1", age=str(age))
        put(zone, f"customers/{name}.csv", [header("customers"), line])
    found = index(zone)
    for _ in range(2):
        (read,) = read_customers(zone, found).read_all().to_pylist()
        assert (read["age"], read["uri"]) == (ages[3], "customers/3.csv")
        reasons = {entry["uri"]: entry["reason"] for entry in found.to_pylist()}
        assert reasons.pop(f"customers/{again}.csv") == "the same content as customers/3.csv"
        assert set(reasons.values()) == {None}
        found = index(zone, found)


def test_customers_as_kaggle_writes_them(zone: LandingZone) -> None:
    lines = [
        "customer_id,FN,Active,club_member_status,fashion_news_frequency,age,postal_code",
        "b,1.0,1.0,ACTIVE,Regularly,49,p",
        "a,,,,,,",
        "c,0,,ACTIVE,NONE,24.0,p",
        "d,,,ACTIVE,NONE,twenty,p",
    ]
    put(zone, "customers/a.csv", lines)
    reader = read_customers(zone, index(zone))
    assert reader.schema == CUSTOMERS_SCHEMA
    assert [tuple(found.values()) for found in reader.read_all().to_pylist()] == [
        ("a", None, None, None, None, None, None, "customers/a.csv"),
        ("b", 1, 1, "ACTIVE", "Regularly", 49, "p", "customers/a.csv"),
        ("c", 0, None, "ACTIVE", "NONE", 24, "p", "customers/a.csv"),
    ]
    assert [found["column_name"] for found in quarantine(zone)] == ["age"]


def test_nothing_landed_gives_empty_tables(zone: LandingZone) -> None:
    found = index(zone)
    assert read_articles(zone, found).read_all().equals(ARTICLES_SCHEMA.empty_table())
    assert read_customers(zone, found).read_all().equals(CUSTOMERS_SCHEMA.empty_table())
    assert read_quarantine(zone, found).read_all().equals(QUARANTINE_SCHEMA.empty_table())
    empty = TRANSACTIONS_SCHEMA.empty_table()
    assert read_transactions(zone, found, START, END).read_all().equals(empty)


def test_a_file_that_changed_or_went_is_an_error(zone: LandingZone) -> None:
    path = put_transactions(zone, "a.csv", GOOD)
    found = index(zone)
    put_transactions(zone, "a.csv", GOOD.replace("c1", "c2"))
    with pytest.raises(LandingError, match=r"transactions/a\.csv has changed .* index again"):
        read_transactions(zone, found, START, END).read_all()
    path.unlink()
    with pytest.raises(LandingError, match=r"transactions/a\.csv has gone .* index again"):
        read_transactions(zone, found, START, END)


@pytest.fixture
def open_sessions(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The sessions that are open, by identity."""
    there: set[int] = set()
    begin, close = session.Session.__init__, session.Session.close

    def beginning(self: session.Session, *arguments: Any, **options: Any) -> None:
        begin(self, *arguments, **options)
        there.add(id(self))

    def closing(self: session.Session) -> None:
        there.discard(id(self))
        close(self)

    monkeypatch.setattr(session.Session, "__init__", beginning)
    monkeypatch.setattr(session.Session, "close", closing)
    return there


def test_readers_close_what_they_opened(zone: LandingZone, open_sessions: set[int]) -> None:
    put_transactions(zone, "a.csv", *[GOOD] * 10)
    put_transactions(zone, "b.csv", *[GOOD] * 11)
    found = index(zone)
    assert not open_sessions
    reader = read_transactions(zone, found, START, END)
    assert not open_sessions, "nothing is opened before the first row is asked for"
    reader.read_next_batch()
    assert len(open_sessions) == 1
    del reader
    gc.collect()
    assert not open_sessions
    reader = read_transactions(zone, found, START, END)
    assert reader.read_all().num_rows == 21
    assert not open_sessions


def test_a_large_file_keeps_order_numbers_and_values(zone: LandingZone, tmp_path: Path) -> None:
    # Larger than what DuckDB gives one thread at a time, with a bad line now and then.
    n = 400_000
    random = np.random.default_rng(0)
    bad = random.random(n) < 0.0005
    day = random.integers(0, 28, n)
    lines = [
        "2018-09-20,broken"
        if wrong
        else f"2018-10-{d + 1:02d},{i:064d},{i:010d},{i / 64},{1 + i % 2}"
        for i, (wrong, d) in enumerate(zip(bad.tolist(), day.tolist(), strict=True))
    ]
    put_transactions(zone, "a.csv", *lines)
    entry = entries(zone)["transactions/a.csv"]
    assert (entry["rows"], entry["rows_quarantined"]) == (n, bad.sum())
    found = index(zone)
    table = read_transactions(zone, found, START, END, memory_limit="300MB").read_all()
    expected = np.flatnonzero(~bad)
    assert np.array_equal(table["row_number"].to_numpy(), expected + 1)
    assert np.array_equal(table["price"].to_numpy(), expected / 64)
    assert np.array_equal(table["article_id"].cast(pa.int64()).to_numpy(), expected)
    refused = read_quarantine(zone, found).read_all()["row_number"].to_numpy()
    assert np.array_equal(refused, np.flatnonzero(bad) + 1)
    one = read_transactions(zone, found, date(2018, 10, 3), date(2018, 10, 4)).read_all()
    assert np.array_equal(one["row_number"].to_numpy(), np.flatnonzero(~bad & (day == 2)) + 1)


def test_reading_goes_on_in_another_thread(zone: LandingZone) -> None:
    put_transactions(zone, "a.csv", *[GOOD] * 1000)
    reader = read_transactions(zone, index(zone), START, END)
    counted: list[int] = []
    thread = threading.Thread(target=lambda: counted.append(reader.read_all().num_rows))
    thread.start()
    thread.join()
    assert counted == [1000]
