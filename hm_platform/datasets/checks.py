"""What must hold of a split as it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import duckdb
import pyarrow as pa

from hm_platform.machine import in_memory_config


@dataclass(frozen=True)
class SplitDays:
    """Days of a stored split: the first and last (None when it is empty), and the rows outside."""

    first_day: date | None
    last_day: date | None
    purchases: int
    outside: int


def split_days(purchases: pa.RecordBatchReader, bounds: tuple[date, date]) -> SplitDays:
    """Which days a split holds, and how many of its purchases lie outside its bounds.

    purchases : t_dat
    bounds : first day and first day after

    The bounds of a week's three splits touch and do not overlap (``SplitPlan``), so splits that
    keep to them share no day.
    """
    start, end = bounds
    with duckdb.connect(config=in_memory_config()) as db:
        db.register("purchases", purchases)
        found = db.execute(
            """
            SELECT min(t_dat), max(t_dat), count(*),
                count(*) FILTER (t_dat IS NULL OR t_dat < $start OR t_dat >= $end)
            FROM purchases
            """,
            {"start": start, "end": end},
        ).fetchone()
    return SplitDays(*(found or (None, None, 0, 0)))
