"""The landing zone as a place: which files lie there, and what data set they belong to.

Listing, opening and naming files happens here and in ``s3_zone``, which does it in a bucket, and
nowhere else. What is inside the files is none of their business.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import BinaryIO, Protocol

from hm_platform.landing.columns import COLUMNS
from hm_platform.landing.errors import LandingError
from hm_platform.landing.writing import Landed, write_bytes

DATASETS = ("articles", "customers", "transactions")
"""The folders of a landing zone, in the order in which they are read."""

SUFFIXES = (".csv", ".csv.gz", ".parquet")
"""What a landed file may be called; anything else in the folders is not a landed file."""

DATASET_FILE = "dataset.toml"


@dataclass(frozen=True)
class DatasetInfo:
    """Which data set has landed, and the first day of its first week.

    without : columns that its files have had and will not have again, as ``customers.age``
    """

    name: str
    first_week: date
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class LandedFile:
    """A file of the landing zone.

    dataset : one of DATASETS
    uri : path relative to the zone, with forward slashes; always valid Unicode
    path : where it lies on this machine
    size : bytes
    stamp : changes whenever the file is written to, replaced or moved; equal stamps, equal content
    changed_at : seconds since the epoch of the last such change
    outside : whether it is a link to something that lies elsewhere
    """

    dataset: str
    uri: str
    path: Path
    size: int
    stamp: str = ""
    changed_at: float = 0.0
    outside: bool = False

    @property
    def is_parquet(self) -> bool:
        return is_parquet(self.uri)

    @property
    def is_gzip(self) -> bool:
        return self.path.name.lower().endswith(".gz")

    def open(self) -> BinaryIO:
        """The file's bytes, as they lie there."""
        return self.path.open("rb")

    def fetch(self) -> Path:
        """The path, with the file there."""
        return self.path

    def is_as_listed(self) -> bool:
        """Whether nobody has touched it since. Raises FileNotFoundError when it has gone."""
        try:
            return _stamp(self.path.stat()) == self.stamp
        except NotADirectoryError as error:
            raise FileNotFoundError(f"{self.uri} has gone: its folder is a file now") from error

    def release(self) -> None:
        """Let go of what was made to read the file by; who opens it again has it made anew."""


class Landing(Protocol):
    """Where files land, as those who read them see it; its ``str`` is its address."""

    def files(self, dataset: str) -> list[LandedFile]:
        """The landed files of ``dataset``, sub-folders included, sorted by uri.

        Raises LandingError when that cannot be told.
        """

    def dataset(self) -> DatasetInfo | None:
        """What ``dataset.toml`` says, or None where there is no such file.

        Raises LandingError when it is there but cannot be understood.
        """

    def land(self, land: Callable[[LandingZone], Landed]) -> Landed:
        """Have ``land`` write files into a folder, which are this zone's then."""


@dataclass(frozen=True)
class LandingZone:
    """A local folder holding ``articles/``, ``customers/``, ``transactions/``, ``dataset.toml``."""

    root: Path

    def __str__(self) -> str:
        return str(self.root)

    def land(self, land: Callable[[LandingZone], Landed]) -> Landed:
        return land(self)

    def folder(self, dataset: str) -> Path:
        """Where the files of ``dataset`` lie (the folder need not exist)."""
        return self.root / dataset

    def files(self, dataset: str) -> list[LandedFile]:
        """The landed files of ``dataset``, sub-folders included, sorted by uri.

        Left out: names that begin with a dot, files still being written (``.tmp``, ``.part``),
        and everything that is not one of SUFFIXES.

        Raises LandingError when a folder cannot be looked into: what lies there is not known then,
        and must not be taken for gone.
        """
        return sorted(self._walk(dataset), key=lambda file: file.uri)

    def _walk(self, dataset: str) -> Iterator[LandedFile]:
        top = self.folder(dataset).resolve()
        for folder, folders, names in os.walk(self.folder(dataset), onerror=_not_listed):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                if not is_landed(name):
                    continue
                path = Path(folder, name)
                try:
                    status = _status(path, top)
                except OSError as error:
                    _not_listed(error)
                    continue
                if status is None:
                    continue
                yield LandedFile(
                    dataset,
                    _uri(path.relative_to(self.root)),
                    path,
                    status.st_size,
                    _stamp(status),
                    status.st_ctime,
                    outside=_leads_out(path, top),
                )

    def dataset(self) -> DatasetInfo | None:
        """What ``dataset.toml`` says, or None where there is no such file.

        Raises LandingError when it is there but cannot be understood.
        """
        path = self.root / DATASET_FILE
        try:
            text = path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise LandingError(f"{path} cannot be read: {error}") from None
        return read_dataset_info(text, str(path))

    def write_dataset_info(self, info: DatasetInfo) -> bool:
        """Write ``dataset.toml``; True when that changed the file.

        Raises LandingError when another data set has landed here already: two data sets in one
        zone would load as one.
        """
        present = self.dataset()
        if present is not None and present.name != info.name:
            raise LandingError(
                f"{self.root} already holds the data set {present.name!r}: empty that folder, or "
                f"let HM_LANDING (or HM_HOME) name another one, to land {info.name!r}"
            )
        name = info.name.replace("\\", "\\\\").replace('"', '\\"')
        text = f'name = "{name}"\nfirst_week = {info.first_week}\n'
        # Somebody wrote that by hand.
        if present is not None and present.without:
            text += f"without = {json.dumps(present.without)}\n"
        return write_bytes(self.root / DATASET_FILE, text.encode())


