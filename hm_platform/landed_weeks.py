"""Which weeks have landed, which of them are loaded, and from what.

A fingerprint names what something is made from and the code that makes it: as long as the one that
it was made with is the one that it would be made with now, it is up to date. Plain functions; the
records themselves are the tables ``marts.loaded_weeks``, ``marts.loaded_catalogue`` and
``serving.publications``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from hm_platform.calendar import WEEK, Calendar
from hm_platform.landing.entry import Entry, FileRows, from_table, rows_by_week

CATALOGUE = ("articles", "customers", "quarantine")
"""What is read whole from the landing zone: the tables of ``raw`` that have no weeks."""

JOINED = {"articles": "article", "customers": "customer"}
"""Those of CATALOGUE that purchases are joined with, and the name of what they list."""

BRIDGE = 8
"""To load so many weeks once more takes less time than to start another run."""


@dataclass(frozen=True)
class LandedWeek:
    """A week that landed purchases belong to, or one between two such weeks.

    complete : the newest landed purchase is on the week's last day or later
    """

    week: date
    fingerprint: str
    files: int
    complete: bool


def landed_weeks(landed_files: pa.Table, calendar: Calendar, code: str) -> list[LandedWeek]:
    """Every week from the first to the last landed purchase, in order.

    A week's fingerprint names its rows and no others, so a file with rows of two weeks changes
    those two, and one that is sent again with a row more changes that row's week.

    landed_files : ``raw.landed_files``
    code : fingerprint of the code that loads
    """
    entries = from_table(landed_files)
    by_week = rows_by_week(entries)
    if not by_week:
        return []
    # Of what is kept from an earlier version of a file no more than its weeks is known.
    ends = [entry.last_day for entry in entries if entry.state == "loaded" and entry.last_day]
    last_day = max([*ends, *by_week])
    return [
        LandedWeek(
            week=week,
            fingerprint=rows_fingerprint(by_week.get(week, ()), calendar, code),
            files=len(by_week.get(week, ())),
            complete=last_day >= week + WEEK - timedelta(days=1),
        )
        for week in calendar.weeks(min(by_week), max(by_week))
    ]


def rows_fingerprint(files: Iterable[FileRows], calendar: Calendar, code: str) -> str:
    """The fingerprint of a week that has these rows of these files."""
    rows = ("\t".join(map(str, file)) for file in sorted(files))
    return _digest(code, str(calendar.first_week), *rows)


def weeks_to_load(landed: list[LandedWeek], loaded: Mapping[date, str]) -> list[tuple[date, date]]:
    """Ranges of neighbouring weeks (first and last, included) that are not loaded as they landed.

    loaded : week -> the fingerprint with which it was loaded; a week that is loaded and no longer
        landed counts as changed, since its purchases must go too
    """
    wanted = {week.week: week.fingerprint for week in landed}
    stale = sorted(w for w in wanted.keys() | loaded.keys() if wanted.get(w) != loaded.get(w))
    ranges: list[tuple[date, date]] = []
    for week in stale:
        if ranges and week == ranges[-1][1] + WEEK:
            ranges[-1] = (ranges[-1][0], week)
        else:
            ranges.append((week, week))
    return ranges


def catalogue_fingerprints(landed_files: pa.Table, code: str) -> dict[str, str]:
    """For each of CATALOGUE what it would be read from now."""

    def named(entry: Entry) -> str:
        return f"{entry.uri}\t{entry.content_hash}\t{entry.state}\t{entry.rows_kept}"

    entries = from_table(landed_files)
    return {
        "articles": _digest(code, *(named(e) for e in entries if e.dataset == "articles")),
        "customers": _digest(code, *(named(e) for e in entries if e.dataset == "customers")),
        "quarantine": _digest(
            code, *(f"{named(e)}\t{e.rows_quarantined}" for e in entries if e.rows_quarantined)
        ),
    }


def sql_weeks_to_join_again(table: str, where: str = "true") -> str:
    """SQL of the weeks with purchases for which ``marts.joined_transactions`` found no match in
    this one of JOINED, and would find one now; ``where`` says which of its rows are looked at.

    A week is joined with what is known of articles and customers when it is loaded. What lands
    later than its purchases has to reach them all the same.
    """
    entity = JOINED[table]
    return (
        f"SELECT DISTINCT week FROM marts.joined_transactions WHERE {where} AND NOT has_{entity} "
        f"AND {entity}_id IN (SELECT {entity}_id FROM staging.stg_{table})"
    )


def bridged(weeks: Collection[date]) -> list[date]:
    """The weeks, in order, and those between two that are BRIDGE weeks apart or less."""
    found: list[date] = []
    for week in sorted(weeks):
        while found and WEEK < week - found[-1] <= BRIDGE * WEEK:
            found.append(found[-1] + WEEK)
        found.append(week)
    return found


def build_fingerprint(
    week: date,
    loaded: Mapping[date, str],
    catalogue: Mapping[str, str],
    code: str,
    parameters: Mapping[str, object],
) -> str:
    """Names all that the recommendations built for ``week`` come from.

    loaded : week -> fingerprint, of ``marts.loaded_weeks``; later weeks have no say
    catalogue : name -> fingerprint, of ``marts.loaded_catalogue``
    code : fingerprint of the code that builds
    parameters : such as the seed
    """
    history = [f"{day}\t{rows}" for day, rows in sorted(loaded.items()) if day <= week]
    named = [f"{name}={value}" for name, value in sorted(parameters.items())]
    known = [f"{name}\t{catalogue.get(name)}" for name in ("articles", "customers")]
    return _digest(code, str(week), *named, *known, *history)


def fingerprints(records: pa.Table | None, by: str) -> dict[Any, str]:
    """The fingerprints of a record (a table with one), by its column ``by``."""
    if records is None:
        return {}
    return dict(zip(records[by].to_pylist(), records["fingerprint"].to_pylist(), strict=True))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
