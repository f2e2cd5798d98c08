"""Tests of when a file is loaded without another look at its hash, and that none is loaded that is
not what was indexed, or that changes while it is read."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hm_platform.landing import index as index_module
from hm_platform.landing import loading
from hm_platform.landing.content import Content, examine
from hm_platform.landing.errors import LandingError
from hm_platform.landing.loading import (
    read_articles,
    read_customers,
    read_quarantine,
    read_transactions,
)
from hm_platform.landing.zone import LandedFile, LandingZone
from tests.landing.landed import (
    BAD,
    CALENDAR,
    END,
    GOOD,
    HEADER,
    LENIENT,
    examinations,
    good,
    header,
    index,
    put,
    put_customers,
    put_parquet,
    put_transactions,
    row,
    validations,
)


def _transactions(zone: LandingZone, found: pa.Table) -> pa.RecordBatchReader:
    return read_transactions(zone, found, CALENDAR.first_week, END)


READERS: dict[str, Callable[[LandingZone, pa.Table], pa.RecordBatchReader]] = {
    "articles": read_articles,
    "customers": read_customers,
    "transactions": _transactions,
    "quarantine": read_quarantine,
}


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The uris of files whose bytes are looked at for loading."""
    called: list[str] = []

    def noting(file: LandedFile) -> Content:
        called.append(file.uri)
        return examine(file)

    monkeypatch.setattr(loading, "examine", noting)
    return called


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file counts as settled the moment it is there."""
    monkeypatch.setattr(index_module, "SETTLED_S", 0.0)


def _landed(zone: LandingZone) -> dict[str, Path]:
    """A file for each reader, each with rows in it."""
    customers = put_customers(zone, "c1")
    article = row("articles", article_id="0108775015")
    articles = put(zone, "articles/a.csv", [header("articles"), article])
    transactions = put_transactions(zone, "a.csv", GOOD, BAD)
    return {
        "articles": articles,
        "customers": customers,
        "transactions": transactions,
        "quarantine": transactions,
    }


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("table", READERS)
def test_a_file_that_nobody_has_touched_is_not_hashed_again(
    zone: LandingZone, examined: list[str], table: str
) -> None:
    _landed(zone)
    assert READERS[table](zone, index(zone)).read_all().num_rows == 1
    assert examined == []


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("table", READERS)
def test_a_touched_file_is_hashed_and_loaded_if_it_is_the_same(
    zone: LandingZone, examined: list[str], table: str
) -> None:
    path = _landed(zone)[table]
    found = index(zone)
    time.sleep(0.02)
    os.utime(path, (0, 0))
    assert READERS[table](zone, found).read_all().num_rows == 1
    assert examined == [path.relative_to(zone.root).as_posix()]


def test_a_file_that_was_indexed_the_moment_it_came_is_hashed(
    zone: LandingZone, examined: list[str]
) -> None:
    # Within a step of the file system's clock it could have changed and kept its stamp.
    _landed(zone)
    assert _transactions(zone, index(zone)).read_all().num_rows == 1
    assert examined == ["transactions/a.csv"]


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("table", READERS)
def test_other_content_of_the_same_size_and_time_is_not_loaded(
    zone: LandingZone, table: str
) -> None:
    path = _landed(zone)[table]
    found, status = index(zone), path.stat()
    time.sleep(0.02)
    content = path.read_bytes()
    with path.open("r+b") as stream:  # the very same inode
        stream.write(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(LandingError, match=r"has changed since it was indexed: index again"):
        READERS[table](zone, found).read_all()


def _append(path: Path) -> None:
    with path.open("ab") as stream:
        stream.write(b"\n")


@pytest.mark.parametrize("settle", [0.0, 1.0], ids=["trusted", "hashed"])
@pytest.mark.parametrize("table", READERS)
@pytest.mark.parametrize(
    ("touch", "told"),
    [
        (_append, "has changed since it was indexed"),
        (lambda path: path.write_bytes(path.read_bytes()), "has changed since it was indexed"),
        (lambda path: path.unlink(), "cannot be read"),
    ],
    ids=["appended", "written", "removed"],
)
def test_a_file_that_changes_while_it_is_read_is_not_loaded(
    zone: LandingZone,
    monkeypatch: pytest.MonkeyPatch,
    settle: float,
    table: str,
    touch: Callable[[Path], Any],
    told: str,
) -> None:
    monkeypatch.setattr(index_module, "SETTLED_S", settle)
    path = _landed(zone)[table]
    found = index(zone)
    unchanged = loading._unchanged

    def changing(file: Any) -> Content:
        content = unchanged(file)
        time.sleep(0.02)
        touch(path)
        return content

    monkeypatch.setattr(loading, "_unchanged", changing)
    with pytest.raises(LandingError, match=told):
        READERS[table](zone, found).read_all()


@pytest.mark.usefixtures("settled")
def test_rows_that_came_before_the_change_do_not_count_as_all(zone: LandingZone) -> None:
    path = put_transactions(zone, "a.csv", *good(*range(300_000)))
    reader = _transactions(zone, index(zone))
    reader.read_next_batch()
    time.sleep(0.02)
    _append(path)
    with pytest.raises(LandingError, match="has changed since it was indexed"):
        reader.read_all()


@pytest.mark.usefixtures("settled")
def test_other_rules_check_a_file_that_nobody_has_touched_without_hashing_it(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_transactions(zone, "a.csv", "2018-09-20,Zoë,0108775015,1_000,1", '2018-09-20,"c","a",1,1')
    put(zone, "transactions/b.csv.gz", gzip.compress(f"{HEADER}\r\n{GOOD}\r{GOOD}\n".encode()))
    put_parquet(zone, "transactions/c.parquet", {name: ["1"] for name in HEADER.split(",")})
    put(zone, "customers/a.csv", [header("customers"), row("customers", customer_id='"a\nb"')])
    before = index(zone)
    looked, checked = examinations(monkeypatch), validations(monkeypatch)
    again = index(zone, before, replace(LENIENT, code="other"))
    assert (looked, len(checked)) == ([], 4)
    assert again.drop(["checked_by"]).equals(before.drop(["checked_by"]))


def _texts() -> Iterator[bytes]:
    yield from (b"", b" \n", b"a,b\n1,2\n", "a\në\n".encode(), b"a\n\xff\n", b'a\n"b"\n')
    yield from (b"a\nb_c\n", b"a\r\nb\r\n", b"a\rb\n", b"a\x01\x02\x03\x04\n")


@pytest.mark.parametrize("text", _texts())
def test_what_a_look_told_is_kept_whole(zone: LandingZone, text: bytes) -> None:
    put(zone, "transactions/a.csv", text)
    (file,) = zone.files("transactions")
    content = examine(file)
    assert Content.of(content.hash, content.traits) == content
