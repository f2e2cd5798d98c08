"""The landing zone in a bucket.

An object appears whole, and its ETag is another one when its content is. What is read is fetched
into a file first, in large ranges over several connections: it is read more than once, by the same
code that reads files, and is gone when that is done with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import BinaryIO

from hm_platform.landing.errors import ForbiddenError, LandingError
from hm_platform.landing.scratch import ScratchFolder
from hm_platform.landing.writing import Landed
from hm_platform.landing.zone import (
    DATASET_FILE,
    DATASETS,
    SUFFIXES,
    DatasetInfo,
    LandedFile,
    LandingZone,
    is_landed,
    read_dataset_info,
)
from hm_platform.storage.s3.bucket import Bucket, Object, etag_of
from hm_platform.storage.s3.errors import (
    ArchivedObjectError,
    ChangedObjectError,
    DeniedError,
    MissingObjectError,
)

_numbers = count()


@dataclass(frozen=True)
class LandedObject(LandedFile):
    """An object of the landing zone. Its path is there from when it is opened to when it is
    released."""

    zone: S3LandingZone = field(kw_only=True, compare=False)
    listed: Object = field(kw_only=True, compare=False)

    def open(self) -> BinaryIO:
        self.fetch()
        return super().open()

    def fetch(self) -> Path:
        """A file with the object's content as it was listed.

        Raises FileNotFoundError when it has gone, PermissionError when it may not be read or is
        archived, OSError when it is another one now, S3Error when the bucket cannot be read.
        """
        if not self.path.exists():
            coming = self.path.with_name(f"{self.path.name}.part")
            try:
                with self._told():
                    self.zone.bucket.download(self.listed, coming)
                coming.rename(self.path)
            finally:
                # What has come of it so far takes room that the next one needs.
                coming.unlink(missing_ok=True)
        return self.path

    def is_as_listed(self) -> bool:
        with self._told():
            found = self.zone.bucket.head(self.listed.key)
        if found is None:
            raise FileNotFoundError(f"{self.uri} has gone")
        return found.etag == self.listed.etag

    def release(self) -> None:
        self.path.unlink(missing_ok=True)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Raises as files do what is wrong with this object alone."""
        try:
            yield
        except MissingObjectError:
            raise FileNotFoundError(f"{self.uri} has gone") from None
        except ChangedObjectError:
            raise OSError(f"{self.uri} was replaced while it was read") from None
        except ArchivedObjectError:
            raise PermissionError(
                "it is archived: restore it, or move it out of the landing zone"
            ) from None
        except DeniedError as error:
            raise ForbiddenError(
                "access is denied: let the credentials that the platform runs with have "
                "s3:GetObject on it, and kms:Decrypt where a key encrypts it",
                error,
            ) from None


@dataclass(frozen=True)
class S3LandingZone:
    """A part of a bucket with ``articles/``, ``customers/``, ``transactions/`` and
    ``dataset.toml`` below its prefix.

    copies : where objects are fetched to; it goes when nobody has the zone or an object of it
    """

    bucket: Bucket
    copies: ScratchFolder = field(
        default_factory=partial(ScratchFolder, "hm-landed-"), compare=False
    )

    def __str__(self) -> str:
        return str(self.bucket)

    def files(self, dataset: str) -> list[LandedFile]:
        """The landed objects of ``dataset``, sub-folders included, sorted by uri; left out is what
        a folder's zone leaves out."""
        found = []
        for each in self.bucket.list(f"{dataset}/"):
            *folders, name = each.key.split("/")
            if not is_landed(name) or any(folder.startswith(".") for folder in folders):
                continue
            # Its name is its own, and the end of its name says what it is.
            suffix = next(end for end in SUFFIXES if name.lower().endswith(end))
            copy = Path(self.copies.name, f"{next(_numbers)}{suffix}")
            found.append(
                LandedObject(
                    dataset,
                    each.key,
                    copy,
                    each.size,
                    f"{each.size}-{each.etag}",
                    each.modified.timestamp(),
                    zone=self,
                    listed=each,
                )
            )
        return sorted(found, key=lambda file: file.uri)

    def land(self, land: Callable[[LandingZone], Landed]) -> Landed:
        """As ``Landing.land``: into a folder first, from which is sent what is not here yet."""
        objects = {each.key: each for name in DATASETS for each in self.bucket.list(f"{name}/")}
        with ScratchFolder("hm-land-") as made:
            folder = Path(made)
            for path in (folder / key for key in objects if ".." not in key.split("/")):
                # Names alone, by which a landing tells what it has to remove. (Keys may be names
                # that no folder can have together; nothing that lands has such.)
                with suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.touch()
            if self.dataset() is not None:
                (folder / DATASET_FILE).write_bytes(self.bucket.read(DATASET_FILE))
            try:
                landed = land(LandingZone(folder))
            except LandingError as error:
                # It names the folder that it knows.
                raise LandingError(str(error).replace(made, str(self))) from None
            files = [*landed.written, *landed.unchanged]
            sent = [uri for uri in files if self._send(folder / uri, uri, objects.get(uri))]
            # The last, since it says whose files these are.
            self._send(folder / DATASET_FILE, DATASET_FILE, self.bucket.head(DATASET_FILE))
            self.bucket.delete(landed.removed)
        same = tuple(uri for uri in files if uri not in sent)
        return replace(landed, written=tuple(sent), unchanged=same)

    def _send(self, path: Path, key: str, there: Object | None) -> bool:
        """Have the object hold what the file holds; True when that changed it."""
        if there is not None and there.size == path.stat().st_size and there.etag == etag_of(path):
            return False
        with path.open("rb") as content:
            self.bucket.upload(key, content)
        return True

    def dataset(self) -> DatasetInfo | None:
        """As ``Landing.dataset``."""
        path = self.bucket.uri(DATASET_FILE)
        try:
            text = self.bucket.read(DATASET_FILE).decode()
        except MissingObjectError:
            return None
        except UnicodeDecodeError as error:
            raise LandingError(f"{path} cannot be read: {error}") from None
        return read_dataset_info(text, path)
