"""Dagster's own storage, under ``HM_HOME``: made ready without hand work."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from hm_platform.settings import Settings
from hm_platform.storage.taking_turns import taking_turns
from hm_platform.storage.unfinished import alive, unfinished

if TYPE_CHECKING:
    from dagster import DagsterInstance

CONFIG = """\
# Dagster's settings for this home. Written once by hm; change it as you like.
telemetry:
  enabled: false
nux:
  enabled: false
# A run whose process died is marked as failed instead of running for ever.
run_monitoring:
  enabled: true
# Old ticks are of no use to anyone.
retention:
  schedule:
    purge_after_days: 90
  sensor:
    purge_after_days:
      skipped: 7
      failure: 30
      success: 30
"""


def prepare_dagster_home(settings: Settings) -> Path:
    """Dagster's home for these settings, with a ``dagster.yaml`` and Dagster's storage in it.

    Dagster makes its storage when it first needs it, and of two processes that both find none one
    fails. It is made here, by one process at a time, so that runs can start at the same moment.
    """
    home = settings.dagster_home
    made = home / ".storage-made"
    if made.exists():
        return home
    with taking_turns(home / ".storage.lock"):
        config = home / "dagster.yaml"
        if not config.exists():
            written = unfinished(config)
            written.write_text(CONFIG, encoding="utf-8")
            written.replace(config)
        with _open(home) as instance:
            _ = instance.run_storage, instance.event_log_storage, instance.schedule_storage
        made.touch()
    return home


def dagster_instance(settings: Settings) -> DagsterInstance:
    """Dagster's record of runs and assets, which the UI reads too."""
    return _open(prepare_dagster_home(settings))


def _open(home: Path) -> DagsterInstance:
    from dagster import DagsterInstance

    return DagsterInstance.from_config(str(home))


OWNER = "hm_platform/process"
"""Run tag: the process that executes the run."""


def owner_tags() -> dict[str, str]:
    """Tags that name this process as the one that executes a run."""
    return {OWNER: f"{platform.node()}:{os.getpid()}"}


def fail_dead_runs(instance: DagsterInstance) -> None:
    """Mark runs as failed whose process on this machine is gone: killed in the middle.

    To be called before this process starts a run of its own: one that bears this process's id is
    that of an earlier process, since ids come again (in a container always the same one).
    """
    from dagster import DagsterRunStatus, RunsFilter

    going = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.NOT_STARTED]
    for run in instance.get_runs(RunsFilter(statuses=going)):
        host, _, pid = run.tags.get(OWNER, "").rpartition(":")
        if host == platform.node() and (int(pid) == os.getpid() or not alive(int(pid))):
            instance.report_run_failed(run, f"process {pid} ended without finishing this run")
