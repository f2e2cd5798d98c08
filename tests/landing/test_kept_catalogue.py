"""Tests of what stays of a catalogue while a broken file lies in a good one's place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from hm_platform.landing.entry import from_table
from hm_platform.landing.loading import Kept, read_articles, read_customers
from hm_platform.landing.zone import LandingZone
from tests.landing.landed import STRICT, header, index, put, row

Read = Callable[..., pa.RecordBatchReader]
BOTH = pytest.mark.parametrize(
    ("name", "read"), [("customers", read_customers), ("articles", read_articles)]
)


def _catalogue(name: str, *ids: str) -> list[str]:
    key = f"{name[:-1]}_id"
    return [header(name), *(row(name, **{key: each}) for each in ids)]


def _in(table: pa.Table) -> Kept:
    """The table as what keeps the rows of files."""

    def of_files(uris: Sequence[str]) -> pa.RecordBatchReader:
        found = table.filter(pc.is_in(table["uri"], pa.array(uris, pa.string())))
        return found.to_reader()

    return of_files


def _rows(read: Read, zone: LandingZone, found: pa.Table, kept: Kept | None = None) -> list[str]:
    """Each row's id with the name of its file."""
    table = read(zone, found, kept).read_all()
    ids, uris = table.column(0).to_pylist(), table["uri"].to_pylist()
    return [f"{key} of {uri.split('/')[1]}" for key, uri in zip(ids, uris, strict=True)]


@BOTH
def test_a_catalogue_keeps_its_rows_until_the_file_is_in_order(
    zone: LandingZone, name: str, read: Read
) -> None:
    put(zone, f"{name}/a.csv", _catalogue(name, "1", "2"))
    put(zone, f"{name}/b.csv", _catalogue(name, "3"))
    before = index(zone, rules=STRICT)
    table = read(zone, before).read_all()
    path = put(zone, f"{name}/a.csv", "nothing of the kind")
    put(zone, f"{name}/b.csv", _catalogue(name, "3", "4"))
    held = index(zone, before, STRICT)
    held = index(zone, held, STRICT)
    assert from_table(held)[0].rows_kept == 2
    kept = ["1 of a.csv", "2 of a.csv", "3 of b.csv", "4 of b.csv"]
    assert _rows(read, zone, held, _in(table)) == kept
    put(zone, f"{name}/a.csv", _catalogue(name, "1"))
    again = index(zone, held, STRICT)
    assert _rows(read, zone, again) == ["1 of a.csv", "3 of b.csv", "4 of b.csv"]
    path.unlink()
    gone = index(zone, held, STRICT)
    assert _rows(read, zone, gone) == ["3 of b.csv", "4 of b.csv"]


@BOTH
def test_a_removed_file_takes_its_rows_along_while_another_is_held(
    zone: LandingZone, name: str, read: Read
) -> None:
    put(zone, f"{name}/a.csv", _catalogue(name, "1", "2"))
    path = put(zone, f"{name}/b.csv", _catalogue(name, "2", "3"))
    before = index(zone, rules=STRICT)
    table = read(zone, before).read_all()
    put(zone, f"{name}/a.csv", "nothing of the kind")
    path.unlink()
    held = index(zone, before, STRICT)
    # The table has b's row of 2 and not a's, which is back when a is in order.
    assert _rows(read, zone, held, _in(table)) == ["1 of a.csv"]
    put(zone, f"{name}/a.csv", _catalogue(name, "1", "2"))
    assert _rows(read, zone, index(zone, held, STRICT)) == ["1 of a.csv", "2 of a.csv"]


def test_what_a_file_says_counts_before_what_is_kept(zone: LandingZone) -> None:
    put(zone, "customers/c.csv", _catalogue("customers", "1", "2"))
    before = index(zone, rules=STRICT)
    table = read_customers(zone, before).read_all()
    put(zone, "customers/c.csv", "")
    # A correction, under a name that is before the broken file's.
    path = put(zone, "customers/c-mended.csv", _catalogue("customers", "1"))
    found = index(zone, before, STRICT)
    mended = read_customers(zone, found, _in(table)).read_all()
    assert _rows(read_customers, zone, found, _in(table)) == ["1 of c-mended.csv", "2 of c.csv"]
    path.unlink()
    assert _rows(read_customers, zone, index(zone, found, STRICT), _in(mended)) == ["2 of c.csv"]


@BOTH
def test_files_overwritten_with_the_same_broken_content_all_keep_their_rows(
    zone: LandingZone, name: str, read: Read
) -> None:
    put(zone, f"{name}/a.csv", _catalogue(name, "1"))
    put(zone, f"{name}/b.csv", _catalogue(name, "2"))
    before = index(zone, rules=STRICT)
    table = read(zone, before).read_all()
    column = header(name).split(",")[1]
    for file in ("a.csv", "b.csv"):
        put(zone, f"{name}/{file}", f"{column}\n1\n")
    held = index(zone, before, STRICT)
    for _ in range(2):
        assert [entry.rows_kept for entry in from_table(held)] == [1, 1]
        assert _rows(read, zone, held, _in(table)) == ["1 of a.csv", "2 of b.csv"]
        held = index(zone, held, STRICT)
    put(zone, f"{name}/a.csv", _catalogue(name, "3"))
    put(zone, f"{name}/b.csv", _catalogue(name, "3"))
    assert _rows(read, zone, index(zone, held, STRICT)) == ["3 of b.csv"]


@BOTH
def test_nothing_is_kept_of_a_table_that_never_was(
    zone: LandingZone, name: str, read: Read
) -> None:
    put(zone, f"{name}/a.csv", _catalogue(name, "1"))
    before = index(zone, rules=STRICT)
    put(zone, f"{name}/a.csv", "nothing of the kind")
    held = index(zone, before, STRICT)
    assert _rows(read, zone, held, lambda _: None) == []
    with pytest.raises(ValueError, match="say where they are"):
        read(zone, held)
