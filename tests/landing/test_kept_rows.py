"""Tests of what stays loaded of a good file while a broken one lies in its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from hm_platform.calendar import Calendar
from hm_platform.landing.accounting import files_that_do_not_add_up
from hm_platform.landing.columns import TRANSACTIONS_SCHEMA, rows_fingerprint
from hm_platform.landing.entry import Entry, FileRows, from_table
from hm_platform.landing.loading import read_transactions
from hm_platform.landing.zone import LandingZone
from tests.landing.landed import (
    BAD,
    CALENDAR,
    END,
    HEADER,
    STRICT,
    good,
    index,
    put,
    put_transactions,
)

FIRST, LATER = date(2018, 9, 19), date(2018, 12, 19)
URI = "transactions/a.csv"


class Warehouse:
    """``raw.transactions`` as far as the landing package asks for it."""

    def __init__(self, zone: LandingZone, found: pa.Table) -> None:
        self.rows = read_transactions(zone, found, CALENDAR.first_week, END).read_all()
        self.asked = 0

    def by_week(self, calendar: Calendar = CALENDAR) -> dict[date, list[FileRows]]:
        self.asked += 1
        found: dict[date, list[FileRows]] = {}
        with duckdb.connect() as db:
            db.register("transactions", self.rows)
            for week, uri, rows, fingerprint in db.execute(
                f"SELECT {calendar.sql_week('t_dat')} AS week, uri, count(*), "
                f"{rows_fingerprint('transactions')} FROM transactions GROUP BY week, uri"
            ).fetchall():
                found.setdefault(week, []).append((uri, rows, fingerprint))
        return found

    def of_files(self, uris: Sequence[str]) -> pa.RecordBatchReader:
        found = self.rows.filter(pc.is_in(self.rows["uri"], pa.array(list(uris), pa.string())))
        return pa.RecordBatchReader.from_batches(TRANSACTIONS_SCHEMA, found.to_batches())


def _look(
    zone: LandingZone, before: pa.Table, warehouse: Warehouse, **options: Any
) -> tuple[pa.Table, Entry]:
    found = index(zone, before, STRICT, in_warehouse=warehouse.by_week, **options)
    assert files_that_do_not_add_up(found) == []
    return found, {entry.uri: entry for entry in from_table(found)}[URI]


def _customers(zone: LandingZone, found: pa.Table, warehouse: Warehouse) -> list[str]:
    reader = read_transactions(zone, found, CALENDAR.first_week, END, warehouse.of_files)
    return reader.read_all()["customer_id"].to_pylist()


@pytest.fixture
def loaded(zone: LandingZone) -> tuple[pa.Table, Warehouse]:
    """A file with two rows of one week and one of another, and a second file; both loaded."""
    put_transactions(zone, "a.csv", *good(1, 2), *good(3, day=LATER))
    put_transactions(zone, "b.csv", *good(9))
    found = index(zone, rules=STRICT)
    return found, Warehouse(zone, found)


def _link_away(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


BROKEN: list[Callable[[Path], Any]] = [
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(b"price\n1\n"),
    lambda path: path.write_text(path.read_text() + BAD),
    _link_away,
]


@pytest.mark.parametrize("overwrite", BROKEN, ids=["empty", "no-columns", "too-bad", "link"])
def test_a_good_file_overwritten_by_a_broken_one_keeps_its_rows(
    zone: LandingZone, loaded: tuple[pa.Table, Warehouse], overwrite: Callable[[Path], Any]
) -> None:
    before, warehouse = loaded
    was = from_table(before)[0]
    overwrite(zone.root / URI)
    found, entry = _look(zone, before, warehouse)
    assert (entry.state, entry.rows_loaded, entry.rows_kept) == ("held", 0, 3)
    assert entry.weeks == was.weeks
    assert _customers(zone, found, warehouse) == ["c9", "c1", "c2", "c3"]
    again, entry = _look(zone, found, warehouse)
    assert (entry.rows_kept, entry.weeks) == (3, was.weeks), "and for as long as it lies there"
    assert _customers(zone, again, warehouse) == ["c9", "c1", "c2", "c3"]


def test_only_weeks_that_the_table_holds_are_kept(
    zone: LandingZone, loaded: tuple[pa.Table, Warehouse]
) -> None:
    before, warehouse = loaded
    put_transactions(zone, "a.csv", BAD)
    everything = warehouse.rows
    warehouse.rows = everything.filter(pc.less(everything["t_dat"], pa.scalar(LATER)))
    found, entry = _look(zone, before, warehouse)
    assert [(week.week, week.rows) for week in entry.weeks] == [(FIRST, 2)]
    assert entry.rows_kept == 2
    warehouse.rows = everything
    assert _customers(zone, found, warehouse) == ["c9", "c1", "c2"], "of the weeks kept only"
    warehouse.rows = everything.slice(1)
    _, entry = _look(zone, before, warehouse)
    assert [(week.week, week.rows) for week in entry.weeks] == [(FIRST, 1), (LATER, 1)]
    warehouse.rows = TRANSACTIONS_SCHEMA.empty_table()
    found, entry = _look(zone, before, warehouse)
    assert (entry.weeks, entry.rows_kept) == ((), 0)
    assert _customers(zone, found, warehouse) == ["c9"]


def test_nothing_is_kept_where_nobody_asks_the_table(
    zone: LandingZone, loaded: tuple[pa.Table, Warehouse]
) -> None:
    before, _ = loaded
    put_transactions(zone, "a.csv", BAD)
    entry = from_table(index(zone, before, STRICT))[0]
    assert (entry.weeks, entry.rows_kept) == ((), 0)


def test_the_table_is_asked_only_when_a_loaded_file_is_broken(
    zone: LandingZone, loaded: tuple[pa.Table, Warehouse]
) -> None:
    before, warehouse = loaded
    put_transactions(zone, "new.csv", BAD)
    put_transactions(zone, "b.csv", *good(10))
    found, _ = _look(zone, before, warehouse)
    assert warehouse.asked == 0
    put_transactions(zone, "b.csv", BAD, BAD)
    _look(zone, found, warehouse)
    assert warehouse.asked == 1


def test_a_corrected_file_replaces_what_was_kept(
    zone: LandingZone, loaded: tuple[pa.Table, Warehouse]
) -> None:
    before, warehouse = loaded
    put_transactions(zone, "a.csv", BAD)
    held, _ = _look(zone, before, warehouse)
    put_transactions(zone, "a.csv", *good(4))
    found, entry = _look(zone, held, warehouse)
    assert (entry.state, entry.rows_loaded, entry.rows_kept) == ("loaded", 1, 0)
    assert [(week.week, week.rows) for week in entry.weeks] == [(FIRST, 1)]
    assert entry.lost_columns == ()
    assert _customers(zone, found, warehouse) == ["c4", "c9"]


def test_the_same_good_file_put_back_is_as_it_was(
    zone: LandingZone, loaded: tuple[pa.Table, Warehouse]
) -> None:
    before, warehouse = loaded
    content = (zone.root / URI).read_bytes()
    put_transactions(zone, "a.csv", BAD)
    held, _ = _look(zone, before, warehouse)
    put(zone, URI, content)
    found, _ = _look(zone, held, warehouse)
    assert found.drop(["stamp"]).equals(before.drop(["stamp"]))


def test_a_removed_file_keeps_nothing(
    zone: LandingZone, loaded: tuple[pa.Table, Warehouse]
) -> None:
    before, warehouse = loaded
    put_transactions(zone, "a.csv", BAD)
    held, _ = _look(zone, before, warehouse)
    (zone.root / URI).unlink()
    found = index(zone, held, STRICT, in_warehouse=warehouse.by_week)
    assert found["uri"].to_pylist() == ["transactions/b.csv"]
    assert _customers(zone, found, warehouse) == ["c9"]


def test_a_file_that_is_being_written_over_keeps_its_rows(
    zone: LandingZone, loaded: tuple[pa.Table, Warehouse]
) -> None:
    before, warehouse = loaded
    put_transactions(zone, "a.csv", *good(7))
    found, entry = _look(zone, before, warehouse, quiet_s=600)
    assert (entry.state, entry.rows_kept) == ("pending", 3)
    assert _customers(zone, found, warehouse) == ["c1", "c2", "c3", "c9"], "b.csv is young too"
    _, entry = _look(zone, found, warehouse)
    assert (entry.state, entry.rows_loaded, entry.rows_kept) == ("loaded", 1, 0)


def test_rows_that_have_come_under_another_name_are_not_kept_beside_them(
    zone: LandingZone, loaded: tuple[pa.Table, Warehouse]
) -> None:
    before, warehouse = loaded
    # Moved away, and something broken put in its place.
    (zone.root / URI).rename(zone.root / "transactions/old.csv")
    put_transactions(zone, "a.csv", BAD)
    found, entry = _look(zone, before, warehouse)
    assert (entry.state, entry.rows_kept) == ("held", 0)
    assert _customers(zone, found, warehouse) == ["c9", "c1", "c2", "c3"]
    # Only one of its weeks has come back.
    (zone.root / "transactions/old.csv").unlink()
    put_transactions(zone, "half.csv", *good(1, 2))
    found, entry = _look(zone, before, warehouse)
    assert [week.week for week in entry.weeks] == [LATER]
    assert sorted(_customers(zone, found, warehouse)) == ["c1", "c2", "c3", "c9"]


def test_kept_rows_come_with_the_days_that_are_asked_for(
    zone: LandingZone, loaded: tuple[pa.Table, Warehouse]
) -> None:
    before, warehouse = loaded
    put_transactions(zone, "a.csv", BAD)
    put_transactions(zone, "b.csv", BAD, BAD)
    found, _ = _look(zone, before, warehouse)
    asked: list[list[str]] = []

    def kept(uris: Sequence[str]) -> pa.RecordBatchReader:
        asked.append(list(uris))
        return warehouse.of_files(uris)

    read_transactions(zone, found, LATER, END, kept).read_all()
    read_transactions(zone, found, date(2018, 10, 3), date(2018, 10, 10), kept).read_all()
    assert asked == [[URI]], "only of files that keep rows of those weeks"


@pytest.mark.parametrize("corrected", [good(4, 5), good(1, 2, 4), good(4, 5, day=LATER)])
def test_rows_that_are_loaded_are_kept_where_their_correction_never_was(
    zone: LandingZone, loaded: tuple[pa.Table, Warehouse], corrected: Sequence[str]
) -> None:
    before, warehouse = loaded
    # Indexed, and broken again before any run has loaded it.
    put_transactions(zone, "a.csv", *corrected, *good(3, day=LATER))
    never_loaded = index(zone, before, rules=STRICT)
    put_transactions(zone, "a.csv", *[BAD] * 3)
    _, entry = _look(zone, never_loaded, warehouse)
    assert (entry.state, entry.rows_kept) == ("held", 3)
    assert entry.weeks == from_table(before)[0].weeks


def test_kept_rows_have_to_come_from_somewhere(
    zone: LandingZone, loaded: tuple[pa.Table, Warehouse]
) -> None:
    before, warehouse = loaded
    put_transactions(zone, "a.csv", *[BAD] * 3)
    found, _ = _look(zone, before, warehouse)
    with pytest.raises(ValueError, match="keeps rows"):
        read_transactions(zone, found, CALENDAR.first_week, END)


@pytest.mark.parametrize("since", ["loaded", "held", "pending"])
def test_weeks_that_begin_on_another_day_and_other_code_keep_the_same_rows(
    zone: LandingZone, loaded: tuple[pa.Table, Warehouse], since: str
) -> None:
    before, warehouse = loaded
    put_transactions(zone, "a.csv", *[BAD] * 3)
    if since != "loaded":
        before, entry = _look(zone, before, warehouse, quiet_s=600 * (since == "pending"))
        assert (entry.state, entry.rows_kept) == (since, 3)
    calendar = Calendar(date(2018, 9, 17))
    rules = replace(STRICT, calendar=calendar, code="later")
    by_week = partial(warehouse.by_week, calendar)
    for _ in range(2):
        before = index(zone, before, rules, in_warehouse=by_week)
        assert files_that_do_not_add_up(before) == []
        entry = from_table(before)[0]
        assert (entry.state, entry.rows_kept) == ("held", 3)
        weeks = [(week.week, week.rows) for week in entry.weeks]
        assert weeks == [(date(2018, 9, 17), 2), (date(2018, 12, 17), 1)]
    read = read_transactions(zone, before, calendar.first_week, END, warehouse.of_files)
    assert read.read_all()["customer_id"].to_pylist() == ["c9", "c1", "c2", "c3"]


@pytest.mark.parametrize("broken", [f"{HEADER}\n{BAD}\n", "price\n1\n", "nothing of the kind"])
def test_the_same_broken_content_over_two_files_unloads_neither(
    zone: LandingZone, broken: str
) -> None:
    for number, name in enumerate(("a.csv", "b.csv")):
        put_transactions(zone, name, *good(number))
    before = index(zone, rules=STRICT)
    warehouse = Warehouse(zone, before)
    for name in ("a.csv", "b.csv"):
        put(zone, f"transactions/{name}", broken)
    found, _ = _look(zone, before, warehouse)
    found, _ = _look(zone, found, warehouse)
    assert _customers(zone, found, warehouse) == ["c0", "c1"]
