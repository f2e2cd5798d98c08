"""Whether anything works in a home now: what starts runs by itself waits for its end."""

from __future__ import annotations

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

from hm_platform.building import build_lock
from hm_platform.runs import WORKING, fail_dead_runs, somebody_works
from hm_platform.settings import Settings
from hm_platform.storage.taking_turns import is_taken

UNFINISHED = [DagsterRunStatus.QUEUED, *WORKING]


def at_work(settings: Settings, instance: DagsterInstance) -> str | None:
    """What is going on in the home of these settings, and that it comes first; None: nothing is."""
    fail_dead_runs(instance, settings.home)
    going = instance.get_runs(RunsFilter(statuses=UNFINISHED), limit=1)
    if going:
        return f"a run is going on ({going[0].job_name}, {going[0].run_id[:8]}): after it"
    if is_taken(build_lock(settings)):
        return "`hm build` is going on: after it"
    if somebody_works(settings.home):
        return "a run that Dagster's record here does not know is going on: after it"
    return None
