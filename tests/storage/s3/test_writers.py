"""Several processes at a bucket: writers that are killed, or side by side, and readers."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from hm_platform.storage.s3 import duckdb_connection
from hm_platform.storage.s3.bucket import Bucket
from hm_platform.storage.s3.errors import ChangedObjectError
from hm_platform.storage.s3.reading import SMALL_BYTES
from hm_platform.storage.s3.tables import S3Tables
from hm_platform.storage.tables import Slice
from tests.s3.fixtures import environment
from tests.s3.proxy import WAIT_S, Fault, Proxy
from tests.storage.weekly import ALL, FIRST, WEEK, content, of_weeks, put, rows, values

WRITER = """
    import sys
    from datetime import date, timedelta
    import numpy as np, pyarrow as pa
    from hm_platform.storage.s3.bucket import Bucket
    from hm_platform.storage.s3.tables import S3Tables
    from hm_platform.storage.tables import Slice

    name, prefix, endpoint, first, parts = sys.argv[1:]
    week = date.fromisoformat(first)
    schema = pa.schema([("week", pa.date32()), ("x", pa.int64())])

    def batches():
        for part in range(int(parts)):
            numbers = np.random.default_rng(part).integers(0, 2**62, 600_000)
            yield pa.record_batch([pa.array([week] * len(numbers)), numbers], schema)
        print("sent", flush=True)
        sys.stdin.readline()

    rows = pa.RecordBatchReader.from_batches(schema, batches())
    days = (week, week + timedelta(days=7))
    S3Tables(Bucket(name, prefix, endpoint)).replace(Slice("marts", "t", days), rows)
    print("done", flush=True)
