"""`hm build`: from the landing zone to published recommendations, doing only what is not done.

Decides what is out of date by comparing the landing zone with what the warehouse says it was built
from, and then starts the jobs that anyone could start in the UI. Whatever a killed build left
undone is out of date, so running it again ends where an undisturbed build does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import date
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from hm_platform.calendar import WEEK
from hm_platform.catching_up import (
    FEWEST_WEEKS,
    Work,
    landed,
    read_records,
    to_build,
    to_load,
    to_refresh,
)
from hm_platform.errors import PlatformError
from hm_platform.landed_weeks import LandedWeek
from hm_platform.settings import Settings
from hm_platform.storage.taking_turns import taking_turns

if TYPE_CHECKING:
    from dagster import DagsterInstance

Say = Callable[[str], None]


class BuildError(PlatformError):
    """A week that cannot be built, or a run that failed."""


@dataclass(frozen=True)
class Built:
    """What a build did: the week it is about, and whether anything had to be done for it."""

    week: date
    changed: bool
    seconds: float


def build(settings: Settings, week: str | None, say: Say) -> Built:
    """Build ``week`` (default: the latest complete landed week) and all that it needs.

    While another build goes on in this home, this one waits, and then does what is left to do.

    Raises BuildError when there is nothing to build it from or a run fails, CalendarError when
    ``week`` is no week.
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
    runs = _Runs(settings, say)
    records = read_records(settings)
    if refresh := to_refresh(settings, records):
        runs.run(refresh[0], "looking through the landing zone")
        records = read_records(settings)
    target = _target(wanted, landed(settings, records), settings)
    # Later weeks are loaded too, since `hm status` and the next build want them.
    loads = to_load(settings, records)
    for work in loads:
        first, last = work.weeks or (target, target)
        runs.run(work, f"loading the weeks {first} to {last}")
    builds = to_build(settings, read_records(settings), target)
    for work in builds:
        runs.run(work, f"building week {target}")
    if not loads and not builds:
        say(f"week {target} is up to date: nothing to do")
    return target, bool(loads or builds)


def _nothing_landed(settings: Settings) -> BuildError:
    return BuildError(
        f"no purchases have landed in {settings.landing_zone.folder('transactions')}: put files "
        f"there, or land a sample with `hm land complete-journey`"
    )


def _target(wanted: date | None, weeks: list[LandedWeek], settings: Settings) -> date:
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
        f"of the files in {settings.landing_zone.folder('transactions')} no row can be "
        f"loaded: `hm status` says why"
    )


class _Runs:
    """Runs jobs of the code location in this process and shows their progress."""

    def __init__(self, settings: Settings, say: Say) -> None:
        self._settings = settings
        self._say = say
        self._log = settings.home / "logs" / "build.log"

    @cached_property
    def _instance(self) -> DagsterInstance:
        from hm_platform.dagster_home import dagster_instance
        from hm_platform.runs import fail_dead_runs

        instance = dagster_instance(self._settings)
        fail_dead_runs(instance, self._settings.home)
        return instance

    def run(self, work: Work, doing: str) -> None:
        """Do ``work``. Raises BuildError with what went wrong when the run fails."""
        from dagster._core.utils import make_new_run_id
        from sqlalchemy.exc import DBAPIError

        from hm_platform.definitions import defs
        from hm_platform.progress import PROGRESS_CONFIG
        from hm_platform.runs import first_failure, turn

        self._say(doing)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        run_id, wait = make_new_run_id(), partial(self._say, "another run works here: waiting")
        try:
            # dbt's own lines go to the log: the progress lines say the same in fewer words.
            with (
                turn(self._settings.home, run_id, wait),
                self._log.open("a", buffering=1, encoding="utf-8") as log,
                redirect_stdout(log),
            ):
                result = defs.resolve_job_def(work.job).execute_in_process(
                    instance=self._instance,
                    run_config={"loggers": PROGRESS_CONFIG},
                    raise_on_error=False,
                    run_id=run_id,
                    partition_key=work.partition,
                    tags=work.tags,
                )
        except DBAPIError as error:
            raise BuildError(
                f"{doing} failed: Dagster's record in {self._settings.dagster_home} cannot be "
                f"written ({error.orig}): is the disk full? Run the same command again then"
            ) from error
        if not result.success:
            reason = first_failure(result.all_events) or "the run did not start: see the UI"
            raise BuildError(
                f"{doing} failed: {reason}\n(run {run_id}; dbt's output is in {self._log})"
            )
