"""What lies in the bucket: objects that any reader of Parquet reads, and how much of them is read
and held."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hm_platform.storage.s3.bucket import Bucket
from hm_platform.storage.s3.duckdb_connection import connect
from hm_platform.storage.s3.parquet import ROW_GROUP_ROWS, ParquetStream, _Made
from hm_platform.storage.s3.tables import S3Tables
from hm_platform.storage.tables import Slice, TableError
from tests.s3.fixtures import KEY_ID, PREFIX, SECRET_KEY, TOKEN, environment
from tests.s3.proxy import Proxy, Request
from tests.storage.weekly import ALL, FIRST, WEEK, of_weeks, put, rows, values, week

MIB = 1 << 20


def test_keys_are_schema_table_and_week(bucket: Bucket) -> None:
    tables = S3Tables(bucket)
    for number in (1, 0):
        put(tables, number, [number])
    tables.replace(Slice("raw", "articles"), pa.table({"x": [1]}).to_reader())
    found = bucket.client.list_objects_v2(Bucket=bucket.name)["Contents"]
    assert [each["Key"] for each in found] == [
        f"{PREFIX}/marts/t/2020-01-01.parquet",
        f"{PREFIX}/marts/t/2020-01-08.parquet",
        f"{PREFIX}/raw/articles.parquet",
    ]
    assert tables.names() == [("marts", "t"), ("raw", "articles")]


def test_what_is_no_object_of_a_table_is_none_of_its_business(bucket: Bucket) -> None:
    tables = S3Tables(bucket)
    put(tables, 0, [1])
    for key in ("2020-01-08.parquet.tmp", "notes.parquet", "_SUCCESS", "2020/01.parquet", ""):
        bucket.write(f"marts/t/{key}", b"not Parquet")
    assert values(tables) == [1]
    assert tables.count(of_weeks(0, 9)) == 1
    assert tables.names() == [("marts", "t")]


def test_objects_are_zstd_in_row_groups(bucket: Bucket) -> None:
    table = pa.table({"week": [FIRST] * 1_300_000, "x": range(1_300_000)})
    S3Tables(bucket).replace(of_weeks(0), table.to_reader())
    file = pq.ParquetFile(io.BytesIO(bucket.read("marts/t/2020-01-01.parquet")))
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    assert {group.column(0).compression for group in groups} == {"ZSTD"}
    assert sum(group.num_rows for group in groups) == 1_300_000
    assert all(ROW_GROUP_ROWS <= group.num_rows < 2 * ROW_GROUP_ROWS for group in groups[:-1])
    assert file.schema_arrow.names == ["week", "x"]


def test_others_read_it_too(bucket: Bucket) -> None:
    tables = S3Tables(bucket)
    for number in range(3):
        put(tables, number, [number, number + 10])
    there = pyarrow.fs.S3FileSystem(
        access_key=KEY_ID,
        secret_key=SECRET_KEY,
        session_token=TOKEN,
        endpoint_override=bucket.endpoint,
        region="us-east-1",
    )
    whole = ds.dataset(f"{bucket.name}/{PREFIX}/marts/t/", filesystem=there)
    found = whole.to_table(columns=["x"], filter=ds.field("week") >= week(1))
    assert sorted(found["x"].to_pylist()) == [1, 2, 11, 12]
    with connect(bucket) as connection:
        counted = connection.execute(
            f"SELECT count(*), max(week) FROM read_parquet('{bucket.uri('marts/t/*.parquet')}')"
        ).fetchone()
    assert counted == (6, week(2))


def _bytes_asked(requests: list[Request]) -> int:
    total = 0
    for request in requests:
        start, _, end = request.headers["range"].removeprefix("bytes=").partition("-")
        total += int(end) + 1 - int(start)
    return total


def test_of_a_large_object_only_what_is_asked_for_is_read(remote: Bucket, proxy: Proxy) -> None:
    noise = np.random.default_rng(0).integers(0, 2**62, 2_000_000)
    parts = np.repeat(["a", "b", "c", "d"], 500_000)
    table = pa.table({"week": [FIRST] * len(noise), "part": parts, "x": noise, "y": noise})
    S3Tables(remote).replace(of_weeks(0), table.to_reader())
    (stored,) = remote.list()
    assert stored.size > 30 * MIB

    def asked(source: Slice) -> int:
        before = len(proxy.requests)
        tables = S3Tables(remote)
        found = tables.read(source)
        assert len(found) == tables.count(source)
        del proxy.requests[before:]
        S3Tables(remote).read(source)
        return _bytes_asked([r for r in proxy.requests[before:] if r.path.endswith(".parquet")])

    assert asked(of_weeks(0, columns=["part"])) < MIB
    assert asked(of_weeks(0, columns=["x"])) < 0.6 * stored.size
    assert asked(of_weeks(0, only={"part": "d"}, columns=["x"])) < 0.3 * stored.size
    assert asked(of_weeks(0, only={"part": "none"})) < MIB
    before = len(proxy.requests)
    assert S3Tables(remote).count(of_weeks(0)) == len(noise)
    assert _bytes_asked([r for r in proxy.requests[before:] if "range" in r.headers]) < MIB


def test_other_weeks_are_not_read(remote: Bucket, proxy: Proxy) -> None:
    tables = S3Tables(remote)
    for number in range(6):
        put(tables, number, [number])
    before = len(proxy.requests)
    assert values(S3Tables(remote), of_weeks(1, 2)) == [1, 2]
    read = {r.path[-18:-8] for r in proxy.requests[before:] if r.path.endswith(".parquet")}
    # And the one that was written last, for the columns of the table.
    assert len(read - {str(week(1)), str(week(2))}) <= 1


@given(
    st.lists(st.binary(max_size=20), max_size=20),
    st.lists(st.integers(0, 30), max_size=20),
)
def test_bytes_that_are_made_are_taken_in_order(pieces: list[bytes], sizes: list[int]) -> None:
    made = _Made()
    for piece in pieces:
        made.write(piece)
    taken = [made.take(size) for size in sizes] + [made.take(-1)]
    assert b"".join(taken) == b"".join(pieces)
    assert all(len(each) <= size for each, size in zip(taken, sizes, strict=False))
    assert made.waiting == 0


@pytest.mark.parametrize("size", [1, 1000, 1 << 20, -1])
def test_a_stream_is_one_file_however_it_is_read(size: int) -> None:
    table = pa.table({"x": range(3000), "s": ["é"] * 3000})
    stream = ParquetStream(table.to_reader())
    content = b"".join(iter(lambda: stream.read(size), b""))
    assert stream.rows == 3000
    assert pq.read_table(io.BytesIO(content)).equals(table)


@pytest.mark.parametrize(
    ("target", "table", "message"),
    [
        (of_weeks(0), rows(1, [1]), "has the week 2020-01-08, which is not in the days 2020-01-01"),
        (of_weeks(1), rows(0, [1]), "has the week 2020-01-01, which is not in"),
        (of_weeks(0, 1), rows(3, [1]), "has the week 2020-01-22, which is not in"),
        (of_weeks(0), pa.table({"week": pa.nulls(1, pa.date32()), "x": [1]}), "has the week None"),
        (of_weeks(0, 1), pa.table({"week": pa.nulls(1, pa.date32()), "x": [1]}), "the week None"),
        (Slice("marts", "t", (FIRST, FIRST + WEEK / 7)), rows(0, [1]), "by whole weeks"),
        (Slice("marts", "t", (FIRST, FIRST)), rows(0, [1]), "by whole weeks"),
        (Slice("marts", "t", only={"x": "1"}), rows(0, [1]), "replaced whole or by weeks"),
        (ALL, rows(0, [1]), "to be stored whole and is stored by weeks: delete marts/t/2020-01-01"),
    ],
)
def test_rows_that_belong_elsewhere_are_refused(
    bucket: Bucket, target: Slice, table: pa.Table, message: str
) -> None:
    tables = S3Tables(bucket)
    put(tables, 0, [7])
    with pytest.raises(TableError, match=message):
        tables.replace(target, table.to_reader())
    assert values(tables) == [7]
    assert len(list(bucket.list())) == 1


def test_a_whole_table_is_not_stored_by_weeks_beside_itself(bucket: Bucket) -> None:
    tables = S3Tables(bucket)
    tables.replace(ALL, rows(0, [7]).to_reader())
    with pytest.raises(TableError, match=r"stored by weeks and is stored whole: delete marts/t\.p"):
        put(tables, 0, [1])
    assert values(tables) == [7]


def test_missing_columns_are_told(bucket: Bucket) -> None:
    tables = S3Tables(bucket)
    put(tables, 0, [7])
    for more in ({"columns": ["x", "y"]}, {"only": {"y": "1"}}, {"by": "y"}):
        with pytest.raises(TableError, match=r"marts\.t has no column y: build it again"):
            tables.read(of_weeks(0, **more))


def test_weeks_of_other_types_are_told(bucket: Bucket) -> None:
    tables = S3Tables(bucket)
    put(tables, 0, [7])
    content: dict[str, Any] = {"week": [week(1)], "x": ["text"]}
    bucket.upload("marts/t/2020-01-08.parquet", ParquetStream(pa.table(content).to_reader()))
    with pytest.raises(TableError, match=r"weeks of marts\.t do not fit together, build them"):
        tables.read(ALL)


STREAMING = """
    import resource, sys
    from datetime import date
    import numpy as np, pyarrow as pa
    from hm_platform.storage.s3.bucket import Bucket
    from hm_platform.storage.s3.tables import S3Tables
    from hm_platform.storage.tables import Slice

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

    name, prefix, endpoint, batches = sys.argv[1:]
    week, end = date(2020, 1, 1), date(2020, 1, 8)
    schema = pa.schema([("week", pa.date32()), *((c, pa.int64()) for c in "abcd")])
    weeks = pa.array([week] * 100_000, pa.date32())

    def made(count):
        for number in range(count):
            noise = np.random.default_rng(number).integers(0, 2**62, 100_000)
            few = noise % 1000
            yield pa.record_batch([weeks, few, few + 1, few + 2, noise], schema)

    tables = S3Tables(Bucket(name, prefix, endpoint))
    source = Slice("marts", "t", (week, end))
    tables.replace(source, pa.RecordBatchReader.from_batches(schema, made(1)))
    small = peak()
    tables.replace(source, pa.RecordBatchReader.from_batches(schema, made(int(batches))))
    print(peak() - small)
    assert sum(len(batch) for batch in tables.stream(source)) == 100_000 * int(batches)
    print(peak() - small)
"""


def test_a_large_week_is_written_and_read_in_little_memory(bucket: Bucket, tmp_path: Path) -> None:
    """A table of 360 MB, of which 80 are noise."""
    script = tmp_path / "streaming.py"
    script.write_text(textwrap.dedent(STREAMING))
    done = subprocess.run(
        [sys.executable, script, bucket.name, bucket.prefix, bucket.endpoint, "100"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment(tmp_path)},
    )
    written, read = map(int, done.stdout.split())
    assert written < 300
    assert read < 340
