"""What a person sees of a run while it runs."""

from __future__ import annotations

import pyarrow as pa

from hm_platform.progress import TOLD_EVERY_S, paced

ROWS = pa.table({"x": pa.array(range(1000), pa.int64())})


def test_rows_are_told_now_and_then() -> None:
    now = 0.0
    told: list[str] = []
    reader = paced(ROWS.to_reader(max_chunksize=100), told.append, lambda: now)
    found = []
    for batch in reader:
        found.append(batch)
        now += TOLD_EVERY_S / 4
    assert pa.Table.from_batches(found) == ROWS
    assert told == ["400 rows so far", "800 rows so far"]


def test_what_is_quick_is_not_told() -> None:
    told: list[str] = []
    assert paced(ROWS.to_reader(max_chunksize=1), told.append).read_all() == ROWS
    assert told == []
