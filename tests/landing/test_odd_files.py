"""Tests of files as a whole that are not what they should be: what is read, what is held, and that
a link out of the zone shows nothing of what it leads to."""

from __future__ import annotations

import errno
import gzip
import os
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hm_platform.landing.accounting import files_that_do_not_add_up
from hm_platform.landing.entry import Entry, from_table
from hm_platform.landing.errors import LandingError
from hm_platform.landing.loading import read_customers, read_quarantine
from hm_platform.landing.zone import LandingZone
from tests.landing.landed import (
    GOOD,
    HEADER,
    PURCHASES,
    STRICT,
    good,
    index,
    put,
    put_parquet,
    put_transactions,
    quarantine,
    transactions,
)

GOOD_TWO = {**PURCHASES, "price": [0.1, 0.2]}


def _only(zone: LandingZone) -> Entry:
    found = index(zone, rules=STRICT)
    assert files_that_do_not_add_up(found) == []
    (entry,) = from_table(found)
    return entry


def _customer_ids(zone: LandingZone) -> list[str]:
    return [each["customer_id"] for each in transactions(zone)]


def test_latin_1_costs_the_rows_with_such_letters_or_the_file_where_they_are_many(
    zone: LandingZone,
) -> None:
    lines = [HEADER, *good(*range(30))]
    odd = "2018-09-20,Müller,0108775015,0.05,1"
    put(zone, "transactions/a.csv", "\n".join([*lines, odd]).encode("latin-1"))
    entry = _only(zone)
    assert (entry.state, entry.rows_loaded, entry.rows_quarantined) == ("loaded", 30, 1)
    assert entry.reason == "refused 1 row: 1 x bytes that are not UTF-8"
    put(zone, "transactions/a.csv", "\n".join([*lines, odd, odd]).encode("latin-1"))
    entry = _only(zone)
    assert (entry.state, entry.rows_held, entry.rows_quarantined) == ("held", 30, 2)
    assert "bytes that are not UTF-8" in (entry.reason or "")


def test_latin_1_in_quoted_customers_costs_their_rows(zone: LandingZone) -> None:
    text = 'customer_id,postal_code\nc1,"a, b"\nc2,"Köln, ""so"""\n'
    put(zone, "customers/a.csv", text.encode("latin-1"))
    found = index(zone)
    assert read_customers(zone, found).read_all()["customer_id"].to_pylist() == ["c1"]
    (refused,) = read_quarantine(zone, found).read_all().to_pylist()
    assert refused["record"] == r'c2,"K\xf6ln, ""so"""'


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_characters_are_held_with_a_reason(zone: LandingZone, encoding: str) -> None:
    put(zone, "transactions/a.csv", f"{HEADER}\n{GOOD}\n".encode(encoding))
    entry = _only(zone)
    assert (entry.state, entry.rows) == ("held", None)
    assert entry.reason


@pytest.mark.parametrize("kept", [5, 20, -1, -8])
def test_a_gzip_file_cut_short_is_held(zone: LandingZone, kept: int) -> None:
    content = gzip.compress("\n".join([HEADER, *good(*range(2_000))]).encode())
    put(zone, "transactions/a.csv.gz", content[:kept])
    entry = _only(zone)
    assert (entry.state, entry.rows) == ("held", None)
    assert "send it again" in (entry.reason or "")


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet"])
def test_a_file_of_no_bytes_is_held_and_the_others_load(zone: LandingZone, name: str) -> None:
    put(zone, f"transactions/{name}", b"")
    put_transactions(zone, "b.csv", *good(1))
    empty, _ = from_table(index(zone, rules=STRICT))
    assert (empty.state, empty.rows_loaded) == ("held", 0)
    assert "empty" in (empty.reason or "")
    assert _customer_ids(zone) == ["c1"]


def test_a_plain_file_cut_short_loads_its_whole_lines(zone: LandingZone) -> None:
    put(zone, "transactions/a.csv", "\n".join([HEADER, *good(*range(40)), GOOD[:-4]]))
    entry = _only(zone)
    assert (entry.state, entry.rows_loaded, entry.rows_quarantined) == ("loaded", 40, 1)


@pytest.mark.parametrize("text", [HEADER, f"{HEADER}\n", f"{HEADER}\r\n\r\n", f"\ufeff{HEADER}"])
def test_a_header_alone_has_no_rows_however_it_ends(zone: LandingZone, text: str) -> None:
    put(zone, "transactions/a.csv", text)
    entry = _only(zone)
    assert (entry.state, entry.rows, entry.weeks) == ("loaded", 0, ())
    assert transactions(zone) == quarantine(zone) == []


@pytest.mark.parametrize("before", ["\ufeff\n", "\ufeff\r\n \r\n", "\r\n\t\r\n", "\r\r"])
def test_blank_lines_before_the_header_are_nothing(zone: LandingZone, before: str) -> None:
    put(zone, "transactions/a.csv", f"{before}{HEADER}\n{GOOD}\n")
    assert _customer_ids(zone) == ["c1"]
    assert quarantine(zone) == []


