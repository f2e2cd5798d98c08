"""Landing into a bucket: what `hm land` does there is what it does to a folder."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from hm_platform.landing.errors import LandingError
from hm_platform.landing.s3_zone import S3LandingZone
from hm_platform.landing.writing import Landed
from hm_platform.landing.zone import DatasetInfo, LandingZone
from hm_platform.storage.s3.bucket import PART_BYTES, Bucket, etag_of
from hm_platform.storage.s3.errors import S3Error
from tests.s3.proxy import Fault, Proxy

SHOP = DatasetInfo("shop", date(2018, 9, 19))


def landing(files: dict[str, bytes], info: DatasetInfo = SHOP) -> Callable[[LandingZone], Landed]:
    """Lands these files, and removes what else there is."""

    def land(zone: LandingZone) -> Landed:
        zone.write_dataset_info(info)
        before = {file.uri for file in zone.files("transactions")}
        for uri, content in files.items():
            path = zone.root / uri
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        removed = tuple(sorted(before - files.keys()))
        for uri in removed:
            (zone.root / uri).unlink()
        return Landed(info.name, tuple(files), (), removed, 0, None, None)

    return land


@pytest.mark.parametrize("size", [0, 1, PART_BYTES - 1, PART_BYTES, 2 * PART_BYTES + 1])
def test_the_etag_of_a_file_is_the_servers(bucket: Bucket, tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    with path.open("rb") as content:
        bucket.upload("k", content)
    found = bucket.head("k")
    assert found is not None
    assert (found.etag, found.size) == (etag_of(path), size)


def test_only_what_is_not_there_is_sent(remote: Bucket, proxy: Proxy) -> None:
    zone = S3LandingZone(remote)
    files = {"transactions/a.csv": b"a", "transactions/b.csv": b"b"}
    first = zone.land(landing(files))
    assert (first.written, first.unchanged) == (tuple(files), ())
    assert zone.dataset() == SHOP
    sent = len(proxy.sent("PUT"))
    again = zone.land(landing(files))
    assert (again.written, again.unchanged) == ((), tuple(files))
    assert len(proxy.sent("PUT")) == sent
    third = zone.land(landing({"transactions/b.csv": b"B"}))
    assert (third.written, third.removed) == (("transactions/b.csv",), ("transactions/a.csv",))
    assert [each.key for each in remote.list()] == ["dataset.toml", "transactions/b.csv"]
    assert remote.read("transactions/b.csv") == b"B"


def test_another_data_set_is_refused_with_the_address_of_the_zone(bucket: Bucket) -> None:
    zone = S3LandingZone(bucket)
    zone.land(landing({"transactions/a.csv": b"a"}))
    other = DatasetInfo("other", date(2018, 9, 19))
    with pytest.raises(LandingError, match=rf"s3://{bucket.name}/\S+ already holds .*'shop'"):
        zone.land(landing({"transactions/b.csv": b"b"}, other))
    assert [each.key for each in bucket.list()] == ["dataset.toml", "transactions/a.csv"]


def test_a_landing_that_breaks_off_is_finished_by_the_next(remote: Bucket, proxy: Proxy) -> None:
    zone, files = S3LandingZone(remote), {f"transactions/{name}.csv": b"x" for name in "abc"}
    proxy.on("PUT", r"b\.csv", Fault(answer=(403, "AccessDenied")))
    with pytest.raises(S3Error, match="denied"):
        zone.land(landing(files))
    assert zone.dataset() is None
    proxy.rules.clear()
    landed = zone.land(landing(files))
    assert landed.unchanged == ("transactions/a.csv",)
    assert zone.dataset() == SHOP
    assert len(zone.files("transactions")) == 3