"""


@contextmanager
def writing(bucket: Bucket, folder: Path, first: date, parts: int) -> Iterator[subprocess.Popen]:
    """A process that writes a week, and waits for a line of input before it ends the write."""
    # DuckDB takes a process without a script for a person's, and shows a progress bar.
    script = folder / "writer.py"
    script.write_text(textwrap.dedent(WRITER))
    arguments = [bucket.name, bucket.prefix, bucket.endpoint, str(first), str(parts)]
    process = subprocess.Popen(
        [sys.executable, script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment(folder)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line(process: subprocess.Popen) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go_on(process: subprocess.Popen) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_a_writer_killed_in_the_middle_leaves_the_old_object_and_parts_to_sweep(
    remote: Bucket, proxy: Proxy, tmp_path: Path
) -> None:
    tables = S3Tables(remote)
    put(tables, 0, [1])
    sent = threading.Event()
    proxy.on("PUT", "partNumber=1", Fault(before=sent.set))
    with writing(remote, tmp_path, FIRST, parts=8) as process:
        assert line(process) == "sent"
        assert sent.wait(WAIT_S)
        process.kill()
        process.wait(WAIT_S)
    assert content(tables) == [{"week": FIRST, "x": 1}]
    # The server gives every upload an age of some years.
    assert remote.sweep(timedelta(days=36_500)) == 0
    assert remote.sweep() == 1
    assert remote.sweep() == 0
    put(tables, 0, [2])
    assert values(tables) == [2]


def test_the_next_writer_sweeps_what_is_old(
    bucket: Bucket, unswept: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = f"{bucket.prefix}/marts/t/2020-01-01.parquet"
    elsewhere = "shop/production-2/marts/t/2020-01-01.parquet"
    for each in (key, elsewhere):
        bucket.client.create_multipart_upload(Bucket=bucket.name, Key=each)
    monkeypatch.setattr(Bucket.sweep, "__defaults__", (timedelta(0),))
    tables = S3Tables(bucket)
    put(tables, 0, [1])
    left = bucket.client.list_multipart_uploads(Bucket=bucket.name)
    assert [each["Key"] for each in left["Uploads"]] == [elsewhere]


def test_two_processes_write_two_weeks_at_once(bucket: Bucket, tmp_path: Path) -> None:
    tables = S3Tables(bucket)
    with (
        writing(bucket, tmp_path, FIRST, parts=1) as one,
        writing(bucket, tmp_path, FIRST + WEEK, parts=1) as other,
    ):
        # Both are in the middle of their write, and neither waits for the other.
        assert [line(one), line(other)] == ["sent", "sent"]
        assert not tables.exists("marts", "t")
        go_on(other)
        assert line(other) == "done"
        assert tables.count(ALL) == 600_000
        go_on(one)
        assert line(one) == "done"
    assert [tables.count(of_weeks(number)) for number in (0, 1)] == [600_000, 600_000]


def test_of_two_writers_of_a_week_one_has_written_it(bucket: Bucket) -> None:
    def write(number: int) -> None:
        S3Tables(bucket).replace(of_weeks(0), rows(0, [number] * 50_000).to_reader())

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(8)))
    found = S3Tables(bucket).read(of_weeks(0))["x"].to_pylist()
    assert len(found) == 50_000
    assert len(set(found)) == 1


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_readers_see_whole_versions(bucket: Bucket, large: bool) -> None:
    # Of random numbers nothing can be left out: the object is large.
    noise = np.random.default_rng(0).integers(0, 2**62, 700_000 if large else 1000)

    def version(number: int) -> pa.Table:
        return rows(0, [number] * len(noise), noise=noise.tolist())

    versions = [version(number).combine_chunks() for number in range(2)]
    S3Tables(bucket).replace(of_weeks(0), versions[0].to_reader())
    (stored,) = bucket.list()
    assert (stored.size > SMALL_BYTES) is large
    over = threading.Event()

    def write() -> None:
        for number in range(4):
            S3Tables(bucket).replace(of_weeks(0), versions[(number + 1) % 2].to_reader())

    def read() -> int:
        reads = 0
        tables = S3Tables(bucket)
        while not over.is_set() or not reads:
            found = tables.read(of_weeks(0))
            assert len(found) == len(noise)
            assert len(found["x"].unique()) == 1
            assert tables.count(of_weeks(0)) == len(noise)
            reads += 1
        return reads

    with ThreadPoolExecutor(3) as threads:
        readers = [threads.submit(read) for _ in range(2)]
        try:
            threads.submit(write).result()
        finally:
            over.set()
        assert all(reader.result() for reader in readers)


def test_what_is_read_in_pieces_is_one_version(bucket: Bucket) -> None:
    bucket.write("k", b"0123456789")
    (listed,) = bucket.list()
    assert bucket.read_version(listed, 0, 4) == b"0123"
    bucket.write("k", b"abcdefghij")
    with pytest.raises(ChangedObjectError, match="run this again"):
        bucket.read_version(listed, 4, 8)


def test_a_large_object_that_is_replaced_is_read_again(remote: Bucket, proxy: Proxy) -> None:
    tables, noise = S3Tables(remote), np.random.default_rng(0).integers(0, 2**62, 700_000)
    table = pa.table({"week": [FIRST] * len(noise), "x": noise})
    tables.replace(of_weeks(0), table.to_reader())
    newer = table.set_column(1, "x", pa.array(noise + 1))

    def replace() -> None:
        S3Tables(remote).replace(of_weeks(0), newer.to_reader())

    proxy.on("GET", r"2020-01-01\.parquet", Fault(before=replace), skip=1, times=1)
    assert tables.read(of_weeks(0)).equals(newer)


def test_a_stream_of_a_large_object_that_is_replaced_breaks_off(
    remote: Bucket, proxy: Proxy
) -> None:
    tables, noise = S3Tables(remote), np.random.default_rng(0).integers(0, 2**62, 1_200_000)
    table = pa.table({"week": [FIRST] * len(noise), "x": noise})
    tables.replace(of_weeks(0), table.to_reader())
    stream = tables.stream(of_weeks(0))
    put(S3Tables(remote), 0, [1])
    with pytest.raises(ChangedObjectError, match="somebody replaced it at the same time"):
        stream.read_all()


def test_sql_does_not_mix_versions(
    remote: Bucket, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(duckdb_connection.HTTP_SETTINGS, "http_retries", 0)
    tables, noise = S3Tables(remote), np.random.default_rng(0).integers(0, 2**62, 700_000)
    table = pa.table({"week": [FIRST] * len(noise), "x": noise, "v": np.zeros(len(noise))})
    tables.replace(of_weeks(0), table.to_reader())
    newer = table.set_column(2, "v", pa.array(np.ones(len(noise))))
    swap = Fault(before=lambda: S3Tables(remote).replace(of_weeks(0), newer.to_reader()))

    def ask() -> None:
        with tables.sql(ALL) as db:
            proxy.on("GET", r"2020-01-01\.parquet", swap, times=1)
            db.execute("SELECT v, sum(x) FROM marts.t GROUP BY v").fetchall()

    with pytest.raises(ChangedObjectError, match="somebody replaced"):
        ask()


def test_a_content_that_comes_back_is_the_one_that_is_read(remote: Bucket, proxy: Proxy) -> None:
    """An ETag that was listed is never taken for what came after it."""
    tables = S3Tables(remote)
    put(tables, 0, [1])

    def replace() -> None:
        put(S3Tables(remote), 0, [2])

    proxy.on("GET", r"2020-01-01\.parquet", Fault(before=replace), times=1)
    assert values(tables) == [2]
    proxy.rules.clear()
    put(S3Tables(remote), 0, [1])
    assert values(tables) == [1]


def test_a_week_of_another_table_is_nobodys(bucket: Bucket) -> None:
    tables = S3Tables(bucket)
    tables.replace(Slice("marts", "u", of_weeks(0).days), rows(0, [5]).to_reader())
    put(tables, 0, [1])
    assert values(tables, Slice("marts", "u")) == [5]
