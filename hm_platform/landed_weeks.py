"""Which weeks have landed, which of them are loaded, and from what.

A week's fingerprint names the files that hold its purchases and the code that loads them: a loaded
week is up to date when the fingerprint it was loaded with is the one it would be loaded with now.
The fingerprint of a build says the same of everything that is published for a week. Plain
functions; the records themselves are the tables ``marts.loaded_weeks`` and
``serving.publications``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa

from hm_platform.calendar import WEEK, Calendar


@dataclass(frozen=True)
class LandedWeek:
    """A week that landed files reach into.

    complete : the newest landed purchase is on the week's last day or later
    """

    week: date
    fingerprint: str
    files: int
    complete: bool


def landed_weeks(landed_files: pa.Table, calendar: Calendar, code: str) -> list[LandedWeek]:
    """Every week from the first to the last landed purchase, in order.

    landed_files : ``raw.landed_files``; only loaded transaction files count
    code : fingerprint of the code that loads
    """
    files = [
        (row["uri"], row["content_hash"], row["first_day"], row["last_day"])
        for row in landed_files.select(
            ["uri", "content_hash", "first_day", "last_day", "dataset", "state"]
        ).to_pylist()
        if row["dataset"] == "transactions" and row["state"] == "loaded" and row["first_day"]
    ]
    if not files:
        return []
    last_day = max(last for *_, last in files)
    by_week: dict[date, list[tuple[str, str]]] = {
        week: [] for week in calendar.weeks(min(first for *_, first, _ in files), last_day)
    }
    for uri, content_hash, first, last in files:
        for week in calendar.weeks(first, last):
            by_week[week].append((uri, content_hash))
    return [
        LandedWeek(
            week=week,
            fingerprint=_digest(code, str(calendar.first_week), *map("\t".join, sorted(contents))),
            files=len(contents),
            complete=last_day >= week + WEEK - timedelta(days=1),
        )
        for week, contents in by_week.items()
    ]


def weeks_to_load(landed: list[LandedWeek], loaded: dict[date, str]) -> list[tuple[date, date]]:
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


def build_fingerprint(
    landed_files: pa.Table, week: date, calendar: Calendar, code: str, parameters: dict[str, object]
) -> str:
    """Names all that the recommendations built for ``week`` come from.

    The landed files that could have a say in it (purchases that begin after the week have none),
    the calendar, the code, and ``parameters`` such as the seed.
    """
    files = sorted(
        f"{row['uri']}\t{row['content_hash']}\t{row['state']}"
        for row in landed_files.select(["uri", "content_hash", "state", "first_day"]).to_pylist()
        if row["first_day"] is None or row["first_day"] < week + WEEK
    )
    named = (f"{name}={value}" for name, value in sorted(parameters.items()))
    return _digest(code, str(calendar.first_week), str(week), *named, *files)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
