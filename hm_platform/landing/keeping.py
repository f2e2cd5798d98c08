"""What stays loaded of a file that was in order and is not now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from hm_platform.landing.entry import Entry, FileRows, WeekRows
from hm_platform.landing.schemas import remembered_columns

InWarehouse = Callable[[], Mapping[date, Sequence[FileRows]]]
"""Gives what ``raw.transactions`` holds of each week, by file."""


def keep(
    entries: list[Entry],
    before: Mapping[str, Entry],
    in_warehouse: InWarehouse,
) -> list[Entry]:
    """The entries, with what stays loaded of a file's earlier content while it is not in order, and
    with its columns until others are seen.

    Without that, a broken file that overwrites a good one would empty the good one's weeks.

    before : the entries of the index before, by uri
    """
    sound = {(entry.dataset, entry.content_hash) for entry in entries if entry.state == "loaded"}
    # The same broken content may have overwritten several.
    broken = {
        entry.uri: before[entry.uri]
        for entry in entries
        if entry.uri in before
        and entry.state != "loaded"
        and (entry.state != "duplicate" or (entry.dataset, entry.content_hash) not in sound)
    }
    there: dict[str, list[WeekRows]] = {}
    if any(entry.weeks for entry in broken.values()):
        for day, files in in_warehouse().items():
            for uri, rows, fingerprint in files:
                there.setdefault(uri, []).append(WeekRows(day, rows, fingerprint))
    # The same rows may have come under another name meanwhile, and would count twice.
    elsewhere = {week for entry in entries if entry.state == "loaded" for week in entry.weeks}
    kept = []
    for entry in entries:
        if (was := broken.get(entry.uri)) is not None:
            # Also where they are not the rows that the index before had: those may have waited for
            # a load that never came.
            loaded = there.get(entry.uri, []) if was.weeks else []
            weeks = tuple(
                week for week in sorted(loaded, key=lambda week: week.week) if week not in elsewhere
            )
            count = sum(week.rows for week in weeks)
            if entry.dataset != "transactions":
                count = was.rows_loaded + was.rows_kept
            lost = remembered_columns(was) - {name for name, _ in entry.columns}
            lost |= {*entry.lost_columns}
            entry = replace(
                entry,
                weeks=weeks,
                rows_kept=count,
                columns=was.columns if _is_unseen(entry) else entry.columns,
                lost_columns=tuple(sorted(lost)),
            )
        kept.append(entry)
    return kept


def _is_unseen(entry: Entry) -> bool:
    """Whether nobody has got as far as its columns, nor found content that others may have, too."""
    return not entry.columns and (entry.checked_by is None or entry.content_hash is None)
