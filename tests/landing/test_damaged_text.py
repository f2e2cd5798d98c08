"""Tests of bytes that are no text, and of text that only looks as if it had been damaged."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hm_platform.landing.content import as_it_came, write_plain
from hm_platform.landing.entry import from_table, to_table
from hm_platform.landing.loading import read_customers
from hm_platform.landing.zone import LandedFile, LandingZone
from tests.landing.landed import (
    GOOD,
    HEADER,
    LENIENT,
    good,
    index,
    put,
    put_transactions,
    quarantine,
    transactions,
)

SEPARATOR = "\x01\x02\x03\x04"


def _purchase(customer: bytes) -> bytes:
    return b"2018-09-20," + customer + b",0108775015,0.05,1\n"


@pytest.mark.parametrize("rest", [b"", _purchase(b"K\xf6ln"), GOOD.encode() + b"\r\n"])
def test_a_character_that_stands_for_damage_is_text_like_any_other(
    zone: LandingZone, rest: bytes
) -> None:
    name = "a\ufffdb\ufffd"
    put(zone, "transactions/a.csv", HEADER.encode() + b"\n" + _purchase(name.encode()) + rest)
    assert transactions(zone)[0]["customer_id"] == name
    assert [row["record"] for row in quarantine(zone)] == (
        [_purchase(rb"K\xf6ln").decode().strip()] if b"\xf6" in rest else []
    )


def test_customers_with_a_character_that_stands_for_damage_are_loaded(zone: LandingZone) -> None:
    put(zone, "customers/a.csv", 'customer_id,postal_code\nc1,"a, b"\nc2,"K\ufffdln"\n')
    found = read_customers(zone, index(zone)).read_all()
    assert found["postal_code"].to_pylist() == ["a, b", "K\ufffdln"]


@pytest.mark.parametrize("before", ["", "\ufffd"])
def test_what_keeps_lines_apart_in_an_identifier_costs_its_row(
    zone: LandingZone, before: str
) -> None:
    odd = f"2018-09-20,c{before}{SEPARATOR}1,0108775015,0.05,1"
    put_transactions(zone, "a.csv", odd, GOOD)
    assert [row["customer_id"] for row in transactions(zone)] == ["c1"]
    (refused,) = quarantine(zone)
    assert refused["reason"] == "the control characters 1, 2, 3 and 4 in a row"
    assert refused["record"] == odd.replace(SEPARATOR, r"\x01\x02\x03\x04")


@pytest.mark.parametrize("last", [b"", b"short,1\n", b'"broken\n'], ids=["", "short", "broken"])
def test_quarantine_shows_the_bytes_and_a_record_that_is_csv(
    zone: LandingZone, last: bytes
) -> None:
    lines = [b'"c,9",abc', b'"\xe6\x9d""",x', "東,1".encode(), b'c1,"a\nb"']
    put(zone, "customers/a.csv", b"customer_id,age\n" + b"\n".join(lines) + b"\n" + last)
    shown = [row["record"] for row in quarantine(zone)]
    assert shown[:2] == ['"c,9",abc', r'"\xe6\x9d""",x']
    if not last:
        assert shown[2:] == ['c1,"a\nb"']


def test_an_index_that_knows_less_of_its_files_finds_the_same(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hm_platform.landing.index.SETTLED_S", 0)
    put_transactions(zone, "a.csv", *good(1), "2018-09-20,Zo\ufffd,0108775015,0.05,1")
    put(zone, "transactions/b.csv", HEADER.encode() + b"\n" + _purchase(b"K\xf6ln"))
    found = index(zone)
    earlier = [
        replace(entry, content_traits=tuple({*(entry.content_traits or ())} - {"is_text"}))
        for entry in from_table(found)
    ]
    again = index(zone, to_table(earlier), replace(LENIENT, code="later"))
    same = ["rows_loaded", "rows_quarantined", "weeks"]
    assert again.select(same).equals(found.select(same))


blocks = st.sampled_from([b"\xf6", b"\xe6\x9d", "東".encode(), b"\x01\x02\x03\x04", b"\xff" * 9])


@given(st.lists(blocks | st.binary(max_size=6)).map(b"".join), st.booleans())
def test_from_a_plain_copy_can_be_told_what_was_there(
    tmp_path_factory: pytest.TempPathFactory, text: bytes, gzipped: bool
) -> None:
    text = text.replace(b"\r", b"")
    folder = tmp_path_factory.mktemp("plain")
    path = folder / ("a.csv.gz" if gzipped else "a.csv")
    path.write_bytes(gzip.compress(text) if gzipped else text)
    file = LandedFile("customers", "customers/a.csv", path, len(text))
    assert write_plain(file, folder / "plain")
    plain = Path(folder, "plain").read_bytes()
    assert SEPARATOR not in plain.decode()
    assert as_it_came(plain) == text
