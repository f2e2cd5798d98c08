"""Tests of columns that come, go and change their type between landings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from hm_platform.features.attributes import ARTICLE_COLUMNS, CUSTOMER_COLUMNS
from hm_platform.landing.columns import COLUMNS
from hm_platform.landing.entry import Entry, from_table
from hm_platform.landing.loading import read_articles, read_customers
from hm_platform.landing.schemas import SchemaChange, schema_changes
from hm_platform.landing.validating import Rules
from hm_platform.landing.zone import LandingZone
from tests.landing.landed import (
    STRICT,
    TODAY,
    good,
    index,
    put,
    put_parquet,
    put_transactions,
    validations,
)

ALL = [column.name for column in COLUMNS["customers"]]
STAGING = Path(__file__).parents[2] / "dbt/models/staging"


def _put(zone: LandingZone, name: str, lacks: Sequence[str] = (), adds: Sequence[str] = ()) -> Path:
    """Customers whose id is the file's name, in every column but those that it lacks."""
    columns = [column for column in [*ALL, *adds] if column not in lacks]
    values = {"customer_id": name, "age": "30", "postal_code": "p", "fn": "1", "active": "1"}
    lines = [",".join(columns), ",".join(values.get(column, "x") for column in columns)]
    return put(zone, f"customers/{name}.csv", lines)


def _states(found: pa.Table) -> dict[str, str]:
    return {entry.uri: entry.state for entry in from_table(found)}


def _entry(found: pa.Table, uri: str) -> Entry:
    return {entry.uri: entry for entry in from_table(found)}[uri]


def _look(zone: LandingZone, before: pa.Table | None = None, rules: Rules = STRICT) -> pa.Table:
    return index(zone, before, rules)


def test_a_file_that_lost_a_used_column_is_held_and_says_what_to_write(zone: LandingZone) -> None:
    _put(zone, "a")
    before = _look(zone)
    _put(zone, "b", lacks=["age", "active"])
    _put(zone, "c")
    found = _look(zone, before)
    entry = _entry(found, "customers/b.csv")
    assert (entry.state, entry.rows, entry.rows_held, entry.rows_loaded) == ("held", 1, 1, 0)
    assert entry.lost_columns == ("active", "age")
    assert entry.reason is not None
    assert 'without = ["customers.active", "customers.age"] into dataset.toml' in entry.reason
    assert read_customers(zone, found).read_all()["customer_id"].to_pylist() == ["a", "c"]


def test_a_file_that_lost_an_unused_column_loads_with_nothing_there(zone: LandingZone) -> None:
    _put(zone, "a")
    before = _look(zone)
    _put(zone, "b", lacks=["postal_code"])
    found = _look(zone, before)
    assert set(_states(found).values()) == {"loaded"}
    assert read_customers(zone, found).read_all()["postal_code"].to_pylist() == ["p", None]


def test_a_column_that_was_never_there_is_not_lost(zone: LandingZone) -> None:
    _put(zone, "a", lacks=["age"])
    before = _look(zone)
    _put(zone, "b", lacks=["age"])
    _put(zone, "c")
    found = _look(zone, before)
    assert set(_states(found).values()) == {"loaded"}
    # Nor has a file lost what another one brought after it.
    assert (
        _look(zone, found, replace(STRICT, code="newer"))
        .drop(["checked_by", "stamp"])
        .equals(found.drop(["checked_by", "stamp"]))
    )
    _put(zone, "d", lacks=["age"])
    assert _states(_look(zone, found))["customers/d.csv"] == "held"


def test_files_that_come_together_do_not_judge_each_other(zone: LandingZone) -> None:
    _put(zone, "a")
    _put(zone, "b", lacks=["age"])
    assert set(_states(_look(zone)).values()) == {"loaded"}


