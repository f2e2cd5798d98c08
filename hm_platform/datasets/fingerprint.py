"""A fingerprint of a table's content: equal rows in equal order, equal fingerprint.

It does not depend on how the rows are cut into record batches, nor on what lies under nulls.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from blake3 import blake3
from numpy.typing import NDArray


def fingerprint(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> str:
    """BLAKE3, as 64 hex digits, over column names, types and values in row order.

    Columns may hold booleans, integers, floats, dates, timestamps, strings and lists of these.
    """
    made = Fingerprint(schema)
    for batch in batches:
        made.update(batch)
    return made.hexdigest()


class Fingerprint:
    """The same for rows that pass by: ``update`` with each batch of them."""

    def __init__(self, schema: pa.Schema) -> None:
        self._columns = [_ColumnHash(field) for field in schema]

    def update(self, batch: pa.RecordBatch) -> None:
        for column, values in zip(self._columns, batch.columns, strict=True):
            column.update(values)

    def hexdigest(self) -> str:
        whole = blake3()
        for column in self._columns:
            whole.update(column.digest())
        return whole.hexdigest()


class _ColumnHash:
    """Hashes of a column's validity, list or string lengths, and values, each as one stream."""

    def __init__(self, field: pa.Field) -> None:
        self._name = f"{field.name}\0{field.type}".encode()
        self._validity = blake3()
        self._lengths = blake3()
        self._values = blake3()

    def update(self, values: pa.Array) -> None:
        valid = values.is_valid()
        self._validity.update(_bytes(valid.to_numpy(zero_copy_only=False)))
        values = values.filter(valid) if values.null_count else values
        while pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
            self._hash_lengths(pc.list_value_length(values))
            values = values.flatten()
        if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
            self._hash_lengths(pc.binary_length(values))
            self._values.update(_text_bytes(values))
        else:
            self._values.update(_bytes(values.to_numpy(zero_copy_only=False)))

    def _hash_lengths(self, lengths: pa.Array) -> None:
        self._lengths.update(_bytes(lengths.to_numpy(zero_copy_only=False).astype(np.int64)))

    def digest(self) -> bytes:
        parts = (self._validity, self._lengths, self._values)
        return blake3(self._name + b"".join(p.digest() for p in parts)).digest()


def _bytes(values: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(values).view(np.uint8).data


def _text_bytes(values: pa.Array) -> memoryview:
    """The bytes of a string array without nulls, one text after the other."""
    _, offsets, data = values.buffers()
    if not len(values) or data is None:
        return memoryview(b"")
    width = np.int64 if pa.types.is_large_string(values.type) else np.int32
    ends = np.frombuffer(offsets, dtype=width)
    return memoryview(data)[ends[values.offset] : ends[values.offset + len(values)]]
