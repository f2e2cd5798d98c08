"""One quantity of the staged rows: its histogram before and now, and the number of each week."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import duckdb
import numpy as np
from numpy.typing import NDArray

from hm_platform.drift.quantities import Quantity
from hm_platform.drift.stability import independent
from hm_platform.storage.tables import literal

DECILES = [n / 10 for n in range(1, 10)]

MEMBERS = {"purchases": "customer_id"}
"""The column of those whose rows in a week are alike; other tables have a row a member."""

RARE = 0.01
"""Categories that are rarer than this before are one bin together, with those not seen before."""

MOST_CATEGORIES = 20
"""How many categories have a bin of their own."""

UNKNOWN, OTHERS = "unknown", "others"


@dataclass(frozen=True)
class Compared:
    """The histograms of a quantity over the weeks before, together, and over the week.

    bins : what each bin holds, in words
    before, now : counts, shape (bins,)
    weeks : how many weeks before there were
    independent_before, independent_now : independent observations that the counts are worth
    """

    bins: Sequence[str]
    before: NDArray[np.int64]
    now: NDArray[np.int64]
    weeks: int
    independent_before: float
    independent_now: float


def compare(
    db: duckdb.DuckDBPyConnection, quantity: Quantity, week: date, first_week: date | None
) -> Compared:
    """The histograms of ``quantity`` before ``week`` and in it.

    Bins are made from the weeks before: for numbers between their deciles, and one on either side
    for what lies outside of all that there was; for the rest the categories that are not rare. One
    more is for what is unknown.

    first_week : the first week with a sale
    """
    member = MEMBERS.get(quantity.of, "rowid")
    number = quantity.kind == "number"
    value = f"({quantity.sql})::{'DOUBLE' if number else 'VARCHAR'}"
    if number:
        value = f"CASE WHEN isfinite({value}) THEN {value} END"
    db.execute(
        f"CREATE OR REPLACE TEMP VIEW compared AS SELECT week, {member} AS member, "
        f"{value} AS value FROM {quantity.of} WHERE {_since(quantity, first_week)}"
    )
    if number:
        bin_, bins = _number_bins(db, week)
    elif quantity.kind == "yes_or_no":
        bin_, bins = _bins_of(["no", "yes"])
    else:
        bin_, bins = _bins_of(_frequent(db, week))
    counts = np.zeros((2, len(bins)), np.int64)
    for is_now, at, count in db.execute(
        f"SELECT week = $week, {bin_} AS bin, count(*) FROM compared GROUP BY ALL", {"week": week}
    ).fetchall():
        counts[int(is_now), at] = count
    return Compared(bins, counts[0], counts[1], *_sizes(db, week))


def weekly(
    db: duckdb.DuckDBPyConnection, quantity: Quantity, first_week: date | None
) -> list[tuple[date, float]]:
    """The quantity's statistic of each week that has one, in order."""
    if quantity.statistic is None:
        return []
    return db.execute(
        f"SELECT week, ({quantity.statistic.sql})::DOUBLE AS value FROM {quantity.of} "
        f"WHERE {_since(quantity, first_week)} GROUP BY week HAVING value IS NOT NULL ORDER BY week"
    ).fetchall()


def weekly_counts(db: duckdb.DuckDBPyConnection, table: str) -> list[tuple[date, int]]:
    """The rows of each week that has some, in order."""
    return db.execute(f"SELECT week, count(*) FROM {table} GROUP BY week ORDER BY week").fetchall()


def _since(quantity: Quantity, first_week: date | None) -> str:
    """Leaves out the weeks before which too little is known."""
    if first_week is None or not quantity.history_days:
        return "true"
    return f"week >= DATE '{first_week + timedelta(days=quantity.history_days)}'"


def _sizes(db: duckdb.DuckDBPyConnection, week: date) -> tuple[int, float, float]:
    """Weeks before, and the independent observations before and now."""
    weeks, *found = db.execute(
        """
        SELECT count(DISTINCT week) FILTER (week < $week),
            coalesce(sum(size) FILTER (week < $week), 0)::DOUBLE,
            coalesce(sum(size * size) FILTER (week < $week), 0)::DOUBLE,
            coalesce(sum(size) FILTER (week = $week), 0)::DOUBLE,
            coalesce(sum(size * size) FILTER (week = $week), 0)::DOUBLE
        FROM (SELECT week, count(*) AS size FROM compared GROUP BY week, member)
        """,
        {"week": week},
    ).fetchall()[0]
    return weeks, independent(*found[:2]), independent(*found[2:])


def _number_bins(db: duckdb.DuckDBPyConnection, week: date) -> tuple[str, list[str]]:
    """A SQL expression for the number of a value's bin, and the bins in words."""
    lowest, highest, deciles = db.execute(
        f"SELECT min(value), max(value), quantile_disc(value, {DECILES}) FROM compared "
        "WHERE week < $week AND value IS NOT NULL",
        {"week": week},
    ).fetchall()[0]
    if lowest is None:
        # Nothing is known before: what is known now is in other bins than that in any case.
        lowest = highest = 0.0
    edges = sorted({*(deciles or ()), highest})
    steps = [f"(value >= {lowest!r}::DOUBLE)::INTEGER"]
    steps += [f"(value > {edge!r}::DOUBLE)::INTEGER" for edge in edges]
    text = [f"{edge:.4g}" for edge in edges]
    bins = [UNKNOWN, f"under {lowest:.4g}", f"up to {text[0]}"]
    bins += [f"{low} to {high}" for low, high in pairwise(text)]
    return f"coalesce(1 + {' + '.join(steps)}, 0)", [*bins, f"over {text[-1]}"]


def _frequent(db: duckdb.DuckDBPyConnection, week: date) -> list[str]:
    """The categories that are not rare in the weeks before, the most frequent first."""
    found = db.execute(
        f"""
        SELECT value FROM compared WHERE week < $week
        GROUP BY value
        HAVING value IS NOT NULL AND count(*) >= $rare *
            (SELECT count(*) FROM compared WHERE week < $week)
        ORDER BY count(*) DESC, value LIMIT {MOST_CATEGORIES}
        """,
        {"week": week, "rare": RARE},
    ).fetchall()
    return [name for (name,) in found]


def _bins_of(categories: Sequence[str]) -> tuple[str, list[str]]:
    """As for numbers: a bin a category."""
    place = f"list_position([{', '.join(map(literal, categories))}]::VARCHAR[], value)"
    return (
        f"CASE WHEN value IS NULL THEN 0 ELSE coalesce(1 + {place}, 1) END",
        [UNKNOWN, OTHERS, *categories],
    )
