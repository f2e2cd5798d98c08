"""Large Parquet objects a row group at a time: what is needed of one is fetched, and then read.

Arrow is given memory of its own and no file of Python's: its threads let go of what they have read
some time after they have read it, and would need Python for that, which may have ended by then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from hm_platform.storage.s3.bucket import CONNECTIONS, PART_BYTES, Bucket, Object

FORMAT = ds.ParquetFileFormat()
FOOTER_BYTES = 256 << 10
"""How much of an object's end is fetched first; nearly always its whole footer."""

NEAR_BYTES = 1 << 20
"""Ranges that are no further apart are fetched as one."""

Range = tuple[int, int]
"""First byte, and the one after the last."""


def native(content: bytes) -> pa.Buffer:
    """The same bytes in Arrow's memory."""
    buffer = pa.allocate_buffer(len(content))
    memoryview(buffer).cast("B")[:] = content
    return buffer


def fetched(
    bucket: Bucket,
    found: Object,
    tail: bytes,
    wanted: pc.Expression | None,
    schema: pa.Schema,
    columns: Collection[str],
) -> Iterator[ds.ParquetFileFragment]:
    """The row groups of an object as it was listed that may have wanted rows, one after the other,
    of which the next one is fetched while one is used.

    tail : what :func:`footer` gave of it
    columns : those that will be read; nothing is there of others

    Raises ChangedObjectError, or MissingObjectError, when it is another one now.
    """

    def fetch(group: ds.ParquetFileFragment) -> ds.ParquetFileFragment:
        (number,) = (each.id for each in group.row_groups)
        ranges = _ranges(group.metadata.row_group(number), columns)
        content = _with_ranges(bucket, found, tail, ranges)
        return FORMAT.make_fragment(content, row_groups=[number])

    groups = FORMAT.make_fragment(with_footer(found, tail)).split_by_row_group(wanted, schema)
    with ThreadPoolExecutor(1) as thread:
        coming: Future[ds.ParquetFileFragment] | None = None
        for group in groups:
            following = thread.submit(fetch, group)
            if coming is not None:
                yield coming.result()
            coming = following
        if coming is not None:
            yield coming.result()


def footer(bucket: Bucket, found: Object) -> bytes:
    """The end of an object as it was listed, from where its footer begins or before.

    Raises ChangedObjectError, or MissingObjectError, when it is another one now.
    """
    tail = bucket.read_version(found, max(0, found.size - FOOTER_BYTES))
    length = int.from_bytes(tail[-8:-4], "little") + 8
    if length > len(tail):
        tail = bucket.read_version(found, max(0, found.size - length))
    return tail


def _ranges(group: pq.RowGroupMetaData, columns: Collection[str]) -> list[Range]:
    """Where in the object these columns of a row group are."""
    found = []
    for number in range(group.num_columns):
        column = group.column(number)
        if column.path_in_schema.split(".")[0] in columns:
            starts = (column.dictionary_page_offset, column.data_page_offset)
            start = min(each for each in starts if each is not None)
            found.append((start, start + column.total_compressed_size))
    return list(_joined(sorted(found)))


def _joined(ranges: Iterable[Range]) -> Iterator[Range]:
    """Fewer ranges, which hold these."""
    last: Range | None = None
    for start, end in ranges:
        if last is not None and start - last[1] <= NEAR_BYTES:
            last = last[0], max(last[1], end)
            continue
        if last is not None:
            yield last
        last = start, end
    if last is not None:
        yield last


def with_footer(found: Object, tail: bytes) -> pa.Buffer:
    """An object's size of memory, of which the end is filled. The rest is never touched, and so
    takes no room."""
    buffer = pa.allocate_buffer(found.size)
    memoryview(buffer).cast("B")[found.size - len(tail) :] = tail
    return buffer


def _with_ranges(bucket: Bucket, found: Object, tail: bytes, ranges: Iterable[Range]) -> pa.Buffer:
    """The same with more of it filled, fetched over several connections."""
    buffer = with_footer(found, tail)
    memory = memoryview(buffer).cast("B")
    parts = [
        (at, min(at + PART_BYTES, end))
        for start, end in ranges
        for at in range(start, end, PART_BYTES)
    ]

    def fetch(part: Range) -> None:
        memory[part[0] : part[1]] = bucket.read_version(found, *part)

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        for _ in threads.map(fetch, parts):
            pass
    return buffer
