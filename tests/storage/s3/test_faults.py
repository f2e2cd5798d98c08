"""Networks and servers that fail in the middle: what helps is tried again, and nothing is half."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pyarrow as pa
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from hm_platform.storage.s3 import bucket as bucket_module
from hm_platform.storage.s3 import duckdb_connection
from hm_platform.storage.s3.bucket import PAUSES, Bucket
from hm_platform.storage.s3.errors import S3Error
from hm_platform.storage.s3.tables import S3Tables
from tests.s3.proxy import WAIT_S, Fault, Proxy
from tests.storage.weekly import ALL, FIRST, content, of_weeks, put, rows, values

PART = 5 << 20
"""The least that S3 takes for a part."""

OBJECT = r"marts/t/2020-01-01\.parquet"


def large(seed: int, rows_: int = 1_500_000) -> pa.Table:
    """A week that takes three parts, since nothing can be made of it that is smaller."""
    numbers = np.random.default_rng(seed).integers(0, 2**62, rows_)
    return pa.table({"week": [FIRST] * rows_, "x": numbers})


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=2)
    monkeypatch.setattr(bucket_module, "TRANSFER", config)


PASSING = {
    "busy": Fault(answer=(503, "SlowDown")),
    "broken": Fault(answer=(500, "InternalError")),
    "dropped": Fault(drop=True),
    "lost": Fault(lose=True),
}
BREAKING_OFF = {"cut": Fault(cut_after=200), "reset": Fault(reset_after=200)}


@pytest.mark.parametrize("name", [*PASSING, *BREAKING_OFF])
def test_what_passes_is_not_noticed_by_who_reads(
    remote: Bucket, proxy: Proxy, waits: list[float], name: str
) -> None:
    tables = S3Tables(remote)
    put(tables, 0, [1, 2])
    put(tables, 1, [3])
    for pattern in ("list-type", OBJECT):
        proxy.on("GET", pattern, {**PASSING, **BREAKING_OFF}[name], times=2)
    # Others than the tables that have written, which have kept what they read.
    assert values(S3Tables(remote)) == [1, 2, 3]
    assert len(waits) == 4


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_not_noticed_by_who_writes(
    remote: Bucket, proxy: Proxy, waits: list[float], name: str
) -> None:
    tables = S3Tables(remote)
    put(tables, 0, [1])
    proxy.on("PUT", OBJECT, PASSING[name], times=3)
    put(tables, 0, [2, 3])
    assert values(tables) == [2, 3]


@pytest.mark.parametrize("name", ["busy", "dropped", "lost"])
def test_a_part_that_does_not_arrive_is_sent_again(
    remote: Bucket, proxy: Proxy, waits: list[float], name: str
) -> None:
    tables = S3Tables(remote)
    put(tables, 0, [1])
    proxy.on("POST", "uploads", PASSING[name], times=1)
    proxy.on("PUT", "partNumber=2", PASSING[name], times=2)
    sent = large(1)
    tables.replace(of_weeks(0), sent.to_reader())
    assert len(proxy.sent("PUT", "partNumber=")) == 5
    assert tables.read(of_weeks(0)).equals(sent)


@pytest.mark.parametrize("name", ["busy", "dropped"])
@pytest.mark.parametrize(
    ("method", "pattern"),
    [("POST", "uploads"), ("PUT", "partNumber=2"), ("POST", "uploadId")],
    ids=["begin", "part", "end"],
)
def test_an_upload_that_fails_leaves_the_old_object_and_no_parts(
    remote: Bucket, proxy: Proxy, waits: list[float], name: str, method: str, pattern: str
) -> None:
    tables = S3Tables(remote)
    put(tables, 0, [1])
    proxy.on(method, pattern, PASSING[name])
    with pytest.raises(S3Error, match=r"cannot write s3://\S+/marts/t/2020-01-01\.parquet"):
        tables.replace(of_weeks(0), large(1).to_reader())
    assert content(tables) == [{"week": FIRST, "x": 1}]
    # A request to begin that was not answered may have begun one.
    if pattern != "uploads":
        assert remote.sweep(timedelta(0)) == 0


def test_an_upload_whose_last_answer_is_lost_is_whole_and_told(
    remote: Bucket, proxy: Proxy, waits: list[float]
) -> None:
    tables = S3Tables(remote)
    put(tables, 0, [1])
    proxy.on("POST", "uploadId", PASSING["lost"], times=1)
    # Not every server knows what it has put together.
    proxy.on("POST", "uploadId", Fault(answer=(404, "NoSuchUpload")), times=1)
    sent = large(1)
    with pytest.raises(S3Error, match=r"the answer got lost.*run this again"):
        tables.replace(of_weeks(0), sent.to_reader())
    assert tables.read(of_weeks(0)).equals(sent)
    assert tables.replace(of_weeks(0), sent.to_reader()).rows == len(sent)


def test_a_range_of_weeks_that_fails_in_the_middle_has_whole_weeks(
    remote: Bucket, proxy: Proxy, waits: list[float]
) -> None:
    tables = S3Tables(remote)
    for number in range(3):
        put(tables, number, [number])
    some = pa.concat_tables([rows(number, [10 + number]) for number in range(3)])
    proxy.on("PUT", r"2020-01-08\.parquet", Fault(answer=(503, "SlowDown")))
    with pytest.raises(S3Error, match="too busy"):
        tables.replace(of_weeks(0, 2), some.to_reader())
    assert values(tables) == [1, 10, 2]
    proxy.rules.clear()
    tables.replace(of_weeks(0, 2), some.to_reader())
    assert values(tables) == [10, 11, 12]


@pytest.mark.parametrize("name", BREAKING_OFF)
def test_answers_that_always_break_off_are_told(
    remote: Bucket, proxy: Proxy, waits: list[float], name: str
) -> None:
    tables = S3Tables(remote)
    put(tables, 0, [1])
    proxy.on("GET", OBJECT, BREAKING_OFF[name])
    with pytest.raises(S3Error, match=r"answers of http\S+ broke off: check the network"):
        tables.read(ALL)
    assert len(waits) == len(PAUSES)


@pytest.mark.parametrize("times", [2, 1_000_000], ids=["passes", "stays"])
def test_a_server_that_does_not_answer_is_not_waited_for(
    bucket: Bucket, proxy: Proxy, waits: list[float], times: int
) -> None:
    class Impatient(boto3.session.Session):
        def client(self, name: str, *, config: Config, **options: Any) -> Any:
            quick = config.merge(Config(read_timeout=0.2))
            return super().client(name, config=quick, **options)

    bucket.write("k", b"content")
    remote = Bucket(bucket.name, bucket.prefix, proxy.endpoint, make_session=Impatient)
    # Nothing is answered until the test is over.
    over = threading.Event()
    proxy.on("GET", "/k", Fault(before=lambda: over.wait(WAIT_S)), times=times)
    try:
        if times == 2:
            assert remote.read("k") == b"content"
        else:
            with pytest.raises(S3Error, match=r"no answer from http\S+ .*ReadTimeout"):
                remote.read("k")
    finally:
        over.set()
    assert len(proxy.sent("GET", "/k")) == min(times + 1, bucket_module.ATTEMPTS)


@pytest.mark.parametrize("name", [*PASSING, *BREAKING_OFF])
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_what_passes_is_not_noticed_by_sql(
    remote: Bucket, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, name: str, method: str
) -> None:
    monkeypatch.setitem(duckdb_connection.HTTP_SETTINGS, "http_retry_wait_ms", 1)
    tables = S3Tables(remote)
    put(tables, 0, list(range(1000)))
    rule = proxy.on(method, OBJECT, {**PASSING, **BREAKING_OFF}[name], times=2)
    with tables.sql(of_weeks(0)) as connection:
        found = connection.execute("SELECT count(*), sum(x) FROM marts.t").fetchone()
    assert found == (1000, 499_500)
    assert rule.happened == 2 or method == "HEAD"


def writes(monkeypatch: pytest.MonkeyPatch, step: int, room: int) -> None:
    """Have the system write ``step`` bytes at a time, and no more than ``room`` in all."""
    write, left = os.pwrite, [room]

    def short(descriptor: int, content: memoryview, start: int) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = write(descriptor, content[: min(step, left[0])], start)
        left[0] -= written
        return written

    monkeypatch.setattr(bucket_module, "CONNECTIONS", 1)
    monkeypatch.setattr(os, "pwrite", short)


def test_what_is_downloaded_is_whole_or_an_error(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "PART_BYTES", 8)
    content = b"twenty bytes of text"
    bucket.write("k", content)
    (found,) = bucket.list()
    with monkeypatch.context() as patched:
        writes(patched, step=3, room=20)
        bucket.download(found, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == content
    writes(monkeypatch, step=3, room=19)
    with pytest.raises(OSError, match="No space left"):
        bucket.download(found, tmp_path / "file")


def test_a_file_that_lost_bytes_meanwhile_is_an_error(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.write("k", b"content")
    (found,) = bucket.list()
    monkeypatch.setattr(os, "pwrite", lambda descriptor, content, start: len(content))
    with pytest.raises(OSError, match="0 of 7 bytes were written"):
        bucket.download(found, tmp_path / "file")


def test_an_answer_without_all_bytes_of_its_range_is_an_error(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a server between that counts for itself how long its answer is."""
    bucket.write("k", b"content")
    (found,) = bucket.list()
    get = Bucket._get

    def cut(self: Bucket, key: str, **options: str) -> tuple[bytes, str]:
        content, etag = get(self, key, **options)
        return content[:-1], etag

    monkeypatch.setattr(Bucket, "_get", cut)
    reads: list[Callable[[], object]] = [
        lambda: bucket.download(found, tmp_path / "file"),
        lambda: bucket.read_version(found, 2, 5),
    ]
    for read, told in zip(reads, ("6 of the 7 bytes", "2 of the 3 bytes"), strict=True):
        with pytest.raises(S3Error, match=told):
            read()
