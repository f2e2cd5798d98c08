"""A folder of a bucket: listing, reading and writing whole objects.

An object appears at once or not at all: a large one is sent in parts, which become the object with
the last request and are nothing before it. What reads in several requests reads one version:
each names the version (its ETag) that it means.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import urlsplit

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import (
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from hm_platform.storage.s3.errors import MissingObjectError, S3Error, changed, told
from hm_platform.storage.unfinished import ABANDONED

log = logging.getLogger(__name__)

CONNECTIONS = 10
"""How many requests go on at once."""

PART_BYTES = 8 << 20
"""Bytes of a part of a large object, sent or read in a request of its own."""

ATTEMPTS = 8
"""How often a request is sent before it has failed; between them botocore waits longer and longer,
20 seconds at most."""

CUT = (IncompleteReadError, ReadTimeoutError, ResponseStreamingError)
"""What breaks off an answer that has begun; botocore does not ask again then."""

PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds to wait after each answer that breaks off."""

TRANSFER = TransferConfig(
    multipart_threshold=PART_BYTES,
    multipart_chunksize=PART_BYTES,
    max_concurrency=CONNECTIONS,
)


class Readable(Protocol):
    """What gives bytes as they are asked for."""

    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(frozen=True)
class Object:
    """An object as it was listed.

    key : below the bucket's prefix
    size : bytes
    etag : another one as soon as the content is another one
    modified : when it was put there
    """

    key: str
    size: int
    etag: str
    modified: datetime


