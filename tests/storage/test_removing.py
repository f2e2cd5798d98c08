"""Weeks of tables and versions of models are removed, from a file and from a bucket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from hm_platform.calendar import WEEK
from hm_platform.storage import model_folders
from hm_platform.storage.local import ModelFolders, Warehouse
from hm_platform.storage.model_folders import ModelFolderError
from hm_platform.storage.places import Storage
from hm_platform.storage.s3.models import S3Models
from hm_platform.storage.tables import Slice, StoredWeek
from tests.s3.server import serving_at
from tests.storage import places

FIRST = date(2018, 9, 19)
WEEKS = [FIRST + WEEK * number for number in range(4)]
VERSION = f"{FIRST}-0123456789"
OTHER = f"{FIRST}-aaaaaaaaaa"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serving_at() as address:
        yield address


@pytest.fixture(params=places.KINDS)
def storage(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    endpoint: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Storage:
    places.credentials(monkeypatch)
    return places.empty(request.param, tmp_path / "home", endpoint)


def of(week: date, end: date | None = None) -> Slice:
    return Slice("features", "t", (week, end or week + WEEK))


def fill(storage: Storage) -> None:
    for number, week in enumerate(WEEKS, 1):
        rows = pa.table({"week": pa.array([week] * number, pa.date32()), "x": range(number)})
        storage.tables.replace(of(week), rows.to_reader())


def weeks(storage: Storage) -> list[date]:
    return [each.week for each in storage.tables.weeks("features", "t")]


def trained(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"version": version}))
    (folder / "weights.safetensors").write_bytes(b"w" * 1000)
    return folder


def test_weeks_are_listed_with_what_is_known_of_them(storage: Storage) -> None:
    assert storage.tables.weeks("features", "t") == []
    fill(storage)
    found = storage.tables.weeks("features", "t")
    assert [each.week for each in found] == WEEKS
    if isinstance(storage.tables, Warehouse):
        assert found == [StoredWeek(week, rows=n) for n, week in enumerate(WEEKS, 1)]
    else:
        assert all(each.bytes and each.rows is None for each in found)


def test_the_weeks_of_a_slice_go_and_the_others_stay(storage: Storage) -> None:
    fill(storage)
    storage.tables.delete(of(WEEKS[1], WEEKS[3]))
    assert weeks(storage) == [WEEKS[0], WEEKS[3]]
    assert storage.tables.read(Slice("features", "t"))["x"].to_pylist() == [0, 0, 1, 2, 3]
    assert storage.tables.count(of(WEEKS[1])) == 0
    storage.tables.delete(of(WEEKS[1], WEEKS[3]))
    assert weeks(storage) == [WEEKS[0], WEEKS[3]]
    fill(storage)
    assert weeks(storage) == WEEKS


def test_what_is_not_there_is_gone_already(storage: Storage) -> None:
    storage.tables.delete(of(FIRST))
    storage.models.delete(VERSION)
    storage.models.forget(FIRST)
    storage.models.remove_unfinished()
    assert storage.models.weeks() == []


def test_a_whole_table_is_not_deleted(storage: Storage) -> None:
    fill(storage)
    with pytest.raises(AssertionError):
        storage.tables.delete(Slice("features", "t"))
    assert weeks(storage) == WEEKS


def test_a_version_goes_and_the_others_stay(storage: Storage, tmp_path: Path) -> None:
    models = storage.models
    models.store(FIRST, trained(tmp_path / "a", VERSION))
    models.store(FIRST, trained(tmp_path / "b", OTHER))
    assert models.weeks() == [FIRST]
    assert 1000 < models.size(VERSION) < 1100
    models.folder_of_version(VERSION)
    models.delete(VERSION)
    assert models.versions() == [OTHER]
    with pytest.raises(ModelFolderError, match="no stored model"):
        models.folder_of_version(VERSION)
    assert models.version_of_week(FIRST) == OTHER
    models.forget(FIRST)
    assert models.weeks() == []
    assert models.version_of_week(FIRST) is None
    models.folder_of_version(OTHER)
    with pytest.raises(ModelFolderError):
        models.delete("../features")


def test_what_a_killed_removal_left_is_removed_and_can_be_stored_again(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = storage.models
    models.store(FIRST, trained(tmp_path / "a", VERSION))
    if isinstance(models, ModelFolders):
        # Under the id of a process that cannot be alive.
        (models.root / VERSION).rename(models.root / f".{VERSION}.{2**31 - 2}.tmp")
        left = models.root
    else:
        assert isinstance(models, S3Models)
        models.folder_of_version(VERSION)
        models.bucket.delete([models._key(VERSION, model_folders.MANIFEST)])
        left = models.cache
    assert models.versions() == []
    # What was touched a moment ago may be another machine's that is about to store it.
    models.remove_unfinished(timedelta(hours=1))
    if isinstance(models, S3Models):
        assert [each.key for each in models.bucket.list(models._key(VERSION, ""))]
    models.remove_unfinished(timedelta())
    assert [path.name for path in left.iterdir()] == (
        [f"{FIRST}.json"] if isinstance(models, ModelFolders) else []
    )
    if isinstance(models, S3Models):
        assert not list(models.bucket.list(models._key(VERSION, "")))
    models.store(FIRST, trained(tmp_path / "b", VERSION))
    assert models.versions() == [VERSION]
    assert models.folder_of(FIRST).name == VERSION


def test_the_room_of_deleted_weeks_is_used_again(tmp_path: Path) -> None:
    tables = Warehouse(tmp_path / "warehouse.duckdb")

    def write(week: date) -> None:
        rows = pa.table(
            {"week": pa.array([week] * 400_000), "x": [i * 7919 for i in range(400_000)]}
        )
        tables.replace(of(week), rows.to_reader())

    for week in WEEKS[:3]:
        write(week)
    full = tables.path.stat().st_size
    for _ in range(4):
        tables.delete(of(WEEKS[0]))
        write(WEEKS[0])
    assert tables.path.stat().st_size < 1.35 * full
