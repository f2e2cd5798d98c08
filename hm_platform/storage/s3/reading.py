"""Reading Parquet objects into Arrow: only the columns and row groups that are asked for.

Small objects are read whole and several ahead, in one request each; of large ones only what is
needed, in large ranges over several connections. Either way one version of an object is read.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hm_platform.storage.s3.bucket import CONNECTIONS, Bucket, Object
from hm_platform.storage.s3.errors import ChangedObjectError, MissingObjectError
from hm_platform.storage.s3.row_groups import (
    FOOTER_BYTES,
    FORMAT,
    fetched,
    footer,
    native,
    with_footer,
)
from hm_platform.storage.tables import BATCH_ROWS, Slice, TableError

SMALL_BYTES = 4 << 20
"""An object up to this size is read whole, in one request."""

AHEAD = 16
"""How many objects are asked for before they are needed."""

KEPT_BYTES = 64 << 20
"""How much of what was read last is kept, since commands and sensors ask for the same small
objects again and again."""


class Reading:
    """Reads the objects of a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._kept = _Kept()
        self._footers = _Kept()

    def table(
        self, objects: Sequence[Object], source: Slice, shape: Object | None = None
    ) -> pa.Table:
        """The rows of these objects that are in the slice, as one table."""
        return self.stream(objects, source, shape).read_all()

    def stream(
        self, objects: Sequence[Object], source: Slice, shape: Object | None = None
    ) -> pa.RecordBatchReader:
        """The same as batches, object after object, each read when it is its turn.

        shape : an object with all columns that the table has
        """
        whole = self.unified([*objects, *([shape] if shape else [])], source)
        asked = [*source.columns, *source.only, *([source.by] if source.days else [])]
        missing = [name for name in dict.fromkeys(asked) if name not in whole.names]
        if missing:
            raise TableError(
                f"{source.schema}.{source.table} has no column {', '.join(missing)}: build it again"
            )
        names = list(source.columns) or whole.names
        schema = pa.schema([whole.field(name) for name in names])
        return pa.RecordBatchReader.from_batches(
            schema, self._batches(objects, source, whole, names)
        )

    def unified(self, objects: Sequence[Object], source: Slice) -> pa.Schema:
        """The columns of all these objects. Raises TableError where two disagree about a type."""
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            schemas = list(threads.map(self.schema, dict.fromkeys(objects)))
        try:
            return pa.unify_schemas(schemas)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise TableError(
                f"weeks of {source.schema}.{source.table} do not fit together, build them again: "
                f"{error}"
            ) from None

    def schema(self, found: Object) -> pa.Schema:
        """The columns of one object."""
        return pq.read_schema(self._described(found)).remove_metadata()

    def rows(self, objects: Sequence[Object]) -> int:
        """How many rows there are in all, which the files say themselves."""
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            return sum(
                threads.map(lambda o: pq.read_metadata(self._described(o)).num_rows, objects)
            )

    def _batches(
        self, objects: Sequence[Object], source: Slice, schema: pa.Schema, names: list[str]
    ) -> Iterator[pa.RecordBatch]:
        wanted = _expression(source, schema)
        used = {*names, *source.only, source.by} if source.days else {*names, *source.only}
        for found, content in self._ahead(objects):
            parts = (
                fetched(self._bucket, found, self._footer(found), wanted, schema, used)
                if content is None
                else iter([FORMAT.make_fragment(native(content))])
            )
            for part in parts:
                scanner = part.scanner(
                    schema=schema,
                    columns=names,
                    filter=wanted,
                    batch_size=BATCH_ROWS,
                    batch_readahead=4,
                )
                for batch in scanner.to_batches():
                    if len(batch):
                        yield batch

    def _ahead(self, objects: Sequence[Object]) -> Iterator[tuple[Object, bytes | None]]:
        """The objects with the content of small ones, the next ones being read while one is
        used."""
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            coming: deque[tuple[Object, Future[bytes | None]]] = deque()
            left = iter(objects)
            try:
                while True:
                    while len(coming) < AHEAD and (found := next(left, None)) is not None:
                        coming.append((found, threads.submit(self._content, found)))
                    if not coming:
                        return
                    found, content = coming.popleft()
                    yield found, content.result()
            finally:
                for _, each in coming:
                    each.cancel()

    def _content(self, found: Object) -> bytes | None:
        """The content of a small object; None of a large one."""
        if found.size > SMALL_BYTES:
            return None
        content = self._kept.get(found)
        if content is None:
            try:
                content = self._bucket.read_version(found)
            except (ChangedObjectError, MissingObjectError):
                # Nothing of it has been read: the new version is as good as the old one was. It is
                # not kept, since it is not the one that was listed.
                return self._bucket.read(found.key)
            self._kept.put(found, content)
        return content

    def _described(self, found: Object) -> pa.BufferReader:
        """An object as a file of which at least the footer is there."""
        whole = self._kept.get(found)
        if whole is None and found.size <= FOOTER_BYTES:
            whole = self._content(found)
        return pa.BufferReader(whole or with_footer(found, self._footer(found)))

    def _footer(self, found: Object) -> bytes:
        tail = self._footers.get(found)
        if tail is None:
            tail = footer(self._bucket, found)
            self._footers.put(found, tail)
        return tail


class _Kept:
    """Objects, or ends of objects, that were read lately."""

    def __init__(self) -> None:
        self._content: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, found: Object) -> bytes | None:
        with self._lock:
            content = self._content.get((found.key, found.etag))
            if content is not None:
                self._content.move_to_end((found.key, found.etag))
            return content

    def put(self, found: Object, content: bytes) -> None:
        with self._lock:
            self._bytes += len(content) - len(self._content.pop((found.key, found.etag), b""))
            self._content[found.key, found.etag] = content
            while self._bytes > KEPT_BYTES:
                self._bytes -= len(self._content.popitem(last=False)[1])


def _expression(source: Slice, schema: pa.Schema) -> pc.Expression | None:
    """The rows of the slice, as what Arrow can leave out while it reads."""
    wanted = None
    conditions = []
    for name, values in source.only.items():
        listed = [values] if isinstance(values, str) else list(values)
        typed = pa.array(listed, pa.string()).cast(schema.field(name).type)
        conditions.append(pc.field(name).isin(typed))
    if source.days is not None:
        start, end = (pa.scalar(day, schema.field(source.by).type) for day in source.days)
        conditions.append((pc.field(source.by) >= start) & (pc.field(source.by) < end))
    for condition in conditions:
        wanted = condition if wanted is None else wanted & condition
    return wanted
