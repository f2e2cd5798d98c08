"""Tests of the index of the landing zone: states, counts, reasons, and what is read again."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hm_platform.calendar import Calendar
from hm_platform.landing import index as index_module
from hm_platform.landing.columns import LANDED_FILES_SCHEMA
from hm_platform.landing.zone import LandedFile, LandingZone
from tests.landing.landed import (
    GOOD,
    HEADER,
    LENIENT,
    TODAY,
    entries,
    header,
    index,
    put,
    put_parquet,
    put_transactions,
    row,
    validations,
)


def test_an_empty_zone_has_an_empty_index(zone: LandingZone) -> None:
    found = index(zone)
    assert found.schema == LANDED_FILES_SCHEMA
    assert found.num_rows == 0


def test_counts_rows_and_days(zone: LandingZone) -> None:
    put_transactions(
        zone,
        "a.csv",
        "2018-10-03,c1,0108775015,0.05,1",
        "2018-09-20,c1,0108775015,0.05,2",
        "2018-09-19,c1,0108775015,-1,2",
    )
    put(zone, "articles/a.csv", [header("articles"), row("articles", article_id="0108775015")])
    found = index(zone)
    assert found.schema == LANDED_FILES_SCHEMA
    assert found["uri"].to_pylist() == ["articles/a.csv", "transactions/a.csv"]
    entry = found.to_pylist()[1]
    assert entry["first_day"] == date(2018, 9, 20)
    assert entry["last_day"] == date(2018, 10, 3)
    assert (entry["rows"], entry["rows_loaded"], entry["rows_quarantined"]) == (3, 2, 1)
    assert entry["state"] == "loaded"
    assert entry["reason"] == "refused 1 row: 1 x price not a number of 0 or more"
    assert found.to_pylist()[0]["first_day"] is None


def test_same_content_under_two_names_counts_once(zone: LandingZone) -> None:
    put_transactions(zone, "b.csv", GOOD)
    put_transactions(zone, "a.csv", GOOD)
    put(zone, "transactions/c.csv.gz", gzip.compress(f"{HEADER}\n{GOOD}\n".encode()))
    found = entries(zone)
    assert found["transactions/a.csv"]["state"] == "loaded"
    for uri in ("transactions/b.csv", "transactions/c.csv.gz"):
        assert found[uri]["state"] == "duplicate"
        assert found[uri]["reason"] == "the same content as transactions/a.csv"
        assert (found[uri]["rows"], found[uri]["rows_loaded"]) == (1, 0)


def _parquet(zone: LandingZone, **changes: Any) -> bytes:
    columns = {
        "t_dat": [date(2018, 9, 20)],
        "customer_id": ["c"],
        "article_id": ["a"],
        "price": [0.1],
        "sales_channel_id": [1],
        **changes,
    }
    path = put_parquet(zone, "made.parquet", {k: v for k, v in columns.items() if v is not None})
    return path.read_bytes()


# Without a time in it, so that its test has the same name in every process.
CUT_GZIP = gzip.compress(HEADER.encode() + b"\n" + bytes(range(10)) * 999, mtime=0)[:-9]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.csv", b"", "is empty"),
        ("x.csv", b"\n \r\n\n", "is empty"),
        ("x.csv", GOOD.encode(), "no column t_dat"),
        ("x.csv", b"t_dat,customer_id,article_id,sales_channel_id\n", "no column price"),
        ("x.csv", f"{HEADER},price\n".encode(), "column price is there twice"),
        ("x.csv", f"{HEADER}\n{GOOD}\n".encode("utf-16"), "UTF-16"),
        ("x.csv.gz", CUT_GZIP, "ends"),
        ("x.csv.gz", f"{HEADER}\n{GOOD}\n".encode(), "not a sound gzip file"),
        ("x.parquet", b"", "is empty"),
        ("x.parquet", b"PAR1 but no more", "not readable as Parquet"),
        ("x.parquet", lambda zone: _parquet(zone)[:-100], "not readable as Parquet"),
        ("x.parquet", lambda zone: _parquet(zone, price=None), "no column price"),
        ("x.parquet", lambda zone: _parquet(zone, customer_id=[1.5]), "customer_id is DOUBLE"),
        ("x.parquet", lambda zone: _parquet(zone, t_dat=[20180920]), "t_dat is BIGINT"),
        ("x.parquet", lambda zone: _parquet(zone, article_id=[["a"]]), "article_id is VARCHAR"),
    ],
)
def test_an_unreadable_file_is_held_and_stops_no_other(
    zone: LandingZone, name: str, content: Any, reason: str
) -> None:
    put(zone, f"transactions/{name}", content(zone) if callable(content) else content)
    put_transactions(zone, "zz.csv", GOOD)
    found = entries(zone)
    held = found[f"transactions/{name}"]
    assert held["state"] == "held"
    assert reason in held["reason"]
    assert (held["rows_loaded"], held["rows_quarantined"]) == (0, 0)
    assert (held["rows"] or 0) == held["rows_held"]
    assert found["transactions/zz.csv"]["rows_loaded"] == 1


def test_a_parquet_file_damaged_in_the_middle_is_held(zone: LandingZone) -> None:
    ids = [f"customer {i * 7919 % 10007}" for i in range(20_000)]
    table = pa.table(
        {
            "t_dat": [date(2018, 9, 20)] * len(ids),
            "customer_id": ids,
            "article_id": ids,
            "price": [0.1] * len(ids),
            "sales_channel_id": [1] * len(ids),
        }
    )
    path = zone.root / "transactions/a.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(table, path, compression="zstd")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 400] = bytes(400)
    path.write_bytes(content)
    entry = entries(zone)["transactions/a.parquet"]
    assert entry["state"] == "held"
    assert "not readable as Parquet" in entry["reason"]


def test_a_header_alone_is_a_file_without_rows(zone: LandingZone) -> None:
    put_transactions(zone, "a.csv")
    entry = entries(zone)["transactions/a.csv"]
    assert (entry["state"], entry["rows"], entry["first_day"]) == ("loaded", 0, None)


def test_a_file_under_a_wrong_name_does_not_hide_the_same_under_the_right_one(
    zone: LandingZone,
) -> None:
    columns = ["2018-09-20"], ["c1"], ["0108775015"], [0.05], [1]
    right = put_parquet(
        zone, "transactions/b.parquet", dict(zip(HEADER.split(","), columns, strict=True))
    )
    put(zone, "transactions/a.csv", right.read_bytes())
    found = entries(zone)
    assert {uri: entry["state"] for uri, entry in found.items()} == {
        "transactions/a.csv": "held",
        "transactions/b.parquet": "loaded",
    }
    assert len({entry["content_hash"] for entry in found.values()}) == 1


@pytest.mark.skipif("__import__('os').geteuid() == 0", reason="root may read everything")
def test_a_file_one_may_not_read_is_held(zone: LandingZone) -> None:
    put_transactions(zone, "a.csv", GOOD).chmod(0)
    assert "ermission" in entries(zone)["transactions/a.csv"]["reason"]


def test_a_file_that_is_as_before_is_not_checked_again(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        put_transactions(zone, f"{name}.csv", f"2018-09-20,{name},0108775015,0.05,1")
    before = index(zone)
    put_transactions(zone, "b.csv", "2018-09-20,B,0108775015,0.05,1")  # the same size
    put_transactions(zone, "d.csv", GOOD)
    checked = validations(monkeypatch)
    again = index(zone, before)
    assert checked == ["transactions/b.csv", "transactions/d.csv"]
    assert again.equals(index(zone))


def test_refused_rows_are_looked_at_again(zone: LandingZone) -> None:
    put_transactions(zone, "a.csv", GOOD, f"{TODAY + timedelta(days=1)},c,a,1,1")
    before = index(zone)
    assert before["rows_loaded"].to_pylist() == [1]
    later = index(zone, before, today=TODAY + timedelta(days=1))
    assert later["rows_loaded"].to_pylist() == [2]


def test_another_first_week_is_noticed(zone: LandingZone) -> None:
    put_transactions(zone, "a.csv", GOOD)
    before = index(zone)
    later = index(zone, before, replace(LENIENT, calendar=Calendar(date(2018, 9, 26))))
    assert later["rows_loaded"].to_pylist() == [0]


def test_what_was_a_duplicate_loads_when_the_first_goes(zone: LandingZone) -> None:
    first = put_transactions(zone, "a.csv", GOOD)
    put_transactions(zone, "b.csv", GOOD)
    before = index(zone)
    first.unlink()
    entry = index(zone, before).to_pylist()[0]
    assert (entry["uri"], entry["state"], entry["rows_loaded"]) == (
        "transactions/b.csv",
        "loaded",
        1,
    )


def test_a_file_that_changes_while_it_is_read_waits(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put_transactions(zone, "a.csv", GOOD)
    examine = index_module.examine

    def growing(file: LandedFile) -> Any:
        content = examine(file)
        with path.open("a") as stream:
            stream.write(GOOD + "\n")
        return content

    monkeypatch.setattr(index_module, "examine", growing)
    entry = entries(zone)["transactions/a.csv"]
    assert (entry["state"], entry["rows_loaded"]) == ("pending", 0)
    monkeypatch.undo()
    assert entries(zone)["transactions/a.csv"]["rows_loaded"] == 2


def test_a_file_that_vanishes_is_not_listed(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_transactions(zone, "a.csv", GOOD)
    put_transactions(zone, "b.csv", GOOD)
    examine = index_module.examine

    def vanishing(file: LandedFile) -> Any:
        if file.uri.endswith("a.csv"):
            file.path.unlink()
        return examine(file)

    monkeypatch.setattr(index_module, "examine", vanishing)
    assert list(entries(zone)) == ["transactions/b.csv"]


def test_progress_names_each_file(zone: LandingZone) -> None:
    put_transactions(zone, "a.csv", GOOD)
    put(zone, "transactions/b.csv", "")
    lines: list[str] = []
    index(zone, progress=lines.append)
    assert lines[0] == "transactions/a.csv: 1 rows"
    assert lines[1].startswith("transactions/b.csv: held: the file is empty")


@pytest.mark.parametrize(
    "name",
    [
        "it's; drop table x.csv",
        "a*b.csv",
        "[a-z]?.csv",
        "week=2018-09-19/a.csv",
        "näher “bei” 東京.csv",
        "{a,b}.csv",
        "..a..csv",
        'quo"ted\\name.csv',
    ],
)
def test_names_are_only_names(zone: LandingZone, name: str) -> None:
    put_transactions(zone, "abc.csv", "2018-09-20,other,0108775015,0.05,1")
    put_transactions(zone, name, GOOD)
    found = entries(zone)
    if name.startswith("."):
        assert list(found) == ["transactions/abc.csv"]
        return
    assert found[f"transactions/{name}"]["rows"] == 1
    assert found["transactions/abc.csv"]["state"] == "loaded"
