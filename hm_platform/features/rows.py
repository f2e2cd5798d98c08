"""The rows of the ``features/*`` tables by split, as they are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hm_platform.datasets.names import RANKING
from hm_platform.features import catalogue
from hm_platform.features.workspace import Rows, require


def by_split(rows: Rows, table: str, week: date, splits: Sequence[str]) -> dict[str, pa.Table]:
    """The rows of ``features/<table>`` of each split.

    Those of a table are not copied where a batch has one split alone. Those of a stream are, so
    that each column can be let go by itself, which a batch from elsewhere does not allow.

    Raises FeatureError when there is a column less than in the catalogue.
    """
    require(rows, f"features/{table}", *catalogue.schema(table).names)
    found: dict[str, list[pa.RecordBatch]] = {split: [] for split in splits}
    for batch in batches(rows):
        for split, part in parts(batch, week, splits, copied=not isinstance(rows, pa.Table)):
            found[split].append(part)
    return {split: pa.Table.from_batches(found.pop(split), rows.schema) for split in splits}


def parts(
    batch: pa.RecordBatch, week: date, splits: Sequence[str], *, copied: bool
) -> Iterator[tuple[str, pa.RecordBatch]]:
    """What a batch has of each of these splits."""
    for split in pc.unique(batch["split"]).to_pylist():
        if split in splits:
            mine = pc.and_(pc.equal(batch["week"], week), pc.equal(batch["split"], split))
            whole = not copied and pc.all(mine).as_py()
            yield split, batch if whole else batch.filter(mine)


def batches(rows: Rows) -> Iterable[pa.RecordBatch]:
    """The rows batch by batch."""
    return rows.to_batches() if isinstance(rows, pa.Table) else rows


def of_split(rows: pa.Table, week: date, split: str) -> pa.Table:
    """The rows of one week and split, untouched where there are no others.

    split : RANKING stands for all ranking splits
    """
    equal = pc.starts_with if split == RANKING else pc.equal
    mine = pc.and_(pc.equal(rows["week"], week), equal(rows["split"], split))
    return rows if pc.all(mine, min_count=0).as_py() else rows.filter(mine)


def latest(rows: pa.Table, cutoff: date) -> pa.Table:
    """The rows with the latest cut-off that is not after this one, or all where none is."""
    cutoffs = [found for found in pc.unique(rows["cutoff"]).to_pylist() if found <= cutoff]
    if not cutoffs or len(cutoffs) == 1 == len(pc.unique(rows["cutoff"])):
        return rows
    return rows.filter(pc.equal(rows["cutoff"], max(cutoffs)))


def ordered(rows: pa.Table, number: str) -> pa.Table:
    """The rows in the order of ``number``, untouched where they are in it."""
    numbers = rows[number].to_numpy()
    return rows if (np.diff(numbers) > 0).all() else rows.sort_by(number)


def one(column: pa.ChunkedArray) -> pa.Array:
    """The column as one array, as it is where it has one chunk."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