@pytest.mark.parametrize("size", [1_000_000, 1_000_001, 5_000_000])
def test_a_long_blank_line_before_the_header_is_one_line(zone: LandingZone, size: int) -> None:
    lines = [" " * size, HEADER, *good(*range(10))]
    put_transactions(zone, "b.csv", *good(100))
    put(zone, "transactions/a.csv", lines)
    assert _customer_ids(zone) == [f"c{i}" for i in [*range(10), 100]]


@pytest.mark.parametrize("name", ["file_row_number", "FILE_ROW_NUMBER", "row_number", "refusal"])
def test_a_parquet_column_may_have_any_name(zone: LandingZone, name: str) -> None:
    put_parquet(zone, "transactions/a.parquet", {name: [70, 80], **PURCHASES})
    assert [(each["customer_id"], each["row_number"]) for each in transactions(zone)] == [("c1", 1)]
    (refused,) = quarantine(zone)
    assert refused["row_number"] == 2
    assert refused["record"].startswith(f'{{"{name}":80,')


def test_a_moment_that_cannot_be_written_is_refused_like_any_other(zone: LandingZone) -> None:
    # What numpy takes for "not a time", written without saying so.
    nat = np.array(["2018-09-20", "NaT"], "datetime64[us]").view(np.int64)
    put_parquet(
        zone,
        "transactions/a.parquet",
        {**PURCHASES, "t_dat": pa.array(nat).view(pa.timestamp("us"))},
    )
    assert _customer_ids(zone) == ["c1"]
    (refused,) = quarantine(zone)
    assert (refused["row_number"], refused["record"]) == (2, "(not to be written)")


@pytest.mark.parametrize(
    ("digits", "held"), [((38, 2), False), ((38, 20), False), ((39, 2), True), ((76, 38), True)]
)
def test_a_decimal_is_read_as_it_is_or_held(
    zone: LandingZone, digits: tuple[int, int], held: bool
) -> None:
    prices = [Decimal("19.99"), Decimal("5.25")]
    kind = pa.decimal128(*digits) if digits[0] <= 38 else pa.decimal256(*digits)
    put_parquet(zone, "transactions/a.parquet", {**GOOD_TWO, "price": pa.array(prices, kind)})
    entry = _only(zone)
    assert [row["price"] for row in transactions(zone)] == ([] if held else [19.99, 5.25])
    assert (entry.state, entry.rows) == ("held" if held else "loaded", 2)
    if held:
        assert f"column price is a decimal of {digits[0]} digits: write it as" in entry.reason


@pytest.mark.parametrize("day", [date(2003, 1, 1), date(2999, 1, 1)])
def test_a_day_that_the_statistics_of_its_file_deny_is_held(zone: LandingZone, day: date) -> None:
    path = zone.root / "transactions" / "a.parquet"
    path.parent.mkdir(parents=True)
    days = [date(2018, 9, 20), date(2018, 9, 21)]
    table = pa.table({**GOOD_TWO, "t_dat": days})
    pq.write_table(table, path, compression="none", use_dictionary=False)

    def stored(*days: date) -> bytes:
        return b"".join((day - date(1970, 1, 1)).days.to_bytes(4, "little") for day in days)

    # Nowhere but in the data does one follow the other.
    content = path.read_bytes()
    assert content.count(stored(*days)) == 1
    path.write_bytes(content.replace(stored(*days), stored(day, days[1])))
    entry = _only(zone)
    assert (entry.state, entry.weeks, transactions(zone)) == ("held", (), [])
    assert f"it holds the day {day}, which its own statistics deny" in (entry.reason or "")


def test_a_column_that_nobody_needs_may_be_any_decimal(zone: LandingZone) -> None:
    wide = pa.array([Decimal(1), Decimal(2)], pa.decimal256(60, 2))
    put_parquet(zone, "transactions/a.parquet", {**GOOD_TWO, "tax": wide})
    assert (_only(zone).state, _only(zone).rows_loaded) == ("loaded", 2)


def test_bytes_that_are_marked_as_text_and_are_none_are_told(zone: LandingZone) -> None:
    marked = pa.array([b"c1", b"c\xf6"]).view(pa.string())
    put_parquet(zone, "transactions/a.parquet", {**GOOD_TWO, "customer_id": marked})
    entry = _only(zone)
    assert (entry.state, entry.rows_loaded) == ("held", 0)
    assert "a column that says it is text has bytes that are not UTF-8" in entry.reason


def test_a_parquet_file_without_rows_or_row_groups_is_sound(zone: LandingZone) -> None:
    path = put_parquet(zone, "transactions/a.parquet", PURCHASES)
    pq.write_table(pq.read_table(path).slice(0, 0), path)
    assert (_only(zone).state, _only(zone).rows) == ("loaded", 0)


