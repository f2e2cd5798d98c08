"""Tests of reading the landing zone as typed tables."""

from __future__ import annotations

import gc
import gzip
import threading
from collections.abc import Iterator
from datetime import date, datetime, timedelta
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
from hm_platform.landing.errors import LandingError
from hm_platform.landing.loading import (
    read_articles,
    read_customers,
    read_quarantine,
    read_transactions,
)
from hm_platform.landing.zone import LandingZone
from tests.landing.landed import (
    CALENDAR,
    GOOD,
    HEADER,
    TODAY,
    entries,
    header,
    index,
    put,
    put_parquet,
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


def test_files_that_do_not_reach_into_the_days_are_not_opened(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(20, 29):
        put_transactions(zone, f"{day}.csv", f"2018-09-{day},c,a,1,1")
    found, opened = index(zone), []
    examine = loading.examine
    monkeypatch.setattr(loading, "examine", lambda file: opened.append(file.uri) or examine(file))
    read_transactions(zone, found, date(2018, 9, 22), date(2018, 9, 24)).read_all()
    assert opened == ["transactions/22.csv", "transactions/23.csv"]


def test_held_and_duplicate_files_give_no_rows(zone: LandingZone) -> None:
    put_transactions(zone, "a.csv", GOOD)
    put_transactions(zone, "b.csv", GOOD)
    put(zone, "transactions/c.csv", f"t_dat,price\n{GOOD}\n")
    assert len(transactions(zone)) == 1


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
    record = text.decode(errors="replace")
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


@pytest.mark.parametrize(
    "content",
    [
        f"{HEADER}\r\n{GOOD}\r\n{GOOD}\r\n",
        f"{HEADER}\n{GOOD}\r\n{GOOD}\n",
        f"{HEADER}\r{GOOD}\r{GOOD}",
        f"\ufeff{HEADER}\n{GOOD}\n\n{GOOD}\n\n",
        f"\n\n{HEADER}\n{GOOD}\n{GOOD}",
        f"{HEADER}\n{GOOD}\n{GOOD}\n".replace(",", ";"),
        f"{HEADER}\n{GOOD}\n{GOOD}\n".replace(",", "\t"),
        f"{HEADER}\n{GOOD}\n{GOOD}\n".replace(",", "|"),
        f"{HEADER.upper()}\n{GOOD}\n{GOOD}\n",
        'price,"note",article_id, sales_channel_id ,customer_id,t_dat\n'
        '0.05,"a, ""b""",0108775015,1,"c1",2018-09-20\n'
        '"0.05",,"0108775015","1","c1","2018-09-20"\n',
    ],
    ids=["crlf", "mixed", "cr", "bom", "blank-first", ";", "tab", "|", "upper", "quoted-order"],
)
def test_layouts_that_are_read_rightly(zone: LandingZone, content: str) -> None:
    put(zone, "transactions/a.csv", content)
    expected = {
        "t_dat": date(2018, 9, 20),
        "customer_id": "c1",
        "article_id": "0108775015",
        "price": 0.05,
        "sales_channel_id": 1,
        "uri": "transactions/a.csv",
    }
    assert transactions(zone) == [{**expected, "row_number": 1}, {**expected, "row_number": 2}]


def test_unicode_and_control_characters_stay_in_ids(zone: LandingZone) -> None:
    ids = ["Zoë 東京", "a\x00b", "\x01\x02", 'in"side', "a'b; drop table x"]
    put_transactions(zone, "a.csv", *(f"2018-09-20,{name},x,1,1" for name in ids))
    assert [found["customer_id"] for found in transactions(zone)] == ids


def test_gzip_in_several_members_is_read_whole(zone: LandingZone) -> None:
    parts = (f"{HEADER}\n{GOOD}\n".encode(), f"{GOOD}\n".encode())
    put(zone, "transactions/a.csv.gz", b"".join(gzip.compress(part) for part in parts))
    assert len(transactions(zone)) == 2


@pytest.mark.parametrize(
    "columns",
    [
        {"t_dat": pa.array([datetime(2018, 9, 20, 23)] * 2, pa.timestamp("us"))},
        {"t_dat": pa.array([datetime(2018, 9, 20, 23)] * 2, pa.timestamp("ns"))},
        {"t_dat": pa.array([datetime(2018, 9, 20, 23)] * 2, pa.timestamp("us", "UTC"))},
        {"t_dat": ["2018-09-20"] * 2},
        {"customer_id": pa.array(["663713001"] * 2).dictionary_encode()},
        {"customer_id": pa.array(["663713001"] * 2, pa.large_string())},
        {"customer_id": pa.array([b"663713001"] * 2, pa.binary())},
        {"customer_id": pa.array([663713001] * 2, pa.int32())},
        {"customer_id": pa.array([663713001] * 2, pa.uint64())},
        {"price": pa.array([0.5] * 2, pa.float32())},
        {"price": pa.array([0.5] * 2).cast(pa.decimal128(6, 2))},
        {"price": ["0.5"] * 2},
        {"sales_channel_id": pa.array([2] * 2, pa.int8())},
        {"sales_channel_id": [2.0] * 2},
        {"sales_channel_id": ["2"] * 2},
        {"extra": [1, 2]},
    ],
)
def test_parquet_of_other_types(zone: LandingZone, columns: dict[str, Any]) -> None:
    usual = {
        "T_DAT": [date(2018, 9, 20)] * 2,
        "article_id": ["0663713001"] * 2,
        "customer_id": ["663713001"] * 2,
        "sales_channel_id": [2] * 2,
        "price": [0.5] * 2,
    }
    if "t_dat" in columns:
        del usual["T_DAT"]
    put_parquet(zone, "transactions/a.parquet", {**usual, **columns})
    expected = (date(2018, 9, 20), "663713001", "0663713001", 0.5, 2, "transactions/a.parquet")
    assert [tuple(found.values()) for found in transactions(zone)] == [
        (*expected, 1),
        (*expected, 2),
    ]


def test_refused_parquet_rows_are_kept_as_json(zone: LandingZone) -> None:
    put_parquet(
        zone,
        "transactions/a.parquet",
        {
            "t_dat": [date(2018, 9, 20), None, date(2018, 9, 20), date(2018, 9, 20)],
            "customer_id": ["c", "c", "", "c\nd"],
            "article_id": ["a"] * 4,
            "price": [float("inf"), 1.0, 1.0, 1.0],
            "sales_channel_id": [1] * 4,
        },
    )
    found = quarantine(zone)
    assert [(entry["row_number"], entry["column_name"], entry["reason"]) for entry in found] == [
        (1, "price", "not a number of 0 or more"),
        (2, "t_dat", "missing"),
        (3, "customer_id", "missing"),
        (4, "customer_id", "holds a line break"),
    ]
    assert found[1]["record"] == (
        '{"t_dat":null,"customer_id":"c","article_id":"a","price":1.0,"sales_channel_id":1}'
    )


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


def test_articles_with_quoted_commas_quotes_and_line_breaks(zone: LandingZone) -> None:
    texts = ["plain", 'a, "b"\nand c', "", "end\n"]
    quoted = ['"' + text.replace('"', '""') + '"' for text in texts]
    lines = [row("articles", article_id=f"a{i}", detail_desc=q) for i, q in enumerate(quoted)]
    put(zone, "articles/a.csv", [header("articles"), *lines])
    found = read_articles(zone, index(zone)).read_all()
    assert found["detail_desc"].to_pylist() == ["plain", 'a, "b"\nand c', None, "end\n"]


def test_broken_quoting_in_articles_costs_the_broken_lines_only(zone: LandingZone) -> None:
    lines = [
        row("articles", article_id="a1", detail_desc='"fine, really"'),
        row("articles", article_id="a2", detail_desc='"never closed'),
        row("articles", article_id="a3", detail_desc='"also, fine"'),
    ]
    put(zone, "articles/a.csv", [header("articles"), *lines])
    assert read_articles(zone, index(zone)).read_all()["article_id"].to_pylist() == ["a1", "a3"]
    (refused,) = quarantine(zone)
    assert (refused["row_number"], refused["reason"]) == (2, "broken quoting")
    assert refused["record"] == lines[1]


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
        ("a", None, None, None, None, None, None),
        ("b", 1, 1, "ACTIVE", "Regularly", 49, "p"),
        ("c", 0, None, "ACTIVE", "NONE", 24, "p"),
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
def open_sessions(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[int]]:
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
