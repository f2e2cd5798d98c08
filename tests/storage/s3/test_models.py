"""Models and pages in a bucket."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pytest

from hm_platform.storage.model_folders import MANIFEST, ModelFolderError
from hm_platform.storage.s3.bucket import Bucket
from hm_platform.storage.s3.errors import S3Error
from hm_platform.storage.s3.models import S3Models
from hm_platform.storage.s3.pages import S3Pages
from tests.s3.proxy import Fault, Proxy

WEEK, EARLIER = date(2020, 9, 16), date(2020, 9, 9)
ONE, OTHER, OLD = "2020-09-16-0123456789", "2020-09-16-9876543210", "2020-09-09-0000000000"


def trained(folder: Path, version: str, weights: bytes = b"weights") -> Path:
    """A folder such as training leaves."""
    (folder / "curves").mkdir(parents=True)
    (folder / MANIFEST).write_text(json.dumps({"version": version}))
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "curves" / "loss.csv").write_text("")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def models_in(bucket: Bucket, tmp_path: Path) -> S3Models:
    return S3Models(bucket, "models/recommender", tmp_path / "cache")


def test_what_is_stored_is_what_is_read(bucket: Bucket, tmp_path: Path) -> None:
    models, folder = models_in(bucket, tmp_path), trained(tmp_path / "new", ONE)
    before = files(folder)
    address = models.store(WEEK, folder)
    assert address == f"s3://{bucket.name}/shop/production/models/recommender/{ONE}/"
    assert not folder.exists()
    assert files(models.folder_of(WEEK)) == files(models.folder_of_version(ONE)) == before
    assert models.version_of_week(WEEK) == ONE


def test_versions_stay_and_a_week_points_to_the_last(bucket: Bucket, tmp_path: Path) -> None:
    models = models_in(bucket, tmp_path)
    for week, version in ((EARLIER, OLD), (WEEK, OTHER), (WEEK, ONE)):
        models.store(week, trained(tmp_path / "new", version, version.encode()))
    assert models.versions() == [ONE, OTHER, OLD]
    assert models.version_of_week(WEEK) == ONE
    models.store(WEEK, trained(tmp_path / "new", OTHER, b"never looked at: a version is one"))
    assert models.version_of_week(WEEK) == OTHER
    assert files(models.folder_of(WEEK))["model.safetensors"] == OTHER.encode()


def test_what_is_not_there_is_told(bucket: Bucket, tmp_path: Path) -> None:
    models = models_in(bucket, tmp_path)
    assert models.versions() == []
    assert models.version_of_week(WEEK) is None
    with pytest.raises(ModelFolderError, match="no model is trained for week 2020-09-16"):
        models.folder_of(WEEK)
    for version in (ONE, "../../escape", "", "2020-09-16-0123456789/.."):
        with pytest.raises(ModelFolderError, match="there is no stored model"):
            models.folder_of_version(version)
    assert not (tmp_path / "cache").exists()


def test_a_store_that_fails_leaves_the_old_model(
    remote: Bucket, proxy: Proxy, tmp_path: Path
) -> None:
    models = models_in(remote, tmp_path)
    models.store(WEEK, trained(tmp_path / "old", OTHER))
    for pattern in ("loss.csv", "safetensors", "manifest", r"2020-09-16\.json"):
        proxy.rules.clear()
        proxy.on("PUT", pattern, Fault(answer=(403, "AccessDenied")))
        folder = trained(tmp_path / pattern, ONE)
        with pytest.raises(S3Error, match="denied"):
            models.store(WEEK, folder)
        assert models.version_of_week(WEEK) == OTHER
        # Only a whole version is one.
        assert models.versions() == ([ONE, OTHER] if "json" in pattern else [OTHER])
        assert folder.exists()
    proxy.rules.clear()
    models.store(WEEK, folder)
    assert files(models.folder_of(WEEK))["model.safetensors"] == b"weights"


def test_a_version_is_fetched_once(remote: Bucket, proxy: Proxy, tmp_path: Path) -> None:
    models = models_in(remote, tmp_path)
    models.store(WEEK, trained(tmp_path / "new", ONE))
    models.folder_of_version(ONE)
    fetched = len(proxy.sent("GET", ONE))
    models_in(remote, tmp_path).folder_of_version(ONE)
    assert len(proxy.sent("GET", ONE)) == fetched


def test_a_fetch_that_fails_leaves_nothing(remote: Bucket, proxy: Proxy, tmp_path: Path) -> None:
    models = models_in(remote, tmp_path)
    models.store(WEEK, trained(tmp_path / "new", ONE))
    proxy.on("GET", "safetensors", Fault(answer=(403, "AccessDenied")))
    with pytest.raises(S3Error, match="denied"):
        models.folder_of(WEEK)
    assert list((tmp_path / "cache").iterdir()) == []
    proxy.rules.clear()
    assert files(models.folder_of(WEEK))["model.safetensors"] == b"weights"


def test_what_a_killed_fetch_left_is_removed(bucket: Bucket, tmp_path: Path) -> None:
    models = models_in(bucket, tmp_path)
    models.store(WEEK, trained(tmp_path / "new", ONE))
    # No process has the greatest id that there can be.
    left = tmp_path / "cache" / f".{ONE}.{2**22}.tmp"
    left.mkdir(parents=True)
    assert models.folder_of(WEEK) == tmp_path / "cache" / ONE
    assert not left.exists()


def test_a_large_file_is_fetched_in_pieces(bucket: Bucket, tmp_path: Path) -> None:
    models, weights = models_in(bucket, tmp_path), bytes(range(256)) * (1 << 17)
    models.store(WEEK, trained(tmp_path / "new", ONE, weights))
    found = models.folder_of(WEEK) / "model.safetensors"
    assert found.read_bytes() == weights
    shutil.rmtree(tmp_path / "cache")


def test_pages_are_replaced_and_say_what_they_are(bucket: Bucket) -> None:
    pages = S3Pages(bucket, "reports")
    pages.write(WEEK, "<p>old</p>")
    address = pages.write(WEEK, "<p>žluťoučký</p>")
    assert address == pages.address(WEEK)
    assert address == f"s3://{bucket.name}/shop/production/reports/2020-09-16.html"
    found = bucket.client.get_object(
        Bucket=bucket.name, Key="shop/production/reports/2020-09-16.html"
    )
    assert found["ContentType"] == "text/html; charset=utf-8"
    assert found["Body"].read().decode() == "<p>žluťoučký</p>"