def test_what_has_the_wrong_ending_is_held(zone: LandingZone) -> None:
    path = put_parquet(zone, "transactions/a.parquet", PURCHASES)
    path.rename(path.with_suffix(".csv"))
    assert _only(zone).state == "held"
    put(zone, "transactions/a.csv", f"{HEADER}\n{GOOD}\n").rename(path)
    assert _only(zone).state == "held"
    path.rename(path.with_name("a.csv.gz"))
    assert _only(zone).state == "held"


SECRET = "2018-09-20,s3cret-t0ken,0108775015,-1,1"  # noqa: S105


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet"])
@pytest.mark.parametrize("text", [f"{HEADER}\n{SECRET}\n", f"{SECRET}\n", "s3cret-t0ken"])
def test_a_link_out_of_the_zone_is_held_and_shows_nothing(
    zone: LandingZone, tmp_path: Path, name: str, text: str
) -> None:
    target = tmp_path / "elsewhere.csv"
    target.write_text(text)
    put_transactions(zone, "b.csv", GOOD)
    (zone.root / "transactions" / name).symlink_to(target)
    found = index(zone)
    entry = from_table(found)[0]
    assert (entry.state, entry.rows, entry.columns) == ("held", None, ())
    assert "outside of the landing zone" in (entry.reason or "")
    told = str(found.to_pylist()) + str(quarantine(zone)) + str(transactions(zone))
    assert "s3cret" not in told
    again = index(zone, found)
    assert again["state"].to_pylist() == ["held", "loaded"]
    assert "s3cret" not in str(again.to_pylist())


def test_a_link_out_of_its_folder_is_held_a_hop_away_or_relative(
    zone: LandingZone, tmp_path: Path
) -> None:
    outside = tmp_path / "elsewhere.csv"
    outside.write_text(f"{HEADER}\n{GOOD}\n")
    put(zone, "customers/c.csv", "customer_id\nc\n")
    folder = zone.root / "transactions"
    folder.mkdir()
    (zone.root / "hop.csv").symlink_to(outside)
    (folder / "a.csv").symlink_to("../hop.csv")
    (folder / "b.csv").symlink_to("../customers/c.csv")
    found = {entry.uri: entry.state for entry in from_table(index(zone))}
    assert found == {
        "customers/c.csv": "loaded",
        "transactions/a.csv": "held",
        "transactions/b.csv": "held",
    }


def _forbid(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let nobody enter a folder by a link."""
    allowed = Path.stat

    def refusing(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if follow_symlinks and folder in Path(os.path.realpath(path)).parents:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return allowed(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", refusing)


def test_a_link_out_of_the_zone_that_cannot_be_followed_is_held_and_the_others_load(
    zone: LandingZone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private/a.csv").write_text(f"{HEADER}\n{GOOD}\n")
    put_transactions(zone, "c.csv", GOOD)
    (zone.root / "transactions/a.csv").symlink_to(tmp_path / "private/a.csv")
    (zone.root / "transactions/b.csv").symlink_to(tmp_path / ("x" * 300))
    _forbid(monkeypatch, tmp_path / "private")
    found = index(zone)
    assert found["state"].to_pylist() == ["held", "held", "loaded"]
    assert all("outside" in (entry.reason or "") for entry in from_table(found)[:2])
    assert index(zone, found).equals(found)


def test_a_link_within_its_folder_that_cannot_be_followed_does_not_count_as_gone(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(zone, "transactions/.versions/2.csv", f"{HEADER}\n{GOOD}\n")
    (zone.root / "transactions/current.csv").symlink_to(".versions/2.csv")
    _forbid(monkeypatch, zone.root / "transactions/.versions")
    with pytest.raises(LandingError, match="cannot be looked into"):
        index(zone)


def test_a_link_within_its_folder_is_read(zone: LandingZone) -> None:
    put(zone, "transactions/.versions/2.csv", f"{HEADER}\n{GOOD}\n")
    (zone.root / "transactions/current.csv").symlink_to(".versions/2.csv")
    assert [each["uri"] for each in transactions(zone)] == ["transactions/current.csv"]


def test_a_zone_that_is_a_link_itself_is_no_way_out(zone: LandingZone, tmp_path: Path) -> None:
    put_transactions(zone, "a.csv", GOOD)
    (tmp_path / "link").symlink_to(zone.root)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/transactions").symlink_to(zone.root / "transactions")
    for root in ("link", "other"):
        (entry,) = from_table(index(LandingZone(tmp_path / root)))
        assert entry.state == "loaded"


def test_pipes_links_to_nothing_and_loops_are_no_files(zone: LandingZone) -> None:
    put_transactions(zone, "a.csv", GOOD)
    folder = zone.root / "transactions"
    os.mkfifo(folder / "pipe.csv")
    (folder / "to-pipe.csv").symlink_to("pipe.csv")
    (folder / "device.csv").symlink_to("/dev/zero")
    (folder / "gone.csv").symlink_to("nowhere.csv")
    (folder / "loop.csv").symlink_to("loop.csv")
    (folder / "folder.csv").mkdir()
    assert index(zone)["uri"].to_pylist() == ["transactions/a.csv"]
