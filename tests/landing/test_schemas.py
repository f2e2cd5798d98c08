"""Tests of columns that come, go and change their type between landings."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from hm_platform.features.attributes import ARTICLE_COLUMNS, CUSTOMER_COLUMNS
from hm_platform.landing.columns import COLUMNS
from hm_platform.landing.entry import Entry, from_table
from hm_platform.landing.loading import read_articles, read_customers
from hm_platform.landing.schemas import schema_changes
from hm_platform.landing.validating import Rules
from hm_platform.landing.zone import LandingZone
from tests.landing.landed import (
    STRICT,
    index,
    put,
    put_customers,
    validations,
)

STAGING = Path(__file__).parents[2] / "dbt/models/staging"


def _states(found: pa.Table) -> dict[str, str]:
    return {entry.uri: entry.state for entry in from_table(found)}


def _entry(found: pa.Table, uri: str) -> Entry:
    return {entry.uri: entry for entry in from_table(found)}[uri]


def _look(zone: LandingZone, before: pa.Table | None = None, rules: Rules = STRICT) -> pa.Table:
    return index(zone, before, rules)


def test_a_file_that_lost_a_used_column_is_held_and_says_what_to_write(zone: LandingZone) -> None:
    put_customers(zone, "a")
    before = _look(zone)
    put_customers(zone, "b", lacks=["age", "active"])
    put_customers(zone, "c")
    found = _look(zone, before)
    entry = _entry(found, "customers/b.csv")
    assert (entry.state, entry.rows, entry.rows_held, entry.rows_loaded) == ("held", 1, 1, 0)
    assert entry.lost_columns == ("active", "age")
    assert entry.reason is not None
    assert 'without = ["customers.active", "customers.age"] into dataset.toml' in entry.reason
    assert read_customers(zone, found).read_all()["customer_id"].to_pylist() == ["a", "c"]


def test_a_file_that_lost_an_unused_column_loads_with_nothing_there(zone: LandingZone) -> None:
    put_customers(zone, "a")
    before = _look(zone)
    put_customers(zone, "b", lacks=["postal_code"])
    found = _look(zone, before)
    assert set(_states(found).values()) == {"loaded"}
    assert read_customers(zone, found).read_all()["postal_code"].to_pylist() == ["p", None]


def test_a_column_that_was_never_there_is_not_lost(zone: LandingZone) -> None:
    put_customers(zone, "a", lacks=["age"])
    before = _look(zone)
    put_customers(zone, "b", lacks=["age"])
    put_customers(zone, "c")
    found = _look(zone, before)
    assert set(_states(found).values()) == {"loaded"}
    # Nor has a file lost what another one brought after it.
    assert (
        _look(zone, found, replace(STRICT, code="newer"))
        .drop(["checked_by", "stamp"])
        .equals(found.drop(["checked_by", "stamp"]))
    )
    put_customers(zone, "d", lacks=["age"])
    assert _states(_look(zone, found))["customers/d.csv"] == "held"


def test_files_that_come_together_do_not_judge_each_other(zone: LandingZone) -> None:
    put_customers(zone, "a")
    put_customers(zone, "b", lacks=["age"])
    assert set(_states(_look(zone)).values()) == {"loaded"}


def test_the_memory_of_a_column_lasts_while_the_held_file_is_there(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_customers(zone, "a")
    found = _look(zone)
    path = put_customers(zone, "a", lacks=["age"])
    for turn in range(4):
        found = _look(zone, found)
        assert _states(found) == {"customers/a.csv": "held"}, turn
    checked = validations(monkeypatch)
    path.write_text(path.read_text() + "\n")
    found = _look(zone, found, replace(STRICT, code="newer"))
    assert checked == ["customers/a.csv"]
    assert _entry(found, "customers/a.csv").lost_columns == ("age",)
    # Worse still: what it had when it was held is remembered as well.
    put_customers(zone, "a", lacks=["age", "fn"])
    assert _entry(_look(zone, found), "customers/a.csv").lost_columns == ("age", "fn")
    put_customers(zone, "a")
    found = _look(zone, found)
    assert _entry(found, "customers/a.csv").lost_columns == ()
    assert _states(found) == {"customers/a.csv": "loaded"}


@pytest.mark.parametrize(
    "content", ["", "garbage", "customer_id,age\nc,young\n", "fn,age\n1,2\n", None]
)
def test_a_broken_file_in_between_does_not_make_the_column_forgotten(
    zone: LandingZone, content: str | None
) -> None:
    path = put_customers(zone, "a")
    found = _look(zone)
    if content is None:
        path.touch()
        found = index(zone, found, STRICT, quiet_s=600)
    else:
        path.write_text(content)
        found = _look(zone, _look(zone, found))
    assert _states(found) != {"customers/a.csv": "loaded"}
    put_customers(zone, "a", lacks=["age"])
    entry = _entry(_look(zone, found), "customers/a.csv")
    assert (entry.state, entry.lost_columns) == ("held", ("age",))


def test_without_in_the_dataset_file_accepts_that_a_column_has_gone(zone: LandingZone) -> None:
    put_customers(zone, "a")
    before = _look(zone)
    put_customers(zone, "a", lacks=["age", "fn"])
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
    put_customers(zone, "a", lacks=["customer_id"])
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


def test_articles_have_a_memory_too(zone: LandingZone) -> None:
    put(zone, "articles/a.csv", "article_id,index_code,detail_desc\n1,A,d\n")
    before = _look(zone)
    put(zone, "articles/b.csv", "article_id,index_code\n2,A\n")
    put(zone, "articles/c.csv", "article_id,detail_desc\n3,d\n")
    found = _look(zone, before)
    assert list(_states(found).values()) == ["loaded", "loaded", "held"]
    assert read_articles(zone, found).read_all()["article_id"].to_pylist() == ["1", "2"]
