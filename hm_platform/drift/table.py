"""A week's drift as rows for the warehouse (``evaluation.drift``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from statistics import median
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from hm_platform.drift.comparing import Compared, compare, weekly, weekly_counts
from hm_platform.drift.quantities import (
    FEATURES,
    FEWEST_WEEKS,
    PURCHASES,
    VOLUMES,
    Quantity,
    Volume,
)
from hm_platform.drift.stability import contributions, noise
from hm_platform.drift.staging import Rows, first_week, staged

PASSED, FAILED, REPORTED, NOT_MEASURED = "passed", "failed", "reported", "not measured"

SCHEMA = pa.schema(
    [
        pa.field("week", pa.date32(), nullable=False),
        pa.field("quantity", pa.string(), nullable=False),
        pa.field("measure", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64()),
        pa.field("reference_weeks", pa.int32(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("detail", pa.string()),
        pa.field(
            "weeks_before", pa.list_(pa.struct([("week", pa.date32()), ("value", pa.float64())]))
        ),
    ]
)

Row = dict[str, Any]


def drift_table(week: date, purchases: Rows, sales: Rows, features: Mapping[str, Rows]) -> pa.Table:
    """How ``week`` compares with the weeks before it; the arguments are those of ``staged``.

    A row a quantity and measure. ``ratio`` (to the median of the weeks before) may lie between one
    over the threshold and the threshold, ``stability_index`` at the threshold at most. Where there
    are fewer than FEWEST_WEEKS weeks to compare with, there is no threshold and the outcome is
    "reported"; where there are none or the week is empty, the value is NULL and "not measured".
    The other measures (``number``, ``median``, ``mean``, ``share``) are reported, with those of
    the weeks before.
    """
    with staged(week, purchases, sales, features) as db:
        known = first_week(db)
        rows = [row for volume in VOLUMES for row in _volume(db, volume, week)]
        for quantity in (*PURCHASES, *FEATURES):
            rows += _distribution(db, quantity, week, known)
    return pa.Table.from_pylist([{"week": week, **row} for row in rows], SCHEMA)


def _volume(db: duckdb.DuckDBPyConnection, volume: Volume, week: date) -> Iterator[Row]:
    counts = dict(weekly_counts(db, volume.table))
    now = counts.pop(week, 0)
    usual = median(counts.values()) if counts else None
    value = now / usual if usual else None
    threshold = volume.most if len(counts) >= FEWEST_WEEKS else None
    yield _row(
        volume.name,
        "ratio",
        value,
        threshold,
        len(counts),
        now,
        None if value is None or threshold is None else 1 / threshold <= value <= threshold,
        None if usual is None else f"{usual:,.0f} before, {now:,} now",
    )
    yield _row(volume.name, "number", now, None, len(counts), now, None, None, list(counts.items()))


def _distribution(
    db: duckdb.DuckDBPyConnection, quantity: Quantity, week: date, known: date | None
) -> Iterator[Row]:
    found = compare(db, quantity, week, known)
    count = int(found.now.sum())
    value = threshold = detail = None
    if found.before.sum() and count:
        parts = contributions(found.before, found.now)
        value = float(parts.sum())
        detail = _most_changed(found, parts)
        if found.weeks >= FEWEST_WEEKS:
            bins = int(((found.before + found.now) > 0).sum())
            threshold = quantity.limit + noise(
                bins, found.independent_before, found.independent_now
            )
    passed = None if value is None or threshold is None else value <= threshold
    yield _row(
        quantity.name, "stability_index", value, threshold, found.weeks, count, passed, detail
    )
    if quantity.statistic:
        by_week = dict(weekly(db, quantity, known))
        now = by_week.pop(week, None)
        if now is not None:
            measure, before = quantity.statistic.measure, list(by_week.items())
            yield _row(
                quantity.name, measure, now, None, found.weeks, count, None, None, before
            )  # fmt: skip


def _most_changed(found: Compared, parts: np.ndarray) -> str | None:
    """The bin that has changed most, in words; None where nothing has."""
    if not parts.any():
        return None
    at = int(parts.argmax())
    before, now = found.before[at] / found.before.sum(), found.now[at] / found.now.sum()
    return f"{found.bins[at]}: {_percent(before)} before, {_percent(now)} now"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _row(
    quantity: str,
    measure: str,
    value: float | None,
    threshold: float | None,
    reference_weeks: int,
    count: int,
    passed: bool | None,
    detail: str | None,
    weeks_before: list[tuple[date, float]] | None = None,
) -> Row:
    outcome = NOT_MEASURED if value is None else REPORTED
    if passed is not None:
        outcome = PASSED if passed else FAILED
    return {
        "quantity": quantity,
        "measure": measure,
        "value": value,
        "threshold": threshold,
        "reference_weeks": reference_weeks,
        "count": count,
        "outcome": outcome,
        "detail": detail,
        "weeks_before": weeks_before
        and [{"week": week, "value": float(value)} for week, value in weeks_before],
    }
