"""The index of the landing zone: a row a file, saying what is in it and what became of it.

A file is ``loaded`` (its good rows are; the others are refused and counted), ``held`` (it cannot be
read as a whole), a ``duplicate`` (a file earlier in the list has the same content) or ``pending``
(somebody is still writing it). For loaded files ``rows = rows_loaded + rows_quarantined``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime

import duckdb
import pyarrow as pa

from hm_platform.calendar import Calendar
from hm_platform.landing.checking import Checked, check
from hm_platform.landing.columns import COLUMNS, LANDED_FILES_SCHEMA, Kind
from hm_platform.landing.content import Content, examine
from hm_platform.landing.errors import LandingError
from hm_platform.landing.records import records
from hm_platform.landing.session import Session
from hm_platform.landing.zone import DATASETS, LandedFile, LandingZone

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Entry:
    """A row of ``raw.landed_files``; ``rows`` is None where nobody can tell."""

    uri: str
    dataset: str
    size: int
    content_hash: str | None
    first_day: date | None = None
    last_day: date | None = None
    rows: int | None = None
    rows_loaded: int = 0
    rows_quarantined: int = 0
    state: str = "loaded"
    reason: str | None = None


def index_landing_zone(
    zone: LandingZone,
    calendar: Calendar,
    previous: pa.Table | None = None,
    progress: Progress | None = None,
    *,
    today: date | None = None,
    memory_limit: str | None = None,
) -> pa.Table:
    """List every landed file with what is in it, ordered by data set and uri.

    Every file is read once, to tell its content; one whose content is as ``previous`` has it, all
    rows good, is not checked again. Two files with the same content are one: the first by uri.

    previous : an earlier index of the same zone (LANDED_FILES_SCHEMA), or None
    today : the last day that a row may have; by default the clock's

    Returns a table with LANDED_FILES_SCHEMA. A file that cannot be read never raises: it is held.
    """
    today = today or datetime.now(UTC).astimezone().date()
    known = {entry.uri: entry for entry in _entries(previous)}
    entries: list[Entry] = []
    with Session(memory_limit) as session:
        for dataset in DATASETS:
            first_with: dict[str, Entry] = {}
            for file in zone.files(dataset):
                try:
                    entry = _enter(session, file, calendar, today, known.get(file.uri), first_with)
                except FileNotFoundError:
                    # It went after it was listed, and so did its rows.
                    continue
                if entry.content_hash is not None:
                    first_with.setdefault(entry.content_hash, entry)
                entries.append(entry)
                if progress is not None:
                    progress(_line(entry))
    return pa.Table.from_pylist([asdict(entry) for entry in entries], LANDED_FILES_SCHEMA)


def _entries(index: pa.Table | None) -> list[Entry]:
    return [] if index is None else [Entry(**row) for row in index.to_pylist()]


def _enter(
    session: Session,
    file: LandedFile,
    calendar: Calendar,
    today: date,
    known: Entry | None,
    first_with: dict[str, Entry],
) -> Entry:
    entry = Entry(file.uri, file.dataset, file.size, None)
    try:
        before = file.stamp()
        content = examine(file)
        entry = replace(entry, size=before[0], content_hash=content.hash)
        twin = first_with.get(content.hash)
        if twin is not None:
            entry = replace(
                entry,
                first_day=twin.first_day,
                last_day=twin.last_day,
                rows=twin.rows,
                state="duplicate",
                reason=f"the same content as {twin.uri}",
            )
        elif known is not None and _still_holds(known, entry, calendar):
            entry = known
        else:
            entry = _validated(session, file, content, (calendar.first_week, today), entry)
        if file.stamp() != before:
            reason = "somebody is still writing it: it will be read once it stays as it is"
            entry = Entry(file.uri, file.dataset, file.size, None, state="pending", reason=reason)
    except FileNotFoundError:
        raise
    except (LandingError, OSError, duckdb.Error) as error:
        entry = replace(entry, state="held", reason=_reason(file, error))
    return entry


def _still_holds(known: Entry, entry: Entry, calendar: Calendar) -> bool:
    """Whether checking again would find the same.

    A row refused for its date may be good another day, and a file held back may be readable for a
    later version of this code, so only a file without fault counts.
    """
    return (
        (known.dataset, known.size, known.content_hash)
        == (entry.dataset, entry.size, entry.content_hash)
        and known.state == "loaded"
        and known.rows_quarantined == 0
        and (known.first_day is None or known.first_day >= calendar.first_week)
    )


def _validated(
    session: Session,
    file: LandedFile,
    content: Content,
    days: tuple[date, date],
    entry: Entry,
) -> Entry:
    checked = check(file.dataset, records(session, file, content), days)
    day = next((c.name for c in COLUMNS[file.dataset] if c.kind is Kind.DAY), "NULL::DATE")
    # Every column is asked for, so that a file that breaks off is found out here.
    wanted = ", ".join(f"count({column.name})" for column in COLUMNS[file.dataset])
    counted = session.connection.execute(
        f"SELECT refusal, count(*), min({day}), max({day}), {wanted} "
        f"FROM ({checked.sql}) GROUP BY refusal ORDER BY refusal NULLS FIRST"
    ).fetchall()
    refused = {position: rows for position, rows, *_ in counted if position is not None}
    good = [row for row in counted if row[0] is None]
    loaded, first, last = good[0][1:4] if good else (0, None, None)
    quarantined = sum(refused.values())
    return replace(
        entry,
        first_day=first,
        last_day=last,
        rows=loaded + quarantined,
        rows_loaded=loaded,
        rows_quarantined=quarantined,
        reason=_refusals(checked, refused) if refused else None,
    )


def _refusals(checked: Checked, refused: dict[int, int]) -> str:
    counts = (
        f"{rows:,} x {refusal.column + ' ' if refusal.column else ''}{refusal.reason}"
        for rows, refusal in ((refused[i], checked.refusals[i]) for i in sorted(refused))
    )
    rows = sum(refused.values())
    return f"refused {rows:,} row{'s' if rows > 1 else ''}: {'; '.join(counts)}"


def _reason(file: LandedFile, error: Exception) -> str:
    if isinstance(error, LandingError):
        return str(error)
    first = str(error).strip().partition("\n")[0][:300]
    if isinstance(error, OSError):
        return f"the file cannot be read: {error.strerror or first}"
    kind = "Parquet" if file.is_parquet else "CSV"
    return f"not readable as {kind}, perhaps cut short: send it again, whole ({first})"


def _line(entry: Entry) -> str:
    if entry.state != "loaded":
        return f"{entry.uri}: {entry.state}: {entry.reason}"
    refused = f", {entry.reason}" if entry.reason else ""
    return f"{entry.uri}: {entry.rows_loaded:,} rows{refused}"
