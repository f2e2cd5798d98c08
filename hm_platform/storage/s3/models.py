"""Models in a bucket: the files of a version under its name, and a pointer a week."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from hm_platform.storage.model_folders import (
    MANIFEST,
    VERSION,
    delete,
    newest_first,
    not_stored,
    not_trained,
    version_of,
    versions,
    weeks_of,
)
from hm_platform.storage.s3.bucket import CONNECTIONS, Bucket
from hm_platform.storage.s3.errors import MissingObjectError
from hm_platform.storage.unfinished import ABANDONED, remove_abandoned, unfinished


@dataclass(frozen=True)
class S3Models:
    """The versions of one model.

    folder : where they lie in the bucket
    cache : a folder on this machine for those that were asked for; a version never changes
    """

    bucket: Bucket
    folder: str
    cache: Path

    def __str__(self) -> str:
        return self.bucket.uri(self.folder)

    def store(self, week: date, trained: Path) -> str:
        version = version_of(trained)
        if self.bucket.head(self._key(version, MANIFEST)) is None:
            files = sorted(path for path in trained.rglob("*") if path.is_file())
            # Last, since a version with a manifest is whole.
            files.sort(key=lambda path: path.name == MANIFEST and path.parent == trained)
            for path in files:
                with path.open("rb") as content:
                    name = path.relative_to(trained).as_posix()
                    self.bucket.upload(self._key(version, name), content)
        pointer = json.dumps({"version": version}) + "\n"
        self.bucket.write(f"{self.folder}/{week}.json", pointer.encode(), "application/json")
        shutil.rmtree(trained)
        return self.bucket.uri(self._key(version, ""))

    def folder_of(self, week: date) -> Path:
        version = self.version_of_week(week)
        if version is None:
            raise not_trained(week)
        return self.folder_of_version(version)

    def folder_of_version(self, version: str) -> Path:
        # A version comes from people and tables: it must not lead out of the folder of models.
        if not VERSION.fullmatch(version):
            raise not_stored(version)
        folder = self.cache / version
        if not folder.is_dir():
            self._fetch(version, folder)
        version_of(folder)
        return folder

    def _fetch(self, version: str, folder: Path) -> None:
        objects = list(self.bucket.list(self._key(version, "")))
        if not any(each.key == self._key(version, MANIFEST) for each in objects):
            raise not_stored(version)
        self.cache.mkdir(parents=True, exist_ok=True)
        remove_abandoned(self.cache)
        copy = unfinished(folder)
        shutil.rmtree(copy, ignore_errors=True)
        try:
            paths = [copy / each.key.removeprefix(self._key(version, "")) for each in objects]
            for path in paths:
                path.parent.mkdir(parents=True, exist_ok=True)
            with ThreadPoolExecutor(CONNECTIONS) as threads:
                _all(threads.map(self.bucket.download, objects, paths))
            try:
                copy.rename(folder)
            except OSError:
                # Another process has fetched the same version in the meantime.
                if not folder.is_dir():
                    raise
        finally:
            shutil.rmtree(copy, ignore_errors=True)

    def version_of_week(self, week: date) -> str | None:
        try:
            return json.loads(self.bucket.read(f"{self.folder}/{week}.json"))["version"]
        except MissingObjectError:
            return None

    def versions(self) -> list[str]:
        whole = (
            each.key.removeprefix(f"{self.folder}/").removesuffix(f"/{MANIFEST}")
            for each in self.bucket.list(f"{self.folder}/")
            if each.key.endswith(f"/{MANIFEST}")
        )
        return newest_first(version for version in whole if VERSION.fullmatch(version))

    def weeks(self) -> list[date]:
        keys = (each.key for each in self.bucket.list(f"{self.folder}/"))
        return weeks_of(key.removeprefix(f"{self.folder}/") for key in keys)

    def size(self, version: str) -> int:
        if not VERSION.fullmatch(version):
            raise not_stored(version)
        return sum(each.size for each in self.bucket.list(self._key(version, "")))

    def forget(self, week: date) -> None:
        self.bucket.delete([f"{self.folder}/{week}.json"])

    def delete(self, version: str) -> None:
        if not VERSION.fullmatch(version):
            raise not_stored(version)
        # First, since a version without a manifest is none.
        self.bucket.delete([self._key(version, MANIFEST)])
        self.bucket.delete([each.key for each in self.bucket.list(self._key(version, ""))])
        if (self.cache / version).exists():
            delete(self.cache, version)

    def remove_unfinished(self, older_than: timedelta = ABANDONED) -> None:
        """As ``Models.remove_unfinished``; the copies on this machine of versions that are gone go
        too."""
        modified: dict[str, datetime] = {}
        for each in self.bucket.list(f"{self.folder}/"):
            version, slash, _ = each.key.removeprefix(f"{self.folder}/").partition("/")
            if slash and VERSION.fullmatch(version):
                modified[version] = max(modified.get(version, each.modified), each.modified)
        whole = set(self.versions())
        for version in sorted(modified.keys() - whole):
            if modified[version] <= datetime.now(UTC) - older_than:
                self.delete(version)
        for version in set(versions(self.cache)) - whole:
            delete(self.cache, version)

    def _key(self, version: str, name: str) -> str:
        return f"{self.folder}/{version}/{name}"


def _all(done: Iterable[object]) -> None:
    """Wait for all, and raise what one raised."""
    for _ in done:
        pass
