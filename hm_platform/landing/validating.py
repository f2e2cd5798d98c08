"""What a file holds: its good rows by week, its refused rows by reason, and whether they are too
many. A function of the file's bytes and of the rules, and of nothing else.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import duckdb

from hm_platform.calendar import Calendar
from hm_platform.landing.checking import Checked, check
from hm_platform.landing.columns import COLUMNS, Kind, rows_fingerprint
from hm_platform.landing.content import Content
from hm_platform.landing.entry import Entry, WeekRows
from hm_platform.landing.records import records
from hm_platform.landing.session import Session
from hm_platform.landing.zone import LandedFile, LandingZone

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
    def of(
        cls, zone: LandingZone, calendar: Calendar, max_refused_share: float, code: str
    ) -> Rules:
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
    session: Session, file: LandedFile, content: Content, rules: Rules, today: date, entry: Entry
) -> Entry:
    """``entry`` with what ``file`` holds.

    Raises LandingError or duckdb.Error when it cannot be read as a whole.
    """
    read = records(session, file, content)
    # Numbered, so that the fingerprint of a week changes with the numbers of its rows.
    checked = check(file.dataset, read, (rules.calendar.first_week, today), ["row_number"])
    counted = _counted(session, file.dataset, checked, rules.calendar)
    late = {i for i, refusal in enumerate(checked.refusals) if refusal.in_future}
    refused: dict[int, int] = {}
    for row in counted:
        if row["refusal"] is not None:
            refused[row["refusal"]] = refused.get(row["refusal"], 0) + row["rows"]
    good = [row for row in counted if row["refusal"] is None]
    loaded, quarantined = sum(row["rows"] for row in good), sum(refused.values())
    found = replace(
        entry,
        first_day=min((row["first"] for row in good if row["first"]), default=None),
        last_day=max((row["last"] for row in good if row["last"]), default=None),
        rows=loaded + quarantined,
        rows_loaded=loaded,
        rows_quarantined=quarantined,
        reason=_refusals(checked, refused) if refused else None,
        weeks=tuple(
            WeekRows(row["week"], row["rows"], row["fingerprint"]) for row in good if row["week"]
        ),
        columns=read.columns,
        check_again_on=min(
            (row["first"] for row in counted if row["refusal"] in late and row["first"]),
            default=None,
        ),
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


def _counted(
    session: Session, dataset: str, checked: Checked, calendar: Calendar
) -> list[dict[str, Any]]:
    """Rows, days and fingerprint by refusal (None: good) and week (None: no day, or refused)."""
    day = next((c.name for c in COLUMNS[dataset] if c.kind is Kind.DAY), "NULL::DATE")
    # DuckDB's dates reach further than Python's.
    told = f"CASE WHEN {day} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31' THEN {day} END"
    # Every column is asked for, so that a file that breaks off is found out here.
    result = session.connection.execute(
        f"SELECT refusal, CASE WHEN refusal IS NULL THEN {calendar.sql_week(day)} END AS week, "
        f"count(*) AS rows, min({told}) AS first, max({told}) AS last, "
        f"{rows_fingerprint(dataset)} AS fingerprint "
        f"FROM ({checked.sql}) GROUP BY refusal, week ORDER BY refusal NULLS FIRST, week"
    )
    return result.to_arrow_table().to_pylist()


def _refusals(checked: Checked, refused: dict[int, int]) -> str:
    counts = (
        f"{rows:,} x {refusal.column + ' ' if refusal.column else ''}{refusal.reason}"
        for rows, refusal in ((refused[i], checked.refusals[i]) for i in sorted(refused))
    )
    rows = sum(refused.values())
    return f"refused {rows:,} row{'s' if rows > 1 else ''}: {'; '.join(counts)}"
