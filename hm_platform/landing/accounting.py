"""The sums that prove that no landed row is lost: plain functions over the index and the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from hm_platform.landing.entry import FileRows, from_table, rows_by_week

MOST_TOLD = 20
"""Faults that are told; one is enough to see that something is wrong."""


def files_that_do_not_add_up(index: pa.Table) -> list[str]:
    """Files of the index whose rows are not those loaded, quarantined and held, or whose weeks are
    not the rows that are loaded."""
    faults = []
    for entry in from_table(index):
        if entry.state == "duplicate":
            continue
        told = entry.rows_loaded + entry.rows_quarantined + entry.rows_held
        if (entry.rows or 0) != told:
            faults.append(f"{entry.uri}: {entry.rows} rows, but {told} are accounted for")
        by_week = sum(week.rows for week in entry.weeks)
        loaded = entry.rows_loaded + entry.rows_kept
        if entry.dataset == "transactions" and by_week != loaded:
            faults.append(f"{entry.uri}: {loaded} rows are loaded, but {by_week} lie in weeks")
    return faults[:MOST_TOLD]


def landed_rows(index: pa.Table, start: date, end: date) -> dict[date, list[FileRows]]:
    """The rows that the index has for the weeks from ``start`` to before ``end``, by file."""
    by_week = rows_by_week(from_table(index))
    return {week: files for week, files in by_week.items() if start <= week < end}


def differences(
    landed: Mapping[date, Sequence[FileRows]], loaded: Mapping[date, Sequence[FileRows]]
) -> list[str]:
    """Files and weeks whose loaded rows are not the landed ones."""
    faults = []
    for week in sorted(landed.keys() | loaded.keys()):
        ours = {uri: (rows, fingerprint) for uri, rows, fingerprint in landed.get(week, ())}
        theirs = {uri: (rows, fingerprint) for uri, rows, fingerprint in loaded.get(week, ())}
        for uri in sorted(ours.keys() | theirs.keys()):
            if ours.get(uri) != theirs.get(uri):
                counts = [side.get(uri, (0, ""))[0] for side in (ours, theirs)]
                detail = "with other values" if counts[0] == counts[1] else "rows"
                faults.append(
                    f"week {week}, {uri}: {counts[0]:,} landed, {counts[1]:,} loaded, {detail}"
                )
    return faults[:MOST_TOLD]


def quarantine_faults(index: pa.Table, quarantine: pa.RecordBatchReader) -> list[str]:
    """Files whose quarantined rows are not as many as the index says."""
    counted: dict[str, int] = {}
    for batch in quarantine:
        for pair in pc.value_counts(batch.column("uri")).to_pylist():
            counted[pair["values"]] = counted.get(pair["values"], 0) + pair["counts"]
    wanted = {e.uri: e.rows_quarantined for e in from_table(index) if e.rows_quarantined}
    return [
        f"{uri}: {wanted.get(uri, 0):,} rows were refused, {counted.get(uri, 0):,} are listed"
        for uri in sorted(wanted.keys() | counted.keys())
        if wanted.get(uri) != counted.get(uri)
    ][:MOST_TOLD]