def landing_at(address: str, endpoint: str = "") -> Landing:
    """The landing zone of a folder, or of an address as ``s3://bucket/folder``.

    endpoint : address of the server that speaks S3, empty for AWS's own
    """
    if not address.startswith("s3://"):
        return LandingZone(Path(address))
    # What speaks to S3 takes long to import and need not be installed.
    from hm_platform.landing.s3_zone import S3LandingZone
    from hm_platform.storage.s3.bucket import bucket_at

    name, _, prefix = address.removeprefix("s3://").partition("/")
    return S3LandingZone(bucket_at(name, prefix, endpoint))


def is_landed(name: str) -> bool:
    """Whether a file of that name counts as landed; others are hidden, still being written, or
    something else."""
    return not name.startswith(".") and name.lower().endswith(SUFFIXES)


def read_dataset_info(text: str, path: str) -> DatasetInfo:
    """What a ``dataset.toml`` says. Raises LandingError, which names its ``path``."""
    try:
        entries = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LandingError(f"{path} is not valid TOML: {error}") from None
    return DatasetInfo(_name(path, entries), _first_week(path, entries), _without(path, entries))


def is_parquet(uri: str) -> bool:
    """Whether a landed file is Parquet, which its name says; any other is CSV."""
    return uri.lower().endswith(".parquet")


def _not_listed(error: OSError) -> None:
    """Raise LandingError, but for what has gone meanwhile."""
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise LandingError(
            f"{error.filename} cannot be looked into ({error.strerror}): nothing is loaded or "
            "unloaded until it can"
        ) from None


def _status(path: Path, top: Path) -> os.stat_result | None:
    """Of the file; None where that is none, and the link's own where it leads out of ``top`` to a
    place that cannot be looked into."""
    try:
        # A pipe or a device would never end, and a dangling link has nothing to read.
        return path.stat() if path.is_file() else None
    except OSError:
        if not _leads_out(path, top):
            raise
        return path.lstat()


def _leads_out(path: Path, top: Path) -> bool:
    # Path's own way to ask raises an error where the folder that it lies in may not be entered.
    return os.path.islink(path) and not path.resolve().is_relative_to(top)


def _stamp(status: os.stat_result) -> str:
    # The time of the inode's last change is the kernel's: unlike that of the content, nobody can
    # set it back.
    return f"{status.st_size}-{status.st_ino}-{status.st_mtime_ns}-{status.st_ctime_ns}"


def _uri(relative: Path) -> str:
    # A name that is not UTF-8 still needs a text that tables can hold.
    return os.fsencode(relative.as_posix()).decode("utf-8", "backslashreplace")


def _name(path: str, entries: dict[str, object]) -> str:
    name = entries.get("name")
    if not isinstance(name, str) or not name:
        raise LandingError(f'{path} has no name: add a line like name = "kaggle"')
    return name


def _first_week(path: str, entries: dict[str, object]) -> date:
    day = entries.get("first_week")
    if isinstance(day, str):
        try:
            day = date.fromisoformat(day)
        except ValueError:
            day = None
    # A TOML date with a time is a datetime, which Python counts as a date too.
    if type(day) is not date:
        raise LandingError(f"{path} has no first_week: add a line like first_week = 2018-09-19")
    return day


def _without(path: str, entries: dict[str, object]) -> tuple[str, ...]:
    names = entries.get("without", [])
    known = {f"{dataset}.{column.name}" for dataset in DATASETS for column in COLUMNS[dataset]}
    if not isinstance(names, list) or not all(
        isinstance(name, str) and name in known for name in names
    ):
        raise LandingError(f'{path}: without has to be a list of columns such as ["customers.age"]')
    return tuple(sorted(names))
