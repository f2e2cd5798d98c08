"""The Dagster code location: assembles assets, checks, jobs and resources, and nothing else."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from dagster import Definitions, with_source_code_references

from hm_platform import progress
from hm_platform.assets import (
    datasets,
    dbt,
    evaluation,
    features,
    marts,
    models,
    raw,
    serving,
)
from hm_platform.assets.partitions import SETTINGS
from hm_platform.jobs import JOBS
from hm_platform.resources import build_resources
from hm_platform.runs import in_turn_executor
from hm_platform.schedules import SCHEDULES
from hm_platform.sensors import SENSORS
from hm_platform.settings import Settings

# load_and_build is for one week at a time, so that only some of its assets take ranges is right.
warnings.filterwarnings("ignore", message="(?s).*varying BackfillPolicies")

MODULES = (raw, dbt, marts, datasets, features, models, evaluation, serving)


def build_defs(
    settings: Settings = SETTINGS, overrides: Mapping[str, Any] | None = None
) -> Definitions:
    """The code location for ``settings``, with some resources replaced (by tests, say)."""
    return Definitions(
        assets=with_source_code_references(
            [asset for module in MODULES for asset in module.ASSETS]
        ),
        asset_checks=[check for module in MODULES for check in getattr(module, "CHECKS", ())],
        jobs=JOBS,
        schedules=SCHEDULES,
        sensors=SENSORS,
        resources={**build_resources(settings), **(overrides or {})},
        # One process a run: start-up is paid once.
        executor=in_turn_executor(settings.home, by_weeks=settings.storage != "local"),
        loggers=progress.LOGGERS,
    )


defs = build_defs()
