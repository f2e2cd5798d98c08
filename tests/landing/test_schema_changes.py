"""Tests of what is told when the columns of landed files change."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import date, datetime

import duckdb
import pyarrow as pa
import pytest

from hm_platform.landing.entry import Entry, from_table, to_table
from hm_platform.landing.schemas import SchemaChange, schema_changes
from hm_platform.landing.validating import Rules
from hm_platform.landing.zone import LandingZone
from tests.landing.landed import (
    STRICT,
    TODAY,
    good,
    index,
    put,
    put_customers,
    put_parquet,
    put_transactions,
)


def _states(found: pa.Table) -> dict[str, str]:
    return {entry.uri: entry.state for entry in from_table(found)}


def _entry(found: pa.Table, uri: str) -> Entry:
    return {entry.uri: entry for entry in from_table(found)}[uri]


def _look(zone: LandingZone, before: pa.Table | None = None, rules: Rules = STRICT) -> pa.Table:
    return index(zone, before, rules)


def test_what_came_and_went_is_told_once_a_column_with_the_number_of_files(
    zone: LandingZone,
) -> None:
    put_customers(zone, "a", lacks=["fn"])
    before = _look(zone)
    for name in ("b", "c", "d"):
        put_customers(
            zone, name, lacks=["age", *(["postal_code"] if name == "d" else [])], adds=["shoe"]
        )
    assert schema_changes(before, _look(zone, before)) == [
        SchemaChange("customers", "age", "text", None, "customers/b.csv", 3),
        SchemaChange("customers", "fn", None, "text", "customers/b.csv", 3),
        SchemaChange("customers", "postal_code", "text", None, "customers/d.csv", 1),
        SchemaChange("customers", "shoe", None, "text", "customers/b.csv", 3),
    ]


def test_a_change_is_told_in_a_line() -> None:
    change = SchemaChange("customers", "age", "text", None, "customers/b.csv", 3)
    assert (change.kind, str(change)) == (
        "lost",
        "customers: column age (text) is not there any more (customers/b.csv and 2 more)",
    )
    change = SchemaChange("customers", "age", None, "text", "customers/b.csv")
    assert (change.kind, str(change)) == (
        "added",
        "customers: column age (text) is there and was not before (customers/b.csv)",
    )
    change = SchemaChange("customers", "age", "BIGINT", "DOUBLE", "customers/b.csv")
    assert (change.kind, str(change)) == (
        "type",
        "customers: column age is DOUBLE and was BIGINT (customers/b.csv)",
    )


def test_a_first_look_and_unchanged_files_tell_no_change(zone: LandingZone) -> None:
    put_customers(zone, "a")
    path = put_customers(zone, "b", lacks=["age"], adds=["shoe"])
    put(zone, "customers/c.csv", "fn\n1\n")
    first = _look(zone)
    assert schema_changes(None, first) == []
    assert schema_changes(first, first) == []
    path.touch()
    second = _look(zone, first)
    assert schema_changes(first, second) == []
    put_customers(zone, "d", adds=["shoe"])  # as the last one but for age, which it has
    third = _look(zone, second)
    assert [change.column for change in schema_changes(second, third)] == ["age"]
    assert schema_changes(third, _look(zone, third)) == []


def test_a_file_is_compared_with_what_it_was(zone: LandingZone) -> None:
    put_customers(zone, "a")
    put_customers(zone, "b", lacks=["age"])
    before = _look(zone)
    path = put_customers(zone, "a")
    path.write_text(path.read_text() + "c2,,,,,,\n")
    assert schema_changes(before, _look(zone, before)) == []


def _parquet(zone: LandingZone, name: str, **columns: object) -> None:
    usual = {
        "t_dat": [date(2018, 9, 20)],
        "customer_id": [name],
        "article_id": ["1"],
        "price": [0.5],
        "sales_channel_id": [1],
    }
    put_parquet(zone, f"transactions/{name}.parquet", {**usual, **columns})


def test_another_type_in_parquet_is_told_and_read_all_the_same(zone: LandingZone) -> None:
    _parquet(zone, "a")
    before = _look(zone)
    moment = datetime.fromisoformat("2018-09-20T10:00:00")
    _parquet(zone, "b", t_dat=pa.array([moment], pa.timestamp("us")), article_id=[7])
    found = _look(zone, before)
    assert set(_states(found).values()) == {"loaded"}
    uri = "transactions/b.parquet"
    assert schema_changes(before, found) == [
        SchemaChange("transactions", "article_id", "VARCHAR", "BIGINT", uri),
        SchemaChange("transactions", "t_dat", "DATE", "TIMESTAMP", uri),
    ]


def test_a_type_that_cannot_be_read_is_told_once(zone: LandingZone) -> None:
    _parquet(zone, "a")
    before = _look(zone)
    put_parquet(
        zone,
        "transactions/b.parquet",
        {
            "T_DAT": [TODAY],
            "Customer_ID": [1.5],
            "article_id": ["1"],
            "price": [0.5],
            "sales_channel_id": [1],
        },
    )
    found = _look(zone, before)
    entry = _entry(found, "transactions/b.parquet")
    assert entry.state == "held"
    assert (
        entry.reason == "column customer_id is DOUBLE, but has to be an identifier: text that "
        "is never a number"
    )
    assert schema_changes(before, found) == [
        SchemaChange("transactions", "customer_id", "VARCHAR", "DOUBLE", entry.uri)
    ]
    assert schema_changes(found, _look(zone, found)) == []


def test_text_and_typed_files_are_compared_by_their_names_only(zone: LandingZone) -> None:
    _parquet(zone, "a")
    before = _look(zone)
    put_transactions(zone, "b.csv", *good(1))
    assert schema_changes(before, _look(zone, before)) == []


def test_files_that_an_earlier_version_hashed_in_another_way_are_the_same_files(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hm_platform.landing.index.SETTLED_S", 0)
    put_customers(zone, "a", lacks=["age"])
    put_transactions(zone, "a.csv", *good(1))
    before = _look(zone)
    put_customers(zone, "b")
    before = _look(zone, before)
    entries = [
        replace(entry, content_hash="0" * 63 + str(i), checked_by="earlier code")
        for i, entry in enumerate(from_table(before))
    ]
    put_transactions(zone, "b.csv", *good(1))
    found = _look(zone, to_table(entries))
    assert _states(found) == {
        "customers/a.csv": "loaded",
        "customers/b.csv": "loaded",
        "transactions/a.csv": "loaded",
        "transactions/b.csv": "duplicate",
    }
    assert schema_changes(to_table(entries), found) == []


def test_a_column_that_a_file_lost_while_it_was_not_in_order_is_told(zone: LandingZone) -> None:
    path = put_transactions(zone, "a.csv", *good(1))
    loaded = _look(zone)
    # Cut short at first, then whole but for a column; and with a column alone before.
    for first, told in ((b"\x1f\x8b\x08", "price"), (gzip.compress(b"price\n1\n"), "cost")):
        packed = put(zone, "transactions/b.csv.gz", first)
        held = _look(zone, loaded)
        assert _states(held)["transactions/b.csv.gz"] == "held"
        packed.write_bytes(gzip.compress(path.read_bytes().replace(b",price", b",cost")))
        assert told in {change.column for change in schema_changes(held, _look(zone, held))}
    still = _entry(index(zone, loaded, STRICT, quiet_s=3600), "transactions/b.csv.gz")
    assert still.state == "pending"
    pending = to_table([*from_table(loaded), still])
    found = schema_changes(pending, _look(zone, pending))
    assert {(change.column, change.kind) for change in found} == {
        ("cost", "added"),
        ("price", "lost"),
    }


@pytest.mark.parametrize("first", ["pending", "held", "missing"])
def test_a_column_that_a_file_lost_while_nobody_could_read_it_is_told(
    zone: LandingZone, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = put(zone, "customers/a.csv.gz", b"")
    packed.write_bytes(gzip.compress(b"customer_id,age,postal_code\nc1,30,p\n"))
    before = _look(zone)
    content = gzip.compress(b"customer_id,age,shoe\nc1,30,41\n")
    packed.write_bytes(content[:-9] if first == "held" else content)
    with monkeypatch.context() as patched:
        if first == "missing":
            patched.setattr("hm_platform.landing.index.validate", _no_memory)
        while_written = index(zone, before, STRICT, quiet_s=600 * (first == "pending"))
    assert _states(while_written) == {
        "customers/a.csv.gz": "pending" if first == "pending" else "held"
    }
    assert schema_changes(before, while_written) == []
    still = index(zone, while_written, STRICT, quiet_s=600)
    assert schema_changes(while_written, still) == []
    packed.write_bytes(content)
    found = schema_changes(still, _look(zone, still))
    assert {(change.column, change.kind) for change in found} == {
        ("postal_code", "lost"),
        ("shoe", "added"),
    }


def test_a_column_of_a_file_that_a_fault_of_the_machine_kept_out_is_told_when_it_is_in(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_customers(zone, "a")
    before = _look(zone)
    put_customers(zone, "b", adds=["shoe"])
    with monkeypatch.context() as patched:
        patched.setattr("hm_platform.landing.index.validate", _no_memory)
        held = _look(zone, before)
    assert (_states(held)["customers/b.csv"], schema_changes(before, held)) == ("held", [])
    found = _look(zone, held)
    assert [change.column for change in schema_changes(held, found)] == ["shoe"]


def _no_memory(*arguments: object) -> Entry:
    raise duckdb.OutOfMemoryException("no memory")
