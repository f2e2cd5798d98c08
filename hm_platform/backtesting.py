"""`hm backtest`: how the model would have done in past weeks.

Each week is built as `hm build` builds it, from what was known before it, and is not published. A
week that fails does not keep the others from their turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial

from hm_platform.building import (
    BuildError,
    build_lock,
    load_weeks,
    look,
    run_work,
    target_week,
)
from hm_platform.catching_up import Work, landed, read_records
from hm_platform.errors import PlatformError
from hm_platform.running import RunFailedError, Runs, Say
from hm_platform.settings import Settings
from hm_platform.storage.taking_turns import taking_turns


class BacktestError(PlatformError):
    """Weeks that could not be backtested, or a range that makes no sense."""


@dataclass(frozen=True)
class Backtested:
    """The weeks that were asked for, and why those failed that did.

    done : weeks that were built and scored
    failed : week -> what went wrong
    """

    done: tuple[date, ...]
    failed: dict[date, str]

    def check(self) -> None:
        """Raises BacktestError when a week has failed."""
        if self.failed:
            weeks = len(self.done) + len(self.failed)
            raise BacktestError(
                f"{len(self.failed)} of {weeks} weeks failed: {', '.join(map(str, self.failed))} "
                "(why is said above)"
            )


def backtest(settings: Settings, first: str, last: str, say: Say) -> Backtested:
    """Build and score the weeks from ``first`` to ``last``, oldest first, publishing none.

    What has landed and is not loaded is loaded before. Between two weeks a build may take its turn.

    Raises CalendarError when one of them is no week, BacktestError when they are in the wrong
    order, RunFailedError when what has landed cannot be loaded.
    """
    start, end = settings.calendar.parse(first), settings.calendar.parse(last)
    if end < start:
        raise BacktestError(f"--from {start} is after --to {end}: the older week comes first")
    weeks = settings.calendar.weeks(start, end)
    runs = Runs(settings, say)

    def turn(do: Callable[[], None]) -> None:
        waiting = partial(say, "a build is going on here: waiting for it to end")
        with taking_turns(build_lock(settings), waiting):
            do()

    turn(partial(_load, settings, runs))
    done: list[date] = []
    failed: dict[date, str] = {}
    for number, week in enumerate(weeks, 1):
        started = time.monotonic()
        try:
            turn(partial(_week, settings, runs, week, f"week {number} of {len(weeks)}: {week}"))
        except (BuildError, RunFailedError) as error:
            failed[week] = str(error)
            say(f"week {week} failed: {error}")
        else:
            done.append(week)
            say(f"week {week} done in {time.monotonic() - started:.0f} s")
    return Backtested(tuple(done), failed)


def _load(settings: Settings, runs: Runs) -> None:
    """Load what has landed."""
    load_weeks(settings, look(settings, runs), runs)


def _week(settings: Settings, runs: Runs, week: date, doing: str) -> None:
    """Raises BuildError when the week has too little to be built from, RunFailedError when its run
    fails."""
    target_week(week, landed(settings, read_records(settings)), settings)
    # The key names no work that is ever due: whoever catches up takes no notice of these runs.
    work = Work("backtest", (week, week), f"backtest-{week}", "a person asked for it")
    run_work(runs, work, doing)
