"""Tests of the ways in which a file's records may be written."""

from __future__ import annotations

import gzip
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hm_platform.landing.entry import from_table
from hm_platform.landing.loading import read_articles, read_customers, read_transactions
from hm_platform.landing.zone import LandingZone
from tests.landing.landed import (
    BAD,
    GOOD,
    HEADER,
    LENIENT,
    PURCHASES,
    header,
    index,
    put,
    put_parquet,
    put_transactions,
    quarantine,
    row,
    transactions,
)

LATE = datetime.fromisoformat("2018-09-20T23:00:00")


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
        (
            'price,"note",article_id, sales_channel_id ,customer_id,t_dat\n'
            '0.05,"a, ""b""",0108775015,1,"c1",2018-09-20\n'
            '"0.05",,"0108775015","1","c1","2018-09-20"\n'
        ),
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
        {"t_dat": pa.array([LATE] * 2, pa.timestamp("us"))},
        {"t_dat": pa.array([LATE] * 2, pa.timestamp("ns"))},
        {"t_dat": pa.array([LATE] * 2, pa.timestamp("us", "UTC"))},
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


def test_a_record_with_too_few_fields_costs_itself_where_others_span_lines(
    zone: LandingZone,
) -> None:
    texts = ['"one\n\nand ""two"""', '"a, b"', "plain"]
    lines = [row("articles", article_id=f"a{i}", detail_desc=q) for i, q in enumerate(texts)]
    lines.insert(1, 'short,"x\ny"')
    lines.insert(3, row("articles", article_id="long") + ",and more")
    put(zone, "articles/a.csv", [header("articles"), *lines])
    found = index(zone, rules=LENIENT)
    (entry,) = from_table(found)
    assert (entry.rows, entry.rows_loaded, entry.rows_quarantined) == (5, 3, 2)
    read = read_articles(zone, found).read_all()
    assert read["article_id"].to_pylist() == ["a0", "a1", "a2"]
    assert read["detail_desc"].to_pylist() == ['one\n\nand "two"', "a, b", "plain"]
    assert [(each["row_number"], each["reason"], each["record"]) for each in quarantine(zone)] == [
        (2, "too few fields (25 expected)", 'short,"x\ny"'),
        (4, "too many fields (25 expected)", lines[3]),
    ]


@pytest.mark.parametrize("inches", [(50,), (3, 89)])
def test_a_quote_within_a_field_joins_no_lines(zone: LandingZone, inches: tuple[int, ...]) -> None:
    lines = [row("customers", customer_id=f"c{i:03d}", postal_code="p") for i in range(99)]
    for i in inches:
        lines[i] = row("customers", customer_id=f"c{i:03d}", postal_code='5" tall')
    put(zone, "customers/a.csv", [header("customers"), *lines, "short,1"])
    found = index(zone)
    (entry,) = from_table(found)
    assert (entry.rows, entry.rows_loaded, entry.rows_quarantined) == (100, 99, 1)
    read = read_customers(zone, found).read_all()
    assert read["postal_code"][inches[0]].as_py() == '5" tall'


def test_an_identifier_over_two_lines_is_refused_beside_a_short_record_too(
    zone: LandingZone,
) -> None:
    lines = [row("customers", customer_id=name) for name in ('"c\n1"', "c2")]
    put(zone, "customers/a.csv", [header("customers"), *lines, "short,1"])
    found = index(zone)
    assert read_customers(zone, found).read_all()["customer_id"].to_pylist() == ["c2"]
    assert [(each["row_number"], each["reason"]) for each in quarantine(zone)] == [
        (1, "holds a line break"),
        (3, "too few fields (7 expected)"),
    ]


@pytest.mark.parametrize("zeros", [1, 4, 512])
def test_zeros_behind_a_gzip_file_are_nothing(zone: LandingZone, zeros: int) -> None:
    packed = gzip.compress(f"{HEADER}\n{GOOD}\n".encode())
    put(zone, "transactions/a.csv.gz", packed + bytes(zeros))
    assert len(transactions(zone)) == 1