def test_the_memory_of_a_column_lasts_while_the_held_file_is_there(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put(zone, "a")
    found = _look(zone)
    path = _put(zone, "a", lacks=["age"])
    for turn in range(4):
        found = _look(zone, found)
        assert _states(found) == {"customers/a.csv": "held"}, turn
    checked = validations(monkeypatch)
    path.write_text(path.read_text() + "\n")
    found = _look(zone, found, replace(STRICT, code="newer"))
    assert checked == ["customers/a.csv"]
    assert _entry(found, "customers/a.csv").lost_columns == ("age",)
    # Worse still: what it had when it was held is remembered as well.
    _put(zone, "a", lacks=["age", "fn"])
    assert _entry(_look(zone, found), "customers/a.csv").lost_columns == ("age", "fn")
    _put(zone, "a")
    found = _look(zone, found)
    assert _entry(found, "customers/a.csv").lost_columns == ()
    assert _states(found) == {"customers/a.csv": "loaded"}


@pytest.mark.parametrize(
    "content", ["", "garbage", "customer_id,age\nc,young\n", "fn,age\n1,2\n", None]
)
def test_a_broken_file_in_between_does_not_make_the_column_forgotten(
    zone: LandingZone, content: str | None
) -> None:
    path = _put(zone, "a")
    found = _look(zone)
    if content is None:
        path.touch()
        found = index(zone, found, STRICT, quiet_s=600)
    else:
        path.write_text(content)
        found = _look(zone, _look(zone, found))
    assert _states(found) != {"customers/a.csv": "loaded"}
    _put(zone, "a", lacks=["age"])
    entry = _entry(_look(zone, found), "customers/a.csv")
    assert (entry.state, entry.lost_columns) == ("held", ("age",))


def test_without_in_the_dataset_file_accepts_that_a_column_has_gone(zone: LandingZone) -> None:
    _put(zone, "a")
    before = _look(zone)
    _put(zone, "a", lacks=["age", "fn"])
    held = _look(zone, before)
    put(zone, "dataset.toml", 'name = "x"\nfirst_week = 2018-09-19\nwithout = ["customers.age"]')
    info = zone.dataset()
    assert info is not None
    held = _look(zone, held, replace(STRICT, without=info.without))
    assert _entry(held, "customers/a.csv").lost_columns[-1:] == ("fn",)
    without = ("articles.age", "customers.age", "customers.fn")
    found = _look(zone, held, replace(STRICT, without=without))
    assert _states(found) == {"customers/a.csv": "loaded"}
    assert read_customers(zone, found).read_all()["age"].to_pylist() == [None]


def test_a_required_column_is_missed_without_any_memory(zone: LandingZone) -> None:
    _put(zone, "a", lacks=["customer_id"])
    found = _look(zone)
    assert _states(found) == {"customers/a.csv": "held"}
    assert schema_changes(None, found) == []


def test_used_are_exactly_the_columns_that_the_features_read() -> None:
    for dataset, read in (("articles", ARTICLE_COLUMNS), ("customers", CUSTOMER_COLUMNS)):
        sql = (STAGING / f"stg_{dataset}.sql").read_text()
        renamed = dict(re.findall(r"\{\{ \w+\('(\w+)'\) \}\} as (\w+)", sql))
        names = {renamed.get(c.name, c.name) for c in COLUMNS[dataset] if c.used}
        assert names == {*read, f"{dataset[:-1]}_id"}
        assert {renamed.get(c.name, c.name) for c in COLUMNS[dataset]} >= {*read}
    assert all(column.used for column in COLUMNS["transactions"])


def test_what_came_and_went_is_told_once_a_column_with_the_number_of_files(
    zone: LandingZone,
) -> None:
    _put(zone, "a", lacks=["fn"])
    before = _look(zone)
    for name in ("b", "c", "d"):
        _put(zone, name, lacks=["age", *(["postal_code"] if name == "d" else [])], adds=["shoe"])
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
    _put(zone, "a")
    path = _put(zone, "b", lacks=["age"], adds=["shoe"])
    put(zone, "customers/c.csv", "fn\n1\n")
    first = _look(zone)
    assert schema_changes(None, first) == []
    assert schema_changes(first, first) == []
    path.touch()
    second = _look(zone, first)
    assert schema_changes(first, second) == []
    _put(zone, "d", adds=["shoe"])  # as the last one but for age, which it has
    third = _look(zone, second)
    assert [change.column for change in schema_changes(second, third)] == ["age"]
    assert schema_changes(third, _look(zone, third)) == []


def test_a_file_is_compared_with_what_it_was(zone: LandingZone) -> None:
    _put(zone, "a")
    _put(zone, "b", lacks=["age"])
    before = _look(zone)
    path = _put(zone, "a")
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


def test_articles_have_a_memory_too(zone: LandingZone) -> None:
    put(zone, "articles/a.csv", "article_id,index_code,detail_desc\n1,A,d\n")
    before = _look(zone)
    put(zone, "articles/b.csv", "article_id,index_code\n2,A\n")
    put(zone, "articles/c.csv", "article_id,detail_desc\n3,d\n")
    found = _look(zone, before)
    assert list(_states(found).values()) == ["loaded", "loaded", "held"]
    assert read_articles(zone, found).read_all()["article_id"].to_pylist() == ["1", "2"]
