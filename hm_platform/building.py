"""`hm build`: from the landing zone to published recommendations, doing only what is not done.

Decides what is out of date by comparing the landing zone with what the warehouse says it was built
from, and then starts the jobs that anyone could start in the UI. Whatever a killed build left
undone is out of date, so running it again ends where an undisturbed build does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

from hm_platform.calendar import WEEK
from hm_platform.catching_up import (
    FEWEST_WEEKS,
    Records,
    Work,
    landed,
    read_records,
    to_build,
    to_build_again,
    to_load,
    to_refresh,
    unread,
)
from hm_platform.errors import PlatformError
from hm_platform.landed_weeks import LandedWeek
from hm_platform.running import RunFailedError, Runs, Say
from hm_platform.serving.published import FALLBACKS, Publication, read_publications
from hm_platform.settings import Settings
from hm_platform.storage.places import storage_of
from hm_platform.storage.tables import Slice
from hm_platform.storage.taking_turns import taking_turns


class BuildError(PlatformError):
    """A week that cannot be built."""


class NotPassedError(BuildError):
    """A week that is built and published, by what served before: its own model did not pass."""

    def __init__(self, week: date, reason: str) -> None:
        super().__init__(
            f"the model of week {week} did not pass, and is not published: {reason} "
            f"(`hm models`; docs/when-a-model-does-not-pass.md)"
        )
        self.week = week


@dataclass(frozen=True)
class Built:
    """What a build did: the week it is about, and whether anything had to be done for it."""

    week: date
    changed: bool
    seconds: float


def build(settings: Settings, week: str | None, say: Say) -> Built:
    """Build ``week`` (default: the latest complete landed week) and all that it needs.

    While another build goes on in this home, this one waits, and then does what is left to do. A
    run that works there is waited for too, and what it has done is not done again.

    Raises BuildError when there is nothing to build it from, NotPassedError when it is built and
    its model did not pass, RunFailedError when a run fails, CalendarError when ``week`` is no week.
    """
    started = time.monotonic()
    wanted = None if week is None else settings.calendar.parse(week)
    if not settings.landing_zone.files("transactions"):
        raise _nothing_landed(settings)
    wait = partial(say, "another build is going on here: waiting for it to end")
    with taking_turns(build_lock(settings), wait):
        target, changed = _catch_up(settings, wanted, say)
    return Built(target, changed, time.monotonic() - started)


def build_lock(settings: Settings) -> Path:
    """The lock that a build holds."""
    return settings.home / "build.lock"


def _catch_up(settings: Settings, wanted: date | None, say: Say) -> tuple[date, bool]:
    """The week that was wanted, and whether anything had to be done for it."""
    runs = Runs(settings, say)
    target, loaded = load(settings, wanted, runs)

    def needed() -> list[Work]:
        records = read_records(settings)
        builds = to_build(settings, records, target)
        if not builds and wanted is not None:
            # Whoever names the week may want more of it than its recommendations.
            builds = to_build_again(settings, records, target)
        return builds

    built = False
    for work in needed():
        try:
            built = run_work(runs, work, f"building week {target}", lambda: bool(needed()))
        except RunFailedError:
            published = publication_of(settings, target)
            done = not to_build(settings, read_records(settings), target)
            if not (done and published and published.state in FALLBACKS):
                raise
            raise NotPassedError(target, _one_line(published.reason)) from None
    if not loaded and not built:
        say(f"week {target} is up to date: nothing to do")
        if published := publication_of(settings, target):
            say(who_serves(published))
    return target, loaded or built


def load(settings: Settings, wanted: date | None, runs: Runs) -> tuple[date, bool]:
    """Load what has landed and is not loaded. The week to build, and whether any was loaded.

    Raises as :func:`build` does.
    """
    records = look(settings, runs)
    target = target_week(wanted, landed(settings, records), settings)
    # Later weeks are loaded too, since `hm status` and the next build want them.
    return target, load_weeks(settings, records, runs)


def load_weeks(settings: Settings, records: Records, runs: Runs) -> bool:
    """Load the weeks that are not loaded as ``records`` have them. Whether any was loaded.

    Raises RunFailedError when a run fails.
    """
    loaded = False
    for work in to_load(settings, records):
        doing = f"loading the weeks {' to '.join(map(str, work.weeks or ()))}"
        loaded |= run_work(runs, work, doing, partial(_still_to_load, settings, work))
    return loaded


def _still_to_load(settings: Settings, work: Work) -> bool:
    """Whether any week that ``work`` loads is to be loaded now."""
    return any(each.overlaps(work) for each in to_load(settings, read_records(settings)))


def look(settings: Settings, runs: Runs) -> Records:
    """Look through the landing zone where that is needed; what is recorded then.

    Raises RunFailedError when a run fails.
    """

    def needed() -> bool:
        return bool(to_refresh(settings, read_records(settings)))

    records = read_records(settings)
    for work in to_refresh(settings, records):
        run_work(runs, work, "looking through the landing zone", needed)
        records = read_records(settings)
        if unread(records):
            # Articles or customers that came while it waited to begin, and that it left out.
            for again in to_refresh(settings, records):
                run_work(runs, again, "looking through the landing zone once more", needed)
            records = read_records(settings)
    return records


def run_work(runs: Runs, work: Work, doing: str, needed: Callable[[], bool] | None = None) -> bool:
    """Do ``work``, if it is still ``needed`` when its turn has come; whether it was done.

    Raises RunFailedError with what went wrong when the run fails.
    """
    return runs.run(
        work.job,
        doing,
        assets=work.assets,
        partition=work.partition,
        tags=work.tags,
        needed=needed,
    )


def publication_of(settings: Settings, week: date) -> Publication | None:
    """What is published for a week; None where nothing is."""
    of_week = Slice("serving", "publications", (week, week + WEEK))
    (rows,) = storage_of(settings).tables.read_each(of_week)
    return next(iter(read_publications(rows)), None)


def who_serves(publication: Publication) -> str:
    """In a line, whose recommendations are published for a week, and why."""
    state = f", {publication.state.replace('_', ' ')}" if publication.state else ""
    why = f": {_one_line(publication.reason)}" if publication.reason else ""
    by = f"{publication.recommender} of {publication.model_version}"
    return f"week {publication.week} is served by {by}{state}{why}"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _nothing_landed(settings: Settings) -> BuildError:
    return BuildError(
        f"no purchases have landed in {settings.landing_address}/transactions: put files "
        f"there, or land a sample with `hm land complete-journey`"
    )


def target_week(wanted: date | None, weeks: list[LandedWeek], settings: Settings) -> date:
    """The week to build: ``wanted``, or the latest complete one.

    Raises BuildError when there is too little to build it from.
    """
    if not weeks:
        raise _nothing_loadable(settings)
    span = f"{weeks[0].week} to {weeks[-1].week}"
    if wanted is None:
        complete = [week.week for week in weeks if week.complete and week.files]
        if not complete:
            raise BuildError(f"no landed week is complete yet (landed: {span})")
        wanted = complete[-1]
    if wanted not in {week.week for week in weeks if week.files}:
        raise BuildError(f"no purchases of week {wanted} have landed (landed: {span})")
    if wanted < weeks[0].week + (FEWEST_WEEKS - 1) * WEEK:
        raise BuildError(
            f"week {wanted} has no two landed weeks before it, one to train on and one to "
            f"validate on: the first that can be built is "
            f"{weeks[0].week + (FEWEST_WEEKS - 1) * WEEK}"
        )
    return wanted


def _nothing_loadable(settings: Settings) -> BuildError:
    return BuildError(
        f"of the files in {settings.landing_address}/transactions no row can be "
        f"loaded: `hm status` says why"
    )
