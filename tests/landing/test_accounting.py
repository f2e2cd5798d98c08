"""Tests of the sums that prove that no row is lost: sound ones are silent, every fault is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pyarrow as pa
import pytest

from hm_platform.landing.accounting import (
    MOST_TOLD,
    differences,
    files_that_do_not_add_up,
    landed_rows,
    quarantine_faults,
)
from hm_platform.landing.columns import QUARANTINE_SCHEMA
from hm_platform.landing.entry import Entry, WeekRows, from_table, to_table
from hm_platform.landing.loading import read_quarantine
from hm_platform.landing.zone import LandingZone
from tests.landing.landed import BAD, GOOD, STRICT, good, header, index, put, put_transactions, row

FIRST, SECOND = date(2018, 9, 19), date(2018, 9, 26)
SOUND = Entry(
    "transactions/a.csv",
    "transactions",
    1,
    "hash",
    rows=10,
    rows_loaded=7,
    rows_quarantined=3,
    weeks=(WeekRows(FIRST, 3, "f1"), WeekRows(SECOND, 4, "f2")),
)
HELD = replace(SOUND, rows_loaded=0, rows_held=7, state="held", weeks=())
UNREADABLE = Entry("transactions/b.csv", "transactions", 1, state="held", reason="broken")
KEPT = replace(UNREADABLE, rows_kept=3, weeks=SOUND.weeks[:1])
DUPLICATE = replace(SOUND, rows_loaded=0, rows_quarantined=0, state="duplicate", weeks=())


@pytest.mark.parametrize(
    "entry",
    [
        SOUND,
        HELD,
        UNREADABLE,
        KEPT,
        replace(KEPT, state="pending"),
        DUPLICATE,
        replace(SOUND, dataset="customers", weeks=()),
    ],
)
def test_a_file_whose_rows_add_up_is_no_fault(entry: Entry) -> None:
    assert files_that_do_not_add_up(to_table([entry])) == []


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (replace(SOUND, rows=11), "11 rows, but 10 are accounted for"),
        (replace(SOUND, rows_quarantined=2), "10 rows, but 9 are accounted for"),
        (replace(SOUND, rows=None), "None rows, but 10 are accounted for"),
        (replace(HELD, rows_held=6), "10 rows, but 9 are accounted for"),
        (replace(UNREADABLE, rows_loaded=1), "None rows, but 1 are accounted for"),
        (replace(SOUND, weeks=SOUND.weeks[:1]), "7 rows are loaded, but 3 lie in weeks"),
        (replace(SOUND, weeks=()), "7 rows are loaded, but 0 lie in weeks"),
        (replace(KEPT, weeks=()), "3 rows are loaded, but 0 lie in weeks"),
        (replace(KEPT, rows_kept=0), "0 rows are loaded, but 3 lie in weeks"),
    ],
)
def test_a_file_whose_rows_do_not_add_up_is_named(entry: Entry, said: str) -> None:
    faults = files_that_do_not_add_up(to_table([replace(SOUND, uri="transactions/ok.csv"), entry]))
    assert faults[0] == f"{entry.uri}: {said}"
    assert not any("ok.csv" in fault for fault in faults)


def test_no_more_faults_are_told_than_somebody_reads() -> None:
    entries = [replace(SOUND, uri=f"transactions/{i}.csv", rows=99) for i in range(100)]
    assert len(files_that_do_not_add_up(to_table(entries))) == MOST_TOLD


def test_landed_rows_are_those_of_the_weeks_asked_for_kept_ones_among_them() -> None:
    table = to_table([SOUND, KEPT, HELD, DUPLICATE])
    a, b = "transactions/a.csv", "transactions/b.csv"
    assert landed_rows(table, FIRST, SECOND) == {FIRST: [(a, 3, "f1"), (b, 3, "f1")]}
    assert landed_rows(table, SECOND, date(2018, 10, 3)) == {SECOND: [(a, 4, "f2")]}
    assert landed_rows(table, date(2018, 10, 3), date(2019, 1, 1)) == {}


@pytest.mark.parametrize(
    ("landed", "loaded", "said"),
    [
        ([("a", 3, "f")], [("a", 3, "f")], None),
        ([("a", 3, "f"), ("b", 1, "g")], [("b", 1, "g"), ("a", 3, "f")], None),
        ([], [], None),
        ([("a", 3, "f")], [("a", 2, "g")], "a: 3 landed, 2 loaded, rows"),
        ([("a", 3, "f")], [("a", 3, "g")], "a: 3 landed, 3 loaded, with other values"),
        ([("a", 3, "f")], [], "a: 3 landed, 0 loaded, rows"),
        ([], [("a", 3, "f")], "a: 0 landed, 3 loaded, rows"),
        ([("a", 3, "f")], [("a", 3, "f"), ("b", 1, "g")], "b: 0 landed, 1 loaded, rows"),
        ([("a", 3, "f")], [("b", 3, "f")], "a: 3 landed, 0 loaded, rows"),
    ],
)
def test_a_week_that_is_not_loaded_as_it_landed_is_told(
    landed: list[tuple[str, int, str]], loaded: list[tuple[str, int, str]], said: str | None
) -> None:
    faults = differences({FIRST: landed}, {FIRST: loaded})
    assert faults[:1] == ([f"week 2018-09-19, {said}"] if said else [])


def test_a_week_that_is_on_one_side_only_is_told() -> None:
    rows = [("a", 3, "f")]
    assert differences({FIRST: rows}, {SECOND: rows}) == [
        "week 2018-09-19, a: 3 landed, 0 loaded, rows",
        "week 2018-09-26, a: 0 landed, 3 loaded, rows",
    ]


def _quarantine(*uris: str) -> pa.RecordBatchReader:
    rows = [{"uri": uri, "row_number": i, "reason": "r"} for i, uri in enumerate(uris)]
    table = pa.Table.from_pylist(rows, QUARANTINE_SCHEMA)
    return pa.RecordBatchReader.from_batches(QUARANTINE_SCHEMA, table.to_batches(max_chunksize=2))


@pytest.mark.parametrize(
    ("listed", "faults"),
    [
        (["transactions/a.csv"] * 3, []),
        (["transactions/a.csv"] * 2, ["transactions/a.csv: 3 rows were refused, 2 are listed"]),
        ([], ["transactions/a.csv: 3 rows were refused, 0 are listed"]),
        (
            ["transactions/a.csv"] * 3 + ["transactions/x.csv"],
            ["transactions/x.csv: 0 rows were refused, 1 are listed"],
        ),
    ],
)
def test_every_refused_row_has_to_be_listed(listed: list[str], faults: list[str]) -> None:
    assert quarantine_faults(to_table([SOUND, DUPLICATE]), _quarantine(*listed)) == faults


def test_a_zone_with_everything_in_it_adds_up(zone: LandingZone) -> None:
    put_transactions(zone, "good.csv", *good(1, 2), *good(3, day=date(2018, 12, 24)))
    put_transactions(zone, "twice.csv", *good(1, 2), *good(3, day=date(2018, 12, 24)))
    put_transactions(zone, "mixed.csv", *good(*range(50)), BAD)
    put_transactions(zone, "held.csv", GOOD, BAD, BAD)
    put_transactions(zone, "header.csv")
    put(zone, "transactions/broken.parquet", "PAR1")
    put(zone, "customers/a.csv", [header("customers"), row("customers", customer_id="c")])
    put(zone, "articles/a.csv", [header("articles"), *[row("articles", article_id="a")] * 9, "x"])
    found = index(zone, rules=STRICT)
    assert {entry.uri: entry.state for entry in from_table(found) if entry.state != "loaded"} == {
        "articles/a.csv": "held",
        "transactions/broken.parquet": "held",
        "transactions/held.csv": "held",
        "transactions/twice.csv": "duplicate",
    }
    assert files_that_do_not_add_up(found) == []
    assert quarantine_faults(found, read_quarantine(zone, found)) == []
    assert sum(entry.rows_quarantined for entry in from_table(found)) == 4
