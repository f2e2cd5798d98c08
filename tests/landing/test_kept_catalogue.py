"""Tests of what stays of a catalogue while a broken file lies in a good one's place."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest

from hm_platform.landing.columns import (
    CUSTOMERS_SCHEMA,
)
from hm_platform.landing.entry import from_table
from hm_platform.landing.loading import keeps_rows, read_articles, read_customers
from hm_platform.landing.zone import LandingZone
from tests.landing.landed import (
    STRICT,
    header,
    index,
    put,
    row,
)


def _catalogue(name: str, *ids: str) -> list[str]:
    key = f"{name[:-1]}_id"
    return [header(name), *(row(name, **{key: each}) for each in ids)]


@pytest.mark.parametrize(
    ("name", "read"), [("customers", read_customers), ("articles", read_articles)]
)
def test_a_catalogue_keeps_its_rows_until_the_file_is_in_order(
    zone: LandingZone, name: str, read: Callable[..., pa.RecordBatchReader]
) -> None:
    put(zone, f"{name}/a.csv", _catalogue(name, "1", "2"))
    put(zone, f"{name}/b.csv", _catalogue(name, "3"))
    before = index(zone, rules=STRICT)
    table = read(zone, before).read_all()
    assert not keeps_rows(before, name)
    path = put(zone, f"{name}/a.csv", "nothing of the kind")
    put(zone, f"{name}/b.csv", _catalogue(name, "3", "4"))
    held = index(zone, before, STRICT)
    held = index(zone, held, STRICT)
    assert keeps_rows(held, name)
    assert not keeps_rows(held, "transactions")
    assert from_table(held)[0].rows_kept == 2
    found = read(zone, held, kept=table.to_reader()).read_all()
    assert found.column(0).to_pylist() == ["1", "2", "3", "4"]
    assert read(zone, held).read_all().column(0).to_pylist() == ["3", "4"]
    put(zone, f"{name}/a.csv", _catalogue(name, "1"))
    again = index(zone, held, STRICT)
    assert not keeps_rows(again, name)
    assert read(zone, again).read_all().column(0).to_pylist() == ["1", "3", "4"]
    path.unlink()
    gone = index(zone, held, STRICT)
    assert not keeps_rows(gone, name)
    assert read(zone, gone).read_all().column(0).to_pylist() == ["3", "4"]


def test_what_a_file_says_counts_before_what_is_kept(zone: LandingZone) -> None:
    put(zone, "customers/a.csv", "")
    put(zone, "customers/b.csv", [header("customers"), row("customers", customer_id="1", age="9")])
    old = [{"customer_id": "1", "age": 8}, {"customer_id": "2", "age": 7}]
    kept = pa.Table.from_pylist(old, CUSTOMERS_SCHEMA).to_reader()
    found = read_customers(zone, index(zone), kept).read_all()
    assert found.select(["customer_id", "age"]).to_pylist() == [
        {"customer_id": "1", "age": 9},
        {"customer_id": "2", "age": 7},
    ]
