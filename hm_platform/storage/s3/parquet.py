"""Parquet files made while they are sent."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP_ROWS = 524_288
ROW_GROUP_BYTES = 64 << 20
"""A row group ends at whichever comes first: large enough to be worth a request a column, small
enough that one in memory does not matter."""


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
