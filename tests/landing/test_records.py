"""Tests of the ways in which a file's records may be written."""

from __future__ import annotations

import gzip
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pytest

from hm_platform.landing.loading import (
    read_articles,
)
from hm_platform.landing.zone import LandingZone
from tests.landing.landed import (
    GOOD,
    HEADER,
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
