"""Dagster's own storage, under ``HM_HOME``: made ready without hand work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hm_platform.settings import Settings
from hm_platform.storage.taking_turns import taking_turns
from hm_platform.storage.unfinished import unfinished

if TYPE_CHECKING:
    from dagster import DagsterInstance

CONFIG = """\
# Dagster's settings for this home. Written once by hm; change it as you like.
telemetry:
  enabled: false
nux:
  enabled: false
# A run that does not start is marked as failed instead of starting for ever.
run_monitoring:
  enabled: true
# One run works at a time in a home; the others are queued instead of waiting as processes.
concurrency:
  runs:
    max_concurrent_runs: 1
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
