"""A landing zone in a bucket: the same files give the same index and rows as in a folder."""

from __future__ import annotations

import errno
import gzip
import os
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hm_platform.landing import index as index_module
from hm_platform.landing.errors import LandingError
from hm_platform.landing.loading import (
    read_articles,
    read_customers,
    read_quarantine,
    read_transactions,
)
from hm_platform.landing.s3_zone import S3LandingZone
from hm_platform.landing.scratch import LOCK
from hm_platform.landing.zone import DatasetInfo, Landing, LandingZone, landing_at
from hm_platform.storage.s3.bucket import Bucket
from tests.landing.landed import (
    BAD,
    CALENDAR,
    END,
    GOOD,
    HEADER,
    by_uri,
    good,
    header,
    index,
    put,
    put_parquet,
    put_transactions,
    row,
    transactions,
)
from tests.s3.proxy import Fault, Proxy

CONTENT = "\n".join([HEADER, GOOD, BAD, ""]).encode()


@pytest.fixture(autouse=True)
def _settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "SETTLED_S", 0.0)


@pytest.fixture
def remote_zone(remote: Bucket) -> S3LandingZone:
    return S3LandingZone(remote)


def upload(zone: LandingZone, bucket: Bucket) -> None:
    """Copy a folder to a bucket."""
    for path in sorted(zone.root.rglob("*")):
        if path.is_file():
            bucket.write(path.relative_to(zone.root).as_posix(), path.read_bytes())


def told(zone: Landing) -> list[dict[str, Any]]:
    """The index, but for what says when and where a file was put."""
    found = index(zone).to_pylist()
    for entry in found:
        del entry["stamp"]
        # DuckDB names the file that it has read, which has another name each time.
        entry["reason"] = re.sub(r"'/\S+'", "it", entry["reason"] or "")
    return found


READERS: dict[str, Callable[[Any, pa.Table], pa.RecordBatchReader]] = {
    "articles": read_articles,
    "customers": read_customers,
    "transactions": lambda zone, found: read_transactions(zone, found, CALENDAR.first_week, END),
    "quarantine": read_quarantine,
}


def test_the_same_files_give_the_same_index_and_rows(zone: LandingZone, bucket: Bucket) -> None:
    put_transactions(zone, "plain.csv", *good(1, 2), BAD)
    put(zone, "transactions/2018/zipped.CSV.gz", gzip.compress(CONTENT))
    put_parquet(
        zone,
        "transactions/typed.parquet",
        {
            "t_dat": [date(2018, 9, 27)],
            "customer_id": ["c9"],
            "article_id": ["0108775015"],
            "price": [0.5],
            "sales_channel_id": [2],
        },
    )
    put_transactions(zone, "later copy of plain.csv", *good(1, 2), BAD)
    put(zone, "transactions/broken.parquet", b"PAR1 and nothing more")
    put(zone, "transactions/empty.csv", b"")
    put(zone, "transactions/odd 'name' *?[x]{a,b}=ä%20+&.csv", [HEADER, *good(7)])
    put(zone, f"transactions/{'long' * 50}.csv", [HEADER, *good(8)])
    put(zone, "articles/a.csv", [header("articles"), row("articles", article_id="0108775015")])
    put(zone, "customers/c.csv", [header("customers"), row("customers", customer_id="c1")])
    upload(zone, bucket)
    there = S3LandingZone(bucket)
    assert told(there) == told(zone)
    for read in READERS.values():
        here = read(zone, index(zone)).read_all()
        assert read(there, index(there)).read_all().equals(here)
        assert len(here) > 0
    assert [path.name for path in Path(there.copies.name).iterdir()] == [LOCK]


def test_what_does_not_count_is_left_out(bucket: Bucket) -> None:
    for name in (
        "transactions/", "transactions/.hidden.csv", "transactions/.folder/a.csv",
        "transactions/a.csv.part", "transactions/a.csv.tmp", "transactions/notes.txt",
        "transactions/parquet", "transactions2/a.csv", "a.csv", "transactions.csv",
    ):  # fmt: skip
        bucket.write(name, CONTENT)
    bucket.write("transactions/b/Ä.csv", CONTENT)
    bucket.write("transactions/a.PARQUET", CONTENT)
    zone = S3LandingZone(bucket)
    assert [file.uri for file in zone.files("transactions")] == [
        "transactions/a.PARQUET",
        "transactions/b/Ä.csv",
    ]
    assert zone.files("articles") == []


