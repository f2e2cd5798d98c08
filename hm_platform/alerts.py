"""What people are told: which run failed, and which week is late.

Plain functions that make notices or none; the sensors decide when to ask them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta

from hm_platform.attempts import PAUSES, REPORTED_FROM
from hm_platform.calendar import WEEK, Calendar
from hm_platform.notifying import Notice

FAILURES_TAG = "hm_platform/failures_before"
"""Run tag of the sensor's: how many runs with the same work have failed in a row before it."""

JOB_FAILURES_TAG = "hm_platform/failures_of_the_job_before"
"""Run tag of the sensor's: how many runs of the same job have failed in a row before it, whatever
they were to do. Other files make other work, so that of all that come nothing may ever be read, and
yet no work fail thrice."""

LATE_AFTER = timedelta(hours=36)
"""From the end of a week to when its recommendations are late: a night for the files to come in,
and a day for somebody to mend what went wrong."""

LIVING = 5 * WEEK
"""A shop that has not sold anything for so long is data to look at, of which no week is due."""


def failure_notice(
    job: str, tags: Mapping[str, str], run_id: str, reason: str, tried_again: bool = True
) -> Notice | None:
    """The notice about a failed run; None where it is tried again first and may do then.

    tried_again : whether the sensor, if it started the run, does the work again
    """
    first = tags.get("dagster/asset_partition_range_start") or tags.get("dagster/partition")
    last = tags.get("dagster/asset_partition_range_end") or first
    about = f" of {first}" if first else ""
    about += f" to {last}" if last and last != first else ""
    again = "Mend what is wrong and start it again."
    if FAILURES_TAG in tags and not tried_again:
        again = (
            "What it had to do is recorded as done, so it is not tried again, and yet not all of "
            f"its steps have run. {again}"
        )
    elif FAILURES_TAG in tags:
        failures = int(tags[FAILURES_TAG]) + 1
        of_job = int(tags.get(JOB_FAILURES_TAG, 0)) + 1
        if failures >= REPORTED_FROM:
            row = f"It has failed {failures} times in a row and"
        elif _is_told(of_job):
            row = (
                f"The {of_job - 1} runs of {job} before it have failed too, whatever the files. It"
            )
        else:
            return None
        pause = PAUSES[min(failures, len(PAUSES)) - 1]
        again = (
            f"{row} is tried again in {_words(pause)}, or at once when files change. What was "
            f"published stays."
        )
    return Notice(f"{job}{about} failed", f"{reason}\n{again} (run {run_id})", "error")


def not_passed_notice(tags: Mapping[str, str], run_id: str, reason: str) -> Notice:
    """The notice about a week whose model did not pass. The run is not tried again: it has
    published the week, by what served before."""
    return Notice(
        f"the model of week {tags.get('dagster/partition', '?')} did not pass",
        f"{reason}\nThe week is published all the same, by what served before. Somebody has to "
        f"look: `hm models` shows the versions, docs/when-a-model-does-not-pass.md what to do. "
        f"(run {run_id})",
        "error",
    )


def late_week(
    calendar: Calendar, published: Iterable[date], last_day: date | None, now: datetime
) -> date | None:
    """The week that should be published and is not, or None.

    published : the weeks that are
    last_day : of the newest landed purchase; None when there is none
    now : in UTC
    """
    over = _due(calendar, now)
    if last_day is None or last_day < over - LIVING or over < calendar.first_week:
        return None
    return over if max(published, default=date.min) < over else None


def unseen_week(calendar: Calendar, seen: date | None, now: datetime) -> date | None:
    """The week that should be published while nobody can look whether it is, or None.

    seen : the last week that was published when somebody could, or that people were told about
    now : in UTC
    """
    over = _due(calendar, now)
    # Where the last one is older than that, nothing may be sold any more.
    return over if seen is not None and over - LIVING <= seen < over else None


def late_notice(week: date, last_day: date | None, state: str) -> Notice:
    """The notice about a late week.

    state : what the platform is doing about it
    """
    end = week + WEEK - timedelta(days=1)
    if last_day is not None and last_day < end:
        why = f"the newest purchases that have landed are of {last_day}: files are missing"
    else:
        why = f"its purchases have landed; the sensor says: {state}"
    return Notice(
        f"week {week} is late",
        f"The week ended on {end} and has no recommendations yet. Those of the last published week "
        f"are still served. {why[0].upper()}{why[1:]}.",
        "warning",
    )


def unseen_notice(week: date, why: str) -> Notice:
    """The notice about a week that may be late: nobody can tell, and ``why``."""
    return Notice(
        f"week {week} may be late",
        f"It should have recommendations by now, and what is published cannot be looked up: {why}\n"
        f"As long as that is so, nothing is loaded or built either.",
        "warning",
    )


def _due(calendar: Calendar, now: datetime) -> date:
    """The newest week that is late now if it is not published."""
    return calendar.week_of((now - LATE_AFTER).date()) - WEEK


def _is_told(failures: int) -> bool:
    """Whether people are told of so many failures of a job in a row: of 3, 6, 12, 24 and so on, as
    it may fail every few minutes."""
    times, rest = divmod(failures, REPORTED_FROM)
    return rest == 0 and times.bit_count() == 1


def _words(pause: timedelta) -> str:
    minutes = int(pause.total_seconds() // 60)
    for unit, size in (("day", 1440), ("hour", 60), ("minute", 1)):
        if minutes >= size:
            count = minutes // size
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "a moment"