@dataclass(frozen=True)
class Bucket:
    """All objects of a bucket whose keys begin with a prefix.

    Keys are given and found without the prefix. Raises S3Error, with what to do about it, when the
    bucket cannot be reached or refuses.

    prefix : without a slash at its end; may be empty
    endpoint : the server's address, empty for AWS's own
    make_session : gives the boto3 session; credentials come from there
    """

    name: str
    prefix: str = ""
    endpoint: str = ""
    make_session: Callable[[], Any] = field(default=boto3.session.Session, compare=False)

    def __str__(self) -> str:
        return self.uri("").rstrip("/")

    def uri(self, key: str) -> str:
        """The address of an object, as people and DuckDB know it."""
        return f"s3://{self.name}/{self._full(key)}"

    @cached_property
    def session(self) -> Any:
        return self.make_session()

    @cached_property
    def client(self) -> Any:
        """boto3's client, which threads may share."""
        try:
            with self.told("open"), _making:
                # Asked for its port, an address whose port is none raises an error.
                _ = urlsplit(self.endpoint).port
                return client_of(self.session, self.endpoint)
        except ValueError:
            raise S3Error(
                f"{self.endpoint!r} is no address of a server: correct HM_S3_ENDPOINT"
            ) from None

    def list(self, prefix: str = "") -> Iterator[Object]:
        """The objects whose keys begin with ``prefix``, in the order of their keys."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=self._full(prefix)
        )
        start = len(self._full(""))
        with self.told(f"list {self.uri(prefix)}"):
            for page in pages:
                for entry in page.get("Contents", ()):
                    yield Object(
                        entry["Key"][start:],
                        entry["Size"],
                        entry["ETag"].strip('"'),
                        entry["LastModified"],
                    )

    def head(self, key: str) -> Object | None:
        """The object of that key, or None."""
        try:
            with self.told(f"look for {self.uri(key)}"):
                found = self.client.head_object(Bucket=self.name, Key=self._full(key))
        except MissingObjectError:
            return None
        return Object(key, found["ContentLength"], found["ETag"].strip('"'), found["LastModified"])

    def read(self, key: str) -> bytes:
        """A whole object as it is now. Raises MissingObjectError."""
        return self._get(key)[0]

    def read_version(self, found: Object, start: int = 0, end: int | None = None) -> bytes:
        """The bytes from ``start`` to ``end`` (excluded) of an object as it was listed.

        Raises ChangedObjectError, or MissingObjectError, when it is another one now.
        """
        end = found.size if end is None else min(end, found.size)
        if start >= end:
            return b""
        options = {"IfMatch": f'"{found.etag}"', "Range": f"bytes={start}-{end - 1}"}
        content, etag = self._get(found.key, **options)
        # Not every server knows about IfMatch.
        if etag != found.etag:
            raise changed(f"read {self.uri(found.key)}")
        if len(content) != end - start:
            raise S3Error(
                f"cannot read {self.uri(found.key)}: {self.endpoint or 'S3'} gave {len(content):,} "
                f"of the {end - start:,} bytes asked for: check what lies between, and run this "
                "again"
            )
        return content

    def _get(self, key: str, **options: str) -> tuple[bytes, str]:
        """Content and ETag."""
        with self.told(f"read {self.uri(key)}"):
            for pause in PAUSES:
                answer = self.client.get_object(Bucket=self.name, Key=self._full(key), **options)
                try:
                    # As a context manager it would give what botocore wraps, with other errors.
                    with closing(answer["Body"]) as body:
                        return body.read(), answer["ETag"].strip('"')
                except CUT as error:
                    log.warning("an answer of S3 broke off: %s", type(error).__name__)
                    time.sleep(pause)
        raise S3Error(
            f"cannot read {self.uri(key)}: {len(PAUSES)} answers of {self.endpoint or 'S3'} broke "
            "off: check the network, and run this again"
        )

    def download(self, found: Object, path: Path) -> None:
        """Write an object as it was listed to a file, over several connections.

        Raises ChangedObjectError, or MissingObjectError, when it is another one now, and OSError
        when the file does not take it all.
        """
        with path.open("wb") as file, ThreadPoolExecutor(CONNECTIONS) as threads:

            def fetch(start: int) -> None:
                part = self.read_version(found, start, start + PART_BYTES)
                _write_at(file.fileno(), part, start)

            for _ in threads.map(fetch, range(0, found.size, PART_BYTES)):
                pass
            written = os.fstat(file.fileno()).st_size
            if written != found.size:
                raise OSError(f"{written:,} of {found.size:,} bytes were written to {path}")

    def write(self, key: str, content: bytes, content_type: str = "") -> None:
        """Put an object in its place."""
        given = {"ContentType": content_type} if content_type else {}
        with self.told(f"write {self.uri(key)}"):
            self.client.put_object(Bucket=self.name, Key=self._full(key), Body=content, **given)

    def upload(self, key: str, content: Readable | BinaryIO) -> None:
        """Put in its place what ``content`` gives, sending it as it comes.

        What ``content`` raises is raised, and the object stays as it was.
        """
        with self.told(f"write {self.uri(key)}"):
            self.client.upload_fileobj(content, self.name, self._full(key), Config=TRANSFER)

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; those that are not there are gone already."""
        for key in keys:
            with self.told(f"delete {self.uri(key)}"):
                self.client.delete_object(Bucket=self.name, Key=self._full(key))

    def sweep(self, older_than: timedelta = ABANDONED) -> int:
        """Remove parts that were sent of objects that nobody completed; how many uploads."""
        swept, before = 0, datetime.now(UTC) - older_than
        with self.told(f"look for unfinished uploads in {self}"):
            pages = self.client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.name, Prefix=self._full("")
            )
            for page in pages:
                for upload in page.get("Uploads", ()):
                    if upload["Initiated"] > before:
                        continue
                    # Another process may have removed it in the meantime.
                    with suppress(MissingObjectError), self.told(f"sweep {self}"):
                        self.client.abort_multipart_upload(
                            Bucket=self.name, Key=upload["Key"], UploadId=upload["UploadId"]
                        )
                        swept += 1
        if swept:
            log.info("removed what %d broken uploads had left in %s", swept, self)
        return swept

    def _full(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key

    def told(self, doing: str) -> AbstractContextManager[None]:
        """Raises S3Error where botocore raises."""
        return told(doing, self.name, self.endpoint)


def _write_at(descriptor: int, content: bytes, start: int) -> None:
    """Write all of ``content``. Raises OSError where there is no room for it."""
    left = memoryview(content)
    while left:
        # Where room is short, the system writes what fits; it refuses only the next write.
        written = os.pwrite(descriptor, left, start)
        left, start = left[written:], start + written


def etag_of(path: Path) -> str:
    """The ETag that most servers give what ``Bucket.upload`` sends of a file: its MD5, or that of
    the MD5s of its parts."""
    parts = []
    with path.open("rb") as content:
        while part := content.read(PART_BYTES):
            parts.append(hashlib.md5(part, usedforsecurity=False))
    if len(parts) < 2 and path.stat().st_size < PART_BYTES:
        return parts[0].hexdigest() if parts else hashlib.md5(usedforsecurity=False).hexdigest()
    whole = hashlib.md5(b"".join(part.digest() for part in parts), usedforsecurity=False)
    return f"{whole.hexdigest()}-{len(parts)}"


_making = threading.Lock()
"""Threads may share a client, but not make two at once."""


@lru_cache(maxsize=8)
def bucket_at(name: str, prefix: str, endpoint: str) -> Bucket:
    """A bucket, one for each address in this process."""
    return Bucket(name, prefix, endpoint)


def client_of(session: Any, endpoint: str, **options: Any) -> Any:
    """boto3's S3 client: patient, and by path where there is an endpoint, whose host names have no
    room for buckets."""
    config = Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        connect_timeout=10,
        read_timeout=60,
        max_pool_connections=2 * CONNECTIONS,
        tcp_keepalive=True,
        s3={"addressing_style": "path" if endpoint else "auto"},
        # Not every server that speaks S3 knows the newer checksums.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    # What runs things in containers sets AWS_REGION, which botocore does not read.
    region = session.region_name or os.environ.get("AWS_REGION")
    region = region or ("us-east-1" if endpoint else None)
    return session.client(
        "s3", endpoint_url=endpoint or None, region_name=region, config=config, **options
    )