@pytest.mark.parametrize("name", ["x" * 900 + ".csv", "a.\x01.csv", "a//b.csv", "a\\b.csv"])
def test_names_that_no_folder_has(bucket: Bucket, name: str) -> None:
    bucket.write(f"transactions/{name}", CONTENT)
    zone = S3LandingZone(bucket)
    (entry,) = by_uri(index(zone)).values()
    assert (entry["uri"], entry["state"], entry["rows"]) == (f"transactions/{name}", "loaded", 2)
    assert len(transactions(zone)) == 1


def test_only_changed_objects_are_fetched(
    remote: Bucket, remote_zone: S3LandingZone, proxy: Proxy
) -> None:
    for number in range(5):
        remote.write(f"transactions/{number}.csv", "\n".join([HEADER, *good(number), ""]).encode())
    first = index(remote_zone)
    assert len(proxy.sent("GET", r"\d\.csv")) == 5
    assert index(remote_zone, first).equals(first)
    assert len(proxy.sent("GET", r"\d\.csv")) == 5
    assert len(proxy.sent("HEAD", r"\d\.csv")) == 5
    remote.write("transactions/3.csv", CONTENT)
    remote.write("transactions/5.csv", "\n".join([HEADER, *good(5), ""]).encode())
    second = by_uri(index(remote_zone, first))
    fetched = [each.path[-5:] for each in proxy.sent("GET", r"\d\.csv")]
    assert sorted(fetched[5:]) == ["3.csv", "5.csv"]
    assert second["transactions/3.csv"]["rows_quarantined"] == 1


def test_loading_fetches_what_the_weeks_need(
    remote: Bucket, remote_zone: S3LandingZone, proxy: Proxy
) -> None:
    for name, day in (("a", date(2018, 9, 20)), ("b", date(2018, 9, 27))):
        remote.write(
            f"transactions/{name}.csv", "\n".join([HEADER, *good(1, day=day), ""]).encode()
        )
    found = index(remote_zone)
    before = len(proxy.sent("GET", r"\.csv"))
    rows = read_transactions(remote_zone, found, date(2018, 9, 26), date(2018, 10, 3)).read_all()
    assert rows["t_dat"].to_pylist() == [date(2018, 9, 27)]
    assert [each.path[-5:] for each in proxy.sent("GET", r"\.csv")[before:]] == ["b.csv"]


def test_an_object_replaced_while_it_is_indexed_is_pending(
    remote: Bucket, remote_zone: S3LandingZone, proxy: Proxy
) -> None:
    remote.write("transactions/a.csv", CONTENT)
    other = "\n".join([HEADER, *good(1, 2, 3), ""]).encode()

    def replace() -> None:
        remote.write("transactions/a.csv", other)

    for method in ("GET", "HEAD"):
        remote.write("transactions/a.csv", CONTENT)
        proxy.on(method, r"a\.csv", Fault(before=replace), times=1)
        (entry,) = by_uri(index(remote_zone)).values()
        assert entry["state"] == "pending"
        assert entry["rows"] is None
    (entry,) = by_uri(index(remote_zone)).values()
    assert (entry["state"], entry["rows"]) == ("loaded", 3)


def test_an_object_that_goes_while_it_is_indexed_is_not_there(
    remote: Bucket, remote_zone: S3LandingZone, proxy: Proxy
) -> None:
    for method in ("GET", "HEAD"):
        remote.write("transactions/a.csv", CONTENT)
        gone = Fault(before=lambda: remote.delete(["transactions/a.csv"]))
        proxy.on(method, r"a\.csv", gone, times=1)
        assert index(remote_zone).num_rows == 0


