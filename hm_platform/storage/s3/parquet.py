"""Parquet files made while they are sent, and read while they are asked for."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq

from hm_platform.storage.s3.bucket import CONNECTIONS, PART_BYTES, Bucket, Object

ROW_GROUP_ROWS = 524_288
ROW_GROUP_BYTES = 64 << 20
"""A row group ends at whichever comes first: large enough to be worth a request a column, small
enough that one in memory does not matter."""

SMALL_BYTES = 4 << 20
"""An object up to this size is read whole, in one request."""


class ParquetStream:
    """The bytes of a Parquet file of these rows, each row group made when it is asked for.

    rows : how many rows have been written
    """

    def __init__(self, reader: pa.RecordBatchReader) -> None:
        self.rows = 0
        self._made = _Made()
        self._groups = _row_groups(reader)
        self._writer: pq.ParquetWriter | None = pq.ParquetWriter(
            pa.PythonFile(self._made, mode="w"), reader.schema, compression="zstd"
        )

    def read(self, size: int = -1, /) -> bytes:
        """The next ``size`` bytes, fewer at the end; all that is left when negative."""
        while self._writer is not None and (size < 0 or self._made.waiting < size):
            group = next(self._groups, None)
            if group is None:
                self._writer.close()
                self._writer = None
            else:
                self.rows += len(group)
                self._writer.write_table(group, row_group_size=len(group))
        return self._made.take(size)


class _Made(io.RawIOBase):
    """What is written, until it is taken."""

    def __init__(self) -> None:
        self.waiting = 0
        self._end = 0
        self._pieces: deque[bytes] = deque()

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._end

    def write(self, data: object, /) -> int:
        piece = bytes(memoryview(data))  # type: ignore[arg-type]
        self._pieces.append(piece)
        self.waiting += len(piece)
        self._end += len(piece)
        return len(piece)

    def take(self, size: int) -> bytes:
        wanted = self.waiting if size < 0 else min(size, self.waiting)
        taken = bytearray()
        while len(taken) < wanted:
            piece = self._pieces.popleft()
            rest = wanted - len(taken)
            taken += piece[:rest]
            if len(piece) > rest:
                self._pieces.appendleft(piece[rest:])
        self.waiting -= len(taken)
        return bytes(taken)


def _row_groups(reader: pa.RecordBatchReader) -> Iterator[pa.Table]:
    held: list[pa.RecordBatch] = []
    for batch in reader:
        held.append(batch)
        rows = sum(len(each) for each in held)
        if rows >= ROW_GROUP_ROWS or sum(each.nbytes for each in held) >= ROW_GROUP_BYTES:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


class ObjectFile(io.RawIOBase):
    """An object as it was listed, as a file that is read where it is asked to be.

    Much at once is read in several requests at the same time.
    """

    def __init__(self, bucket: Bucket, found: Object) -> None:
        self._bucket = bucket
        self._found = found
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._found.size}[whence]
        self._at = start + offset
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        end = self._found.size if size < 0 else min(self._at + size, self._found.size)
        start, self._at = self._at, max(end, self._at)
        return read_range(self._bucket, self._found, start, end)


def read_range(bucket: Bucket, found: Object, start: int, end: int) -> bytes:
    """Some bytes of an object as it was listed, over as many connections as are worth it."""
    if end - start <= PART_BYTES:
        return bucket.read_version(found, start, end)
    starts = range(start, end, PART_BYTES)
    with ThreadPoolExecutor(min(CONNECTIONS, len(starts))) as threads:
        parts = threads.map(
            lambda at: bucket.read_version(found, at, min(at + PART_BYTES, end)), starts
        )
        return b"".join(parts)
