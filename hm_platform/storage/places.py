"""Where a platform keeps what it makes: its tables, its models and its pages.

``storage_of`` is the one place that decides it, by ``HM_STORAGE``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hm_platform.storage.local import ModelFolders, PageFolder, Warehouse
from hm_platform.storage.tables import Tables
from hm_platform.storage.unfinished import ABANDONED

if TYPE_CHECKING:
    from hm_platform.settings import Settings
    from hm_platform.storage.s3.bucket import Bucket

RECOMMENDER = "recommender"
"""The model that there is."""


class Models(Protocol):
    """The stored versions of a model: each is immutable, and a week points to one.

    What holds a model is given out as a folder on this machine. Raises ModelFolderError, with what
    to do about it, where there is none.
    """

    def store(self, week: date, trained: Path) -> str:
        """Take the folder ``trained`` over, point ``week`` to it, and return its address.

        The week has its old model until the new one is complete; ``trained`` is gone afterwards.
        """

    def folder_of(self, week: date) -> Path:
        """The model that was trained for ``week``."""

    def folder_of_version(self, version: str) -> Path:
        """The model of that version."""

    def version_of_week(self, week: date) -> str | None:
        """The version that was trained for ``week``, or None."""

    def versions(self) -> list[str]:
        """The versions that are stored, newest week first, those of a week by name."""

    def weeks(self) -> list[date]:
        """The weeks that point to a version, oldest first."""

    def size(self, version: str) -> int:
        """Bytes of a version."""

    def forget(self, week: date) -> None:
        """Have ``week`` point to no version; the version stays."""

    def delete(self, version: str) -> None:
        """Remove a version, to which no week may point any more; one that is not there is gone
        already. It is there whole or nobody finds it."""

    def remove_unfinished(self, older_than: timedelta = ABANDONED) -> None:
        """Remove what a killed process has left of a version.

        older_than : what was touched since may still be written, where nobody can ask its writer
        """


class Pages(Protocol):
    """HTML pages by name."""

    def address(self, name: object) -> str:
        """Where the page of that name is; a week's is named by the week."""

    def write(self, name: object, html: str) -> str:
        """Put a page in its place, whole or not at all, and return its address."""


@dataclass(frozen=True)
class Storage:
    """All that is kept."""

    tables: Tables
    models: Models
    pages: Pages


def local_storage(home: Path, *, read_only: bool = False) -> Storage:
    """Everything under the folder ``home``."""
    return Storage(
        Warehouse(home / "warehouse.duckdb", read_only),
        ModelFolders(home / "models" / RECOMMENDER),
        PageFolder(home / "reports"),
    )


def storage_of(settings: Settings, *, read_only: bool = True) -> Storage:
    """What these settings say.

    read_only : whether tables are only looked at, as by commands
    """
    if settings.storage == "s3":
        return s3_storage(bucket_of(settings), settings.home)
    return local_storage(settings.home, read_only=read_only)


def bucket_of(settings: Settings) -> Bucket:
    """The bucket of these settings: the same one each time, with the connections that it has."""
    from hm_platform.storage.s3.bucket import bucket_at

    return bucket_at(settings.s3_bucket, settings.s3_prefix.strip("/"), settings.s3_endpoint)


def s3_storage(bucket: Bucket, home: Path) -> Storage:
    """Everything in a bucket; models that are read are kept under the folder ``home`` too."""
    # What speaks to S3 takes long to import and need not be installed.
    from hm_platform.storage.s3.models import S3Models
    from hm_platform.storage.s3.pages import S3Pages
    from hm_platform.storage.s3.tables import S3Tables

    return Storage(
        S3Tables(bucket),
        S3Models(bucket, f"models/{RECOMMENDER}", home / "cache" / "models" / RECOMMENDER),
        S3Pages(bucket, "reports"),
    )