def test_zeros_behind_a_gzip_file_whose_content_is_known_are_nothing(zone: LandingZone) -> None:
    text = f"{HEADER}\n{GOOD}\n".encode()
    plain = put(zone, "transactions/a.csv", text)
    before = index(zone)
    plain.unlink()
    put(zone, "transactions/a.csv.gz", gzip.compress(text) + bytes(512))
    found = index(zone, before)
    read = read_transactions(zone, found, date(2018, 9, 19), date(2021, 1, 1)).read_all()
    assert read["uri"].to_pylist() == ["transactions/a.csv.gz"]


def test_bytes_in_a_parquet_column_that_nobody_reads_harm_no_row(zone: LandingZone) -> None:
    pictures = pa.array([b"\x89PNG\xff"] * 2, pa.binary())
    put_parquet(zone, "transactions/a.parquet", {**PURCHASES, "picture": pictures})
    assert [each["customer_id"] for each in transactions(zone)] == ["c1"]
    (refused,) = quarantine(zone)
    assert (refused["row_number"], refused["column_name"]) == (2, "price")
    assert "x89PNG" in refused["record"]


def test_bytes_that_are_no_text_cost_their_row_of_a_parquet_file(zone: LandingZone) -> None:
    ids = pa.array(["Zoë".encode(), b"M\xfcller"], pa.binary())
    put_parquet(
        zone, "transactions/a.parquet", {**PURCHASES, "customer_id": ids, "price": [1.0] * 2}
    )
    assert [each["customer_id"] for each in transactions(zone)] == ["Zoë"]
    (refused,) = quarantine(zone)
    assert (refused["column_name"], refused["reason"]) == (
        "customer_id",
        "bytes that are not UTF-8",
    )
    assert '"customer_id":"M' in refused["record"]


def test_where_a_refused_row_cannot_be_shown_its_file_is_held_and_no_other(
    zone: LandingZone,
) -> None:
    # Marked as text and none, in a column that nothing but a refused row is read from.
    note = pa.StringArray.from_buffers(
        2, pa.array([0, 1, 2], pa.int32()).buffers()[1], pa.py_buffer(b"a\xff")
    )
    put_parquet(zone, "transactions/a.parquet", {**PURCHASES, "note": note})
    put_transactions(zone, "b.csv", GOOD, BAD)
    assert [each["uri"] for each in transactions(zone)] == ["transactions/b.csv"]
    assert [each["uri"] for each in quarantine(zone)] == ["transactions/b.csv"]
    entry = from_table(index(zone))[0]
    assert (entry.state, "text that is not UTF-8" in (entry.reason or "")) == ("held", True)


@pytest.mark.parametrize("second", ["price", "PRICE"])
def test_a_parquet_column_that_is_there_twice_holds_the_file(
    zone: LandingZone, second: str
) -> None:
    # A column of several values before them, which has names of its own.
    nested = {"tags": [[{"price": 1}]] * 2}
    table = pa.table({**nested, **PURCHASES})
    table = table.append_column(pa.field(second, pa.float64()), pa.array([1.0, 2.0]))
    path = put(zone, "transactions/a.parquet", b"")
    pq.write_table(table, path)
    (entry,) = from_table(index(zone))
    assert (entry.state, entry.reason) == ("held", "column price is there twice: keep one")
    pq.write_table(pa.table({**nested, **PURCHASES}), path)
    assert from_table(index(zone))[0].state == "loaded"


def test_what_is_no_number_costs_its_row_of_customers(zone: LandingZone) -> None:
    ages = [30.0] * 99 + [float("nan")]
    put_parquet(
        zone,
        "customers/a.parquet",
        {"customer_id": [f"c{i:03d}" for i in range(100)], "age": ages},
    )
    read = read_customers(zone, index(zone)).read_all()
    assert read["customer_id"].to_pylist() == [f"c{i:03d}" for i in range(99)]
    (refused,) = quarantine(zone)
    assert (refused["column_name"], refused["reason"]) == ("age", "not a whole number")
