"""What is written is what is read, on each of the storages: odd values, and any order of writes."""

from __future__ import annotations

import itertools
import tempfile
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hm_platform.storage.local import Warehouse
from hm_platform.storage.s3.bucket import Bucket
from hm_platform.storage.s3.tables import S3Tables
from hm_platform.storage.tables import Slice, TableError, Tables
from tests.s3.fixtures import session
from tests.storage.weekly import ALL, content, of_weeks, rows, week

MOMENT = datetime(2020, 2, 29, 23, 59, 59, 123_456)  # noqa: DTZ001

COLUMNS = {
    "integers": pa.array([-(2**63), 2**63 - 1, None]),
    "small": pa.array([-128, 127, None], pa.int8()),
    "unsigned": pa.array([0, 2**64 - 1, None], pa.uint64()),
    "floats": pa.array([float("inf"), -0.0, None]),
    "halves": pa.array([0.1, -1e30, None], pa.float32()),
    "flags": pa.array([True, False, None]),
    "texts": pa.array(["", "žluťoučký 🐎 \n'\"\\", None]),
    "large_texts": pa.array(["", "x" * 100_000, None], pa.large_string()),
    "codes": pa.array(["a", "b", None]).dictionary_encode(),
    "bytes": pa.array([b"", b"\x00\xff", None]),
    "days": pa.array([date(1, 1, 1), date(9999, 12, 31), None]),
    "moments": pa.array([MOMENT, datetime(1900, 1, 1), None]),  # noqa: DTZ001
    "seconds": pa.array([MOMENT.replace(microsecond=0)] * 2 + [None], pa.timestamp("s")),
    "milliseconds": pa.array([datetime(2020, 1, 1)] * 2 + [None], pa.timestamp("ms")),  # noqa: DTZ001
    "nanoseconds": pa.array([1, 2**60, None], pa.timestamp("ns")),
    "zoned": pa.array([MOMENT.replace(tzinfo=UTC)] * 2 + [None], pa.timestamp("us", "UTC")),
    "times": pa.array([time(0, 0), time(23, 59, 59, 999_999), None]),
    "decimals": pa.array([Decimal("-12345678.90"), Decimal("0.01"), None]),
    "lists": pa.array([[], [1, None, 2], None]),
    "vectors": pa.array([[0.5, 1.5], [2.5, 3.5], None], pa.list_(pa.float32(), 2)),
    "records": pa.array([{"a": 1, "b": "x"}, {"a": None, "b": ""}, None]),
    "nested": pa.array([[{"a": [["x"], []]}], [], None]),
    "maps": pa.array([[("a", 1)], [], None], pa.map_(pa.string(), pa.int64())),
    "nothing": pa.nulls(3),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_values_come_back_alike(name: str, bucket: Bucket, tmp_path: Path) -> None:
    found: list[pa.Table] = []
    for tables in (Warehouse(tmp_path / "w.duckdb"), S3Tables(bucket)):
        for number in (0, 1):
            table = pa.table({"week": [week(number)] * 3, "v": COLUMNS[name]})
            tables.replace(of_weeks(number), table.to_reader())
        tables.replace(Slice("marts", "whole"), table.to_reader())
        found += [tables.read(ALL), tables.read(Slice("marts", "whole"))]
    here, here_whole, there, there_whole = found
    assert there.to_pylist() == here.to_pylist()
    # Parquet counts no whole seconds.
    if name != "seconds":
        assert there.schema == here.schema
        assert there_whole.equals(here_whole)
    assert there_whole["v"].to_pylist() == COLUMNS[name].to_pylist()


def test_sql_sees_the_same_values_and_types(tables: Tables) -> None:
    table = pa.table({name: COLUMNS[name] for name in COLUMNS if name != "vectors"})
    tables.replace(ALL, table.to_reader())
    with tables.sql(ALL) as connection:
        described = connection.execute("DESCRIBE marts.t").fetchall()
        found = connection.execute("SELECT texts, lists, records, zoned FROM marts.t").fetchall()
    types = {name: type_ for name, type_, *_ in described}
    assert types["texts"] == types["codes"] == "VARCHAR"
    assert types["zoned"] == "TIMESTAMP WITH TIME ZONE"
    assert types["decimals"] == "DECIMAL(10,2)"
    assert types["lists"] == "BIGINT[]"
    assert [row[0] for row in found] == COLUMNS["texts"].to_pylist()
    assert [row[1] for row in found] == COLUMNS["lists"].to_pylist()
    assert [row[2] for row in found] == COLUMNS["records"].to_pylist()


def test_names_of_columns_may_be_odd(tables: Tables) -> None:
    odd = {'a "quoted" name': [1], "select": [2], "ÄÖ ü": [3], "with.dot": [4], "a/b": ["x"]}
    tables.replace(ALL, pa.table(odd).to_reader())
    assert tables.read(ALL).to_pydict() == odd
    source = Slice("marts", "t", only={"a/b": "x"}, columns=list(odd)[:2])
    assert tables.read(source).to_pydict() == {name: odd[name] for name in source.columns}


WRITES = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 2),
        st.lists(st.tuples(st.integers(0, 2), st.integers(-5, 5)), max_size=6),
        st.sets(st.sampled_from("yz")),
        st.sampled_from(["int64", "string"]),
    ),
    max_size=6,
)
"""First week, how many more, rows of (week from there, x), more columns, and the type of x."""

Write = tuple[int, int, list[tuple[int, int]], set[str], str]


def _write(tables: Tables, write: Write) -> bool:
    """Write, and whether that was refused."""
    first, more, found, columns, type_ = write
    kept = [(first + number, x) for number, x in found if number <= more]
    parts = [rows(number, [x], **{name: [f"{name}{x}"] for name in columns}) for number, x in kept]
    empty = rows(0, [0], **{name: [""] for name in columns})[:0]
    table = pa.concat_tables([empty, *parts])
    if type_ == "string":
        table = table.set_column(1, "x", table["x"].cast(pa.string()))
    try:
        tables.replace(of_weeks(first, first + more), table.to_reader())
    except TableError:
        return True
    return False


_names = itertools.count()


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(WRITES)
def test_any_writes_end_with_the_same_table(
    bucket: Bucket, ticking: None, writes: list[Any]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        here = Warehouse(Path(folder, "w.duckdb"))
        there = S3Tables(Bucket(bucket.name, f"examples/{next(_names)}", bucket.endpoint, session))
        for write in writes:
            assert _write(here, write) == _write(there, write)
        if not writes:
            return
        for source in (ALL, of_weeks(0), of_weeks(1, 2), of_weeks(5)):
            assert content(there, source) == content(here, source)
            assert there.count(source) == here.count(source)
