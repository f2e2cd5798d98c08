"""Runs that share one home: those that could be in each other's way work one at a time, and one
that was killed is known to be dead.

Two runs that load the same week at once could leave rows of one with the record of the other. So
each takes its turn, whoever has started it: the daemon, `hm build`, `dagster asset materialize`.
DuckDB has one writer, so there all runs take turns; in a bucket only those that have a week in
common do. The locks belong to the operating system and go with the process that holds them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster import (
    DagsterRunStatus,
    Executor,
    ExecutorDefinition,
    InitExecutorContext,
    RunsFilter,
)
from dagster import in_process_executor as in_process
from dagster._core.errors import raise_execution_interrupts
from filelock import FileLock

from hm_platform.calendar import WEEK
from hm_platform.storage.taking_turns import is_taken, taking_turns

if TYPE_CHECKING:
    from dagster import DagsterEvent, DagsterInstance

START_S = 300.0
"""Seconds in which a run that was launched begins to work, or never will."""

UNWRITABLE = (
    "sqlite3.OperationalError: disk I/O error",
    "sqlite3.OperationalError: database or disk is full",
)
"""What a step fails with whose events have no room in Dagster's record."""

WORKING = (
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
)

_marks: list[FileLock] = []


@contextmanager
def turn(
    home: Path,
    run_id: str,
    waiting: Callable[[], None] | None = None,
    weeks: Sequence[date] = (),
) -> Iterator[None]:
    """Do the work of a run in ``home`` while no other run works there.

    weeks : oldest first; only runs that have one of them are others, or none where this has none
    waiting : called once when there is another one to wait for
    """
    folder = home / "runs"
    folder.mkdir(parents=True, exist_ok=True)
    mark = FileLock(folder / f".{run_id}")
    mark.acquire()
    # Nobody sees the mark before it is held. It is until the process ends, since what becomes of a
    # run is recorded after its work is done.
    (folder / f".{run_id}").rename(folder / f"{run_id}.lock")
    _marks.append(mark)
    tell = cache(waiting) if waiting else None
    with ExitStack() as held:
        # All in one order, so that no two runs ever wait for each other.
        for week in weeks or (None,):
            held.enter_context(taking_turns(turns_lock(home, week), tell))
        yield


def turns_lock(home: Path, week: date | None = None) -> Path:
    """The lock that the run at work in ``home`` holds, or the one at work on a week."""
    return home / (f"runs-{week}.lock" if week else "runs.lock")


def somebody_works(home: Path) -> bool:
    """Whether a run works in ``home`` now."""
    return any(is_taken(lock) for lock in home.glob("runs*.lock"))


def weeks_of(tags: Mapping[str, str]) -> list[date]:
    """The weeks that a run is for, by its tags, oldest first; none where it has none."""
    names = ("dagster/partition", "dagster/asset_partition_range_start",
             "dagster/asset_partition_range_end")  # fmt: skip
    named = [date.fromisoformat(tags[name]) for name in names if name in tags]
    if not named:
        return []
    first, last = min(named), max(named)
    return [first + WEEK * number for number in range((last - first) // WEEK + 1)]


def in_turn_executor(home: Path, *, by_weeks: bool = False) -> ExecutorDefinition:
    """All steps of a run in one process, when it is the run's turn in ``home``.

    by_weeks : whether runs of different weeks may work side by side
    """

    create: Any = in_process.executor_creation_fn

    def in_turn(context: InitExecutorContext) -> Executor:
        return _InTurn(home, by_weeks, create(context))

    return ExecutorDefinition(
        "in_turn", in_process.config_schema.as_field(), executor_creation_fn=in_turn
    )


class _InTurn(Executor):
    def __init__(self, home: Path, by_weeks: bool, inner: Executor) -> None:
        self._home = home
        self._by_weeks = by_weeks
        self._inner = inner

    @property
    def retries(self) -> Any:
        return self._inner.retries

    @property
    def step_dependency_config(self) -> Any:
        return self._inner.step_dependency_config

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[DagsterEvent]:
        def waiting() -> None:
            plan_context.log.info("another run works in this home: waiting for it to end")

        with ExitStack() as stack:
            # Dagster keeps interrupts back between steps: a run that waits would not be cancelled.
            weeks = weeks_of(plan_context.dagster_run.tags) if self._by_weeks else []
            with raise_execution_interrupts():
                stack.enter_context(turn(self._home, plan_context.run_id, waiting, weeks))
            yield from self._inner.execute(plan_context, execution_plan)


def fail_dead_runs(instance: DagsterInstance, home: Path) -> None:
    """Mark runs as failed whose process is gone: killed in the middle, with its machine perhaps;
    one that a person was about to cancel, as cancelled.

    A run holds a lock for as long as its process lives; one that has none yet is given START_S
    seconds.
    """
    going = instance.get_run_records(RunsFilter(statuses=list(WORKING)))
    for record in going:
        run, mark = record.dagster_run, home / "runs" / f"{record.dagster_run.run_id}.lock"
        if mark.exists():
            dead = not is_taken(mark)
        else:
            dead = time.time() - record.update_timestamp.timestamp() > START_S
        # It may have ended well since it was listed: a process notes that before it lets go.
        state = instance.get_run_by_id(run.run_id) if dead else None
        if state is not None and state.status == DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run)
        elif state is not None and state.status in WORKING:
            instance.report_run_failed(run, "its process ended without finishing this run")
    ids = {record.dagster_run.run_id for record in going}
    for mark in (home / "runs").glob("*.lock"):
        if mark.stem not in ids and not is_taken(mark):
            mark.unlink(missing_ok=True)
    for mark in (home / "runs").glob(".*"):
        # A process may end before its mark has its name.
        if time.time() - mark.stat().st_mtime > START_S and not is_taken(mark):
            mark.unlink(missing_ok=True)


def first_failure(events: Iterable[DagsterEvent]) -> str | None:
    """The first failed step and its innermost error, which says what to do; of a check that stops
    the run, what it has found."""
    found: dict[str | None, str] = {}
    for event in events:
        if event.event_type_value == "ASSET_CHECK_EVALUATION":
            check = event.asset_check_evaluation_data
            if not check.passed and check.description:
                key = check.asset_key.to_user_string()
                found[event.step_key] = f"{key}: {check.check_name}: {check.description}"
        if event.is_step_failure:
            if event.step_key in found:
                return found[event.step_key]
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            message = error.message.strip() if error else "no error was recorded"
            if message in UNWRITABLE:
                message = f"Dagster's record cannot be written ({message}): is the disk full?"
            return f"{event.step_key}: {message}"
    return None
