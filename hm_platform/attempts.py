"""When a run that is needed may start: at once, again after it failed, or not yet.

A run that fails is tried again soon, after five minutes, after an hour and then once a day, as
long as what it is for stays the same; a change is other work, with other attempts. Work for several
weeks that failed twice goes on in halves, so that one bad week does not keep the others out.

A run that a person has cancelled is left alone for a day: who wants it sooner starts it by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hm_platform.catching_up import Work

PAUSES = (timedelta(seconds=20), timedelta(minutes=5), timedelta(hours=1), timedelta(days=1))
"""From the end of a run that failed to the next with the same work; the last one repeats."""

REPORTED_FROM = 3
"""The failure in a row from which on people are told."""

AS_A_WHOLE = 2
"""Attempts at all weeks of a range together."""

HALVINGS = 3
"""Where eight parts of a range fail, and none does not, the fault is no week's."""

SOON = timedelta(minutes=10)

MOST_AN_HOUR = 4
"""Runs with the same work in an hour: if they succeed, they do not do what they should."""


@dataclass(frozen=True)
class Attempt:
    """A run that has ended."""

    run_id: str
    ended: datetime
    succeeded: bool
    cancelled: bool = False


History = Callable[[str], Sequence[Attempt]]
"""Gives the attempts at the work with a key, the latest first."""


@dataclass(frozen=True)
class Ready:
    """Work that may start now.

    after : the latest run with the same work
    failures : how many such runs have failed in a row
    """

    work: Work
    after: str | None
    failures: int


@dataclass(frozen=True)
class Later:
    """Work that has to wait, and until when."""

    work: Work
    until: datetime
    failures: int
    cancelled: bool = False


def next_run(needed: Sequence[Work], history: History, now: datetime) -> Ready | list[Later]:
    """The first of ``needed`` that may start now, or what all of it waits for."""
    later: list[Later] = []
    for work in needed:
        # A build takes long, and would have to be done again after what is tried again soon.
        if work.job == "build_week" and any(each.until - now <= SOON for each in later):
            break
        for verdict in _verdicts(work, history, now):
            if isinstance(verdict, Ready):
                return verdict
            later.append(verdict)
    return later


def _verdicts(
    work: Work, history: History, now: datetime, halvings: int = HALVINGS
) -> Iterator[Ready | Later]:
    attempts = history(work.key)
    failures = _failures_in_a_row(attempts)
    cancelled = bool(attempts) and attempts[0].cancelled
    parts = work.halves()
    # A part that succeeds leaves other work, which is halved from the start.
    if failures >= AS_A_WHOLE and len(parts) > 1 and halvings and not cancelled:
        found = [each for part in parts for each in _verdicts(part, history, now, halvings - 1)]
        # What would be left when another part succeeds is other work than what was cancelled.
        stopped = any(isinstance(each, Later) and each.cancelled for each in found)
        yield from (each for each in found if isinstance(each, Later) or not stopped)
        return
    until = _not_before(attempts, failures)
    if until is None or until <= now:
        yield Ready(work, attempts[0].run_id if attempts else None, failures)
    else:
        yield Later(work, until, failures, cancelled)


def _failures_in_a_row(attempts: Sequence[Attempt]) -> int:
    tried = [attempt for attempt in attempts if not attempt.cancelled]
    return next((i for i, attempt in enumerate(tried) if attempt.succeeded), len(tried))


def _not_before(attempts: Sequence[Attempt], failures: int) -> datetime | None:
    if attempts and attempts[0].cancelled:
        return attempts[0].ended + PAUSES[-1]
    if failures:
        return attempts[0].ended + PAUSES[min(failures, len(PAUSES)) - 1]
    tried = [attempt for attempt in attempts if not attempt.cancelled]
    if len(tried) >= MOST_AN_HOUR:
        return tried[MOST_AN_HOUR - 1].ended + timedelta(hours=1)
    return None