@pytest.mark.parametrize("change", ["replaced", "removed"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_object_that_changes_while_it_is_loaded_loads_nothing(
    remote: Bucket, remote_zone: S3LandingZone, proxy: Proxy, change: str, method: str
) -> None:
    remote.write("transactions/a.csv", CONTENT)
    found = index(remote_zone)

    def touch() -> None:
        if change == "removed":
            remote.delete(["transactions/a.csv"])
        else:
            remote.write("transactions/a.csv", b"something else")

    proxy.on(method, r"a\.csv", Fault(before=touch), times=1)
    with pytest.raises(LandingError, match=r"transactions/a\.csv .*(gone|replaced|changed)"):
        read_transactions(remote_zone, found, CALENDAR.first_week, END).read_all()


def test_what_came_of_an_object_before_it_failed_takes_no_room(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone = S3LandingZone(bucket)
    bucket.write("transactions/a.csv", "\n".join([HEADER, *good(*range(100)), ""]).encode())
    bucket.write("transactions/b.csv", CONTENT)
    write = os.pwrite

    def full(descriptor: int, content: bytes, start: int) -> int:
        """Of a disk with room for the small object alone."""
        used = sum(path.stat().st_size for path in Path(zone.copies.name).iterdir())
        room = 2 * len(CONTENT) - used
        if room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, content[:room], start)

    monkeypatch.setattr(os, "pwrite", full)
    found = by_uri(index(zone))
    assert {uri: entry["state"] for uri, entry in found.items()} == {
        "transactions/a.csv": "held",
        "transactions/b.csv": "loaded",
    }
    assert found["transactions/a.csv"]["reason"].endswith("No space left on device")
    assert [path.name for path in Path(zone.copies.name).iterdir()] == [LOCK]


def test_a_hundred_thousand_objects_are_listed(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    class Pages:
        """What boto3's paginator gives, a thousand objects at a time."""

        def paginate(self, **options: Any) -> Any:
            asked.append(options)
            for page in range(100):
                numbers = range(1000 * page, 1000 * (page + 1))
                yield {
                    "Contents": [
                        {
                            "Key": f"{options['Prefix']}{number:06}.csv",
                            "Size": number,
                            "ETag": f'"{number}"',
                            "LastModified": datetime(2020, 1, 1, tzinfo=UTC),
                        }
                        for number in numbers
                    ]
                }

    monkeypatch.setattr(bucket.client, "get_paginator", lambda name: Pages())
    files = S3LandingZone(bucket).files("transactions")
    assert len({file.uri for file in files}) == len({file.path for file in files}) == 100_000
    assert files[-1].stamp == "99999-99999"
    assert len(asked) == 1


def test_listings_come_in_pages(
    bucket: Bucket, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone = landing_at(f"s3://{bucket.name}/zone", proxy.endpoint)
    assert isinstance(zone, S3LandingZone)
    for number in range(7):
        zone.bucket.write(f"transactions/{number}.csv", CONTENT)
    client = zone.bucket.client
    paginator = client.get_paginator("list_objects_v2")

    class Small:
        def paginate(self, **options: Any) -> Any:
            return paginator.paginate(**options, PaginationConfig={"PageSize": 3})

    monkeypatch.setattr(client, "get_paginator", lambda name: Small())
    assert len(zone.files("transactions")) == 7
    assert len(proxy.sent("GET", "list-type")) == 3
    assert len(proxy.sent("GET", "continuation-token")) == 2


def test_the_data_set_is_told_by_its_file(bucket: Bucket) -> None:
    zone = S3LandingZone(bucket)
    assert zone.dataset() is None
    bucket.write("dataset.toml", b'name = "shop"\nfirst_week = 2018-09-19\n')
    assert zone.dataset() == DatasetInfo("shop", date(2018, 9, 19))
    bucket.write("dataset.toml", b"name = \xff")
    with pytest.raises(LandingError, match=r"s3://\S+/dataset\.toml cannot be read"):
        zone.dataset()


def test_copies_go_with_the_zone(bucket: Bucket) -> None:
    bucket.write("transactions/a.csv", CONTENT)
    (file,) = S3LandingZone(bucket).files("transactions")
    with file.open() as content:
        assert content.read() == CONTENT
    folder = file.path.parent
    assert file.path.exists()
    file.release()
    assert not file.path.exists()
    del file
    assert not folder.exists()
