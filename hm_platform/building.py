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
from typing import TYPE_CHECKING

import pyarrow as pa

from hm_platform.calendar import WEEK
from hm_platform.code_version import code_fingerprint
from hm_platform.datasets.plan import plan_parameters
from hm_platform.errors import PlatformError
from hm_platform.landed_weeks import LandedWeek, build_fingerprint, landed_weeks, weeks_to_load
from hm_platform.landing.index import index_landing_zone
from hm_platform.settings import Settings
from hm_platform.storage import warehouse
from hm_platform.storage.taking_turns import taking_turns

if TYPE_CHECKING:
    from dagster import DagsterInstance, ExecuteInProcessResult

Say = Callable[[str], None]

LOOKING = "looking through the landing zone"


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
    with taking_turns(settings.home / "build.lock", wait):
        target, changed = _build_what_is_stale(settings, wanted, say)
    return Built(target, changed, time.monotonic() - started)


def _build_what_is_stale(settings: Settings, wanted: date | None, say: Say) -> tuple[date, bool]:
    """The week that was wanted, and whether anything had to be done for it."""
    runs = _Runs(settings, say)
    index = _read(settings, "raw", "landed_files")
    if first_time := index is None:
        runs.run("refresh_landing", LOOKING)
        index = _read(settings, "raw", "landed_files")
    else:
        index = index_landing_zone(settings.landing_zone, settings.calendar, index)
    landed = landed_weeks(index, settings.calendar, code_fingerprint())
    target = _target(wanted, landed, settings)
    # Later weeks are loaded too, since `hm status` and the next build want them.
    stale = weeks_to_load(landed, _loaded(settings))
    if not stale and _published_fingerprint(settings, target) == week_fingerprint(
        settings, index, target
    ):
        say(f"week {target} is up to date: nothing to do")
        return target, False
    if not first_time:
        runs.run("refresh_landing", LOOKING)
    for first, last in stale:
        runs.run("load_weeks", f"loading the weeks {first} to {last}", weeks=(first, last))
    runs.run("build_week", f"building week {target}", weeks=(target, target))
    return target, True


def week_fingerprint(settings: Settings, index: pa.Table, week: date) -> str:
    """The fingerprint of what a build of ``week`` with these settings would be made from."""
    parameters = plan_parameters(settings.train_weeks, settings.seed)
    return build_fingerprint(index, week, settings.calendar, code_fingerprint(), parameters)


def _nothing_landed(settings: Settings) -> BuildError:
    return BuildError(
        f"no purchases have landed in {settings.landing_zone.folder('transactions')}: put files "
        f"there, or land a sample with `hm land complete-journey`"
    )


def _target(wanted: date | None, landed: list[LandedWeek], settings: Settings) -> date:
    if not landed:
        raise _nothing_landed(settings)
    span = f"{landed[0].week} to {landed[-1].week}"
    if wanted is None:
        complete = [week.week for week in landed if week.complete]
        if not complete:
            raise BuildError(f"no landed week is complete yet (landed: {span})")
        return complete[-1]
    if wanted not in {week.week for week in landed if week.files}:
        raise BuildError(f"no purchases of week {wanted} have landed (landed: {span})")
    if wanted < landed[0].week + 2 * WEEK:
        raise BuildError(
            f"week {wanted} has no two landed weeks before it, one to train on and one to "
            f"validate on: the first that can be built is {landed[0].week + 2 * WEEK}"
        )
    return wanted


def _loaded(settings: Settings) -> dict[date, str]:
    table = _read(settings, "marts", "loaded_weeks")
    if table is None:
        return {}
    return dict(zip(table["week"].to_pylist(), table["fingerprint"].to_pylist(), strict=True))


def _published_fingerprint(settings: Settings, week: date) -> str | None:
    table = _read(settings, "serving", "publications", where=f"week = DATE '{week}'")
    return None if table is None or not table.num_rows else table["fingerprint"][0].as_py()


def _read(settings: Settings, schema: str, table: str, where: str | None = None) -> pa.Table | None:
    if not settings.warehouse.exists():
        return None
    with warehouse.connect(settings.warehouse, read_only=True) as connection:
        if not warehouse.table_exists(connection, schema, table):
            return None
        return warehouse.read(connection, warehouse.Slice(schema, table, where))


class _Runs:
    """Runs jobs of the code location in this process and shows their progress."""

    def __init__(self, settings: Settings, say: Say) -> None:
        self._settings = settings
        self._say = say
        self._log = settings.home / "logs" / "build.log"

    @cached_property
    def _instance(self) -> DagsterInstance:
        from hm_platform.dagster_home import dagster_instance, fail_dead_runs

        instance = dagster_instance(self._settings)
        fail_dead_runs(instance)
        return instance

    def run(self, job: str, doing: str, weeks: tuple[date, date] | None = None) -> None:
        """Run ``job`` for no week, one, or a range, first and last included.

        Raises BuildError with what went wrong when the run fails.
        """
        from hm_platform.dagster_home import owner_tags
        from hm_platform.definitions import defs
        from hm_platform.progress import PROGRESS_CONFIG

        self._say(doing)
        partition, tags = _partition(weeks)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        # dbt's own lines go to the log: the progress lines say the same in fewer words.
        with self._log.open("a", buffering=1, encoding="utf-8") as log, redirect_stdout(log):
            result = defs.resolve_job_def(job).execute_in_process(
                instance=self._instance,
                run_config={"loggers": PROGRESS_CONFIG},
                raise_on_error=False,
                partition_key=partition,
                tags={**tags, **owner_tags()},
            )
        if not result.success:
            raise BuildError(
                f"{doing} failed: {_reason(result)}\n(run {result.run_id}; dbt's "
                f"output is in {self._log})"
            )


def _partition(weeks: tuple[date, date] | None) -> tuple[str | None, dict[str, str]]:
    if weeks is None:
        return None, {}
    first, last = weeks
    if first == last:
        return str(first), {}
    return None, {
        "dagster/asset_partition_range_start": str(first),
        "dagster/asset_partition_range_end": str(last),
    }


def _reason(result: ExecuteInProcessResult) -> str:
    """The first failed step and the innermost error, which says what to do."""
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            message = error.message.strip() if error else "no error was recorded"
            return f"{event.step_key}: {message}"
    return "the run did not start; see its events in the UI"
