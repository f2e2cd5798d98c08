"""What a file holds: its good rows by week, its refused rows by reason, and whether they are too
many. A function of the file's bytes and of the rules, and of nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import duckdb
import pyarrow as pa

from hm_platform.calendar import Calendar
from hm_platform.landing.checking import Checked, check
from hm_platform.landing.columns import (
    COLUMNS,
    Kind,
    numbered_hash,
    row_hash,
    written_fingerprint,
)
from hm_platform.landing.entry import Entry, WeekRows
from hm_platform.landing.errors import LandingError
from hm_platform.landing.numbering import numbered
from hm_platform.landing.relation import Records
from hm_platform.landing.session import Session
from hm_platform.landing.zone import LandedFile, Landing

MAX_REFUSED_SHARE = 0.05
"""The share of refused rows past which a file is held back: it is a fault of the whole then."""


@dataclass(frozen=True)
class Rules:
    """What decides about a file beside its content.

    max_refused_share : of its rows, from 0 to 1; past it the whole file is held back
    without : columns that a data set has had and may be without now, as ``customers.age``
    code : fingerprint of the code that checks
    """

    calendar: Calendar
    max_refused_share: float = MAX_REFUSED_SHARE
    without: tuple[str, ...] = ()
    code: str = ""

    @classmethod
    def of(cls, zone: Landing, calendar: Calendar, max_refused_share: float, code: str) -> Rules:
        """The rules for the files of ``zone``, with what its dataset.toml says.

        Raises LandingError when that cannot be understood.
        """
        dataset = zone.dataset()
        return cls(calendar, max_refused_share, dataset.without if dataset else (), code)

    @property
    def fingerprint(self) -> str:
        # DuckDB's version: its hashes, by which weeks are compared, may differ in another.
        named = (
            self.calendar.first_week, self.max_refused_share, *self.without, self.code,
            duckdb.__version__,
        )  # fmt: skip
        return hashlib.sha256("\n".join(map(str, named)).encode()).hexdigest()


def validate(
    session: Session, file: LandedFile, read: Records, rules: Rules, today: date, entry: Entry
) -> Entry:
    """``entry`` with what ``file`` holds, whose records are ``read``.

    Raises LandingError, duckdb.Error or OSError when it cannot be read as a whole.
    """
    checked = check(file.dataset, read, (rules.calendar.first_week, today))
    counted = _counted(session, file.dataset, checked, rules.calendar)
    good = {week: rows for (refusal, week), rows in counted.items() if refusal is None}
    refused = {refusal: rows for (refusal, _), rows in counted.items() if refusal is not None}
    loaded = sum(rows.rows for rows in good.values())
    quarantined = sum(rows.rows for rows in refused.values())
    late = (rows for refusal, rows in refused.items() if checked.refusals[refusal].in_future)
    if quarantined:
        _read_refused(session, file, read, rules, today)
    found = replace(
        entry,
        first_day=min((rows.first for rows in good.values() if rows.first), default=None),
        last_day=max((rows.last for rows in good.values() if rows.last), default=None),
        rows=loaded + quarantined,
        rows_loaded=loaded,
        rows_quarantined=quarantined,
        reason=_refusals(checked, refused) if refused else None,
        weeks=tuple(
            WeekRows(week, good[week].rows, written_fingerprint(good[week].hashes))
            for week in sorted(week for week in good if week)
        ),
        columns=read.columns,
        check_again_on=min((rows.first for rows in late if rows.first), default=None),
    )
    for day in (found.first_day, found.last_day):
        if day and not rules.calendar.first_week <= day <= today:
            # DuckDB had skipped the comparison for what the file says of its smallest and largest.
            return held(
                found,
                f"damaged: it holds the day {day}, which its own statistics deny: send it again",
            )
    # Dividing rounds as the limit itself was rounded; multiplying may not.
    share = quarantined / max(1, loaded + quarantined)
    if share > rules.max_refused_share:
        found = held(
            found,
            f"held back, since {share:.1%} of its rows are refused, over HM_MAX_REFUSED_SHARE = "
            f"{rules.max_refused_share:g}: correct it and send it again; {found.reason}",
        )
    return found


def count(session: Session, read: Records, fault: str, entry: Entry) -> Entry:
    """``entry`` as that of a file of which nothing but the number of records can be told.

    Raises duckdb.Error or OSError when not even that can.
    """
    counted = session.connection.execute(f"SELECT count(*) FROM ({read.source})").fetchone()
    rows = counted[0] if counted else 0
    return held(replace(entry, rows=rows, rows_loaded=rows, columns=read.columns), fault)


def held(entry: Entry, reason: str) -> Entry:
    """``entry`` as that of a file of which nothing is loaded."""
    return replace(
        entry,
        state="held",
        reason=reason,
        weeks=(),
        rows_held=entry.rows_loaded + entry.rows_held,
        rows_loaded=0,
    )


@dataclass
class _Counted:
    """Rows that are alike: how many, of which days, and the hash of them with their numbers."""

    rows: int = 0
    first: date | None = None
    last: date | None = None
    hashes: int = 0

    def add(self, rows: int, first: date | None, last: date | None, hashes: int) -> None:
        self.rows += rows
        self.first = min((day for day in (self.first, first) if day), default=None)
        self.last = max((day for day in (self.last, last) if day), default=None)
        self.hashes ^= hashes


def _counted(
    session: Session, dataset: str, checked: Checked, calendar: Calendar
) -> dict[tuple[int | None, date | None], _Counted]:
    """The rows by refusal (None: good) and week (None: no day, or refused)."""
    day = next((c.name for c in COLUMNS[dataset] if c.kind is Kind.DAY), "NULL::DATE")
    # Every column is asked for, so that a file that breaks off is found out here.
    columns = (
        f"refusal, CASE WHEN refusal IS NULL THEN {calendar.sql_week(day)} END AS week, "
        # DuckDB's dates reach further than Python's.
        f"CASE WHEN {day} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31' THEN {day} END AS day, "
        f"{row_hash(dataset)} AS row_hash"
    )
    counts = (
        "SELECT refusal, week, count(*), min(day), max(day), "
        f"{numbered_hash('row_hash')} FROM {{}} GROUP BY refusal, week"
    )
    found: dict[tuple[int | None, date | None], _Counted] = {}

    def add(connection: duckdb.DuckDBPyConnection, rows: str) -> None:
        for refusal, week, *counted in connection.execute(counts.format(rows)).fetchall():
            found.setdefault((refusal, week), _Counted()).add(*counted)

    if checked.numbered:
        add(session.connection, f"(SELECT {columns}, row_number FROM ({checked.sql}))")
    else:
        # A connection that is given something else to do closes the stream of what it did before.
        with session.connection.cursor() as other:
            for batch in numbered(session, checked, columns):
                other.register("batch", pa.Table.from_batches([batch]))
                add(other, "batch")
    return found


def _read_refused(
    session: Session, file: LandedFile, read: Records, rules: Rules, today: date
) -> None:
    """Find out whether the refused rows can be shown as they came, which takes columns of the file
    that nothing else is read from. Raises LandingError where they cannot, and duckdb.Error."""
    if not file.is_parquet:
        return
    days = (rules.calendar.first_week, today)
    checked = check(file.dataset, read, days, with_record=True)
    shown = f"SELECT max(strlen(record)) FROM ({checked.sql}) WHERE refusal IS NOT NULL"
    try:
        session.connection.execute(shown).fetchall()
    except duckdb.InvalidInputException as error:
        if "UTF8" not in str(error):
            raise
        raise LandingError(
            "rows are refused that cannot be shown as they came, since a column that is not needed "
            "has text that is not UTF-8: send it again without that column, or with it as UTF-8"
        ) from None


def _refusals(checked: Checked, refused: Mapping[int, _Counted]) -> str:
    counts = (
        f"{rows.rows:,} x {refusal.column + ' ' if refusal.column else ''}{refusal.reason}"
        for rows, refusal in ((refused[i], checked.refusals[i]) for i in sorted(refused))
    )
    rows = sum(each.rows for each in refused.values())
    return f"refused {rows:,} row{'s' if rows > 1 else ''}: {'; '.join(counts)}"
