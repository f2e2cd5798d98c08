"""The weekly partitions and how one week's assets reach into other weeks.

What every partitioned asset shares and nothing else. The calendar is read from the settings when
this module is imported, since Dagster wants partitions to be known with the assets.
"""

import warnings
from datetime import date, timedelta

from dagster import (
    AssetCheckExecutionContext,
    AssetExecutionContext,
    BackfillPolicy,
    BetaWarning,
    FreshnessPolicy,
    TimeWindowPartitionMapping,
)

from hm_platform.calendar import days_of, today
from hm_platform.settings import load_settings

SETTINGS = load_settings()
CALENDAR = SETTINGS.calendar

# Backfill policies, and mappings that reach further back than the first week, are in beta. The
# graph's tests cover both, and nobody who runs it can do anything about the warnings.
warnings.filterwarnings("ignore", category=BetaWarning)

weekly = CALENDAR.partitions()

one_run = BackfillPolicy.single_run()
"""History is loaded as one run over a range of weeks: a run a week would pay start-up 105 times."""

# Purchases come in every week, and recommendations are for the week after: without new ones for
# eight days, those that are served are for days gone by; after ten, somebody has to see red.
EVERY_WEEK = FreshnessPolicy.time_window(
    warn_window=timedelta(days=8), fail_window=timedelta(days=10)
)

LONGEST_LIFE = timedelta(days=3660)
"""Of a process that has imported this module: ten years."""

# Dagster walks back week by week, for every such input of a step: a century costs 0.2 s each time.
MOST_WEEKS = len(CALENDAR.weeks(CALENDAR.first_week, today() + LONGEST_LIFE))
"""As far as any week that this process comes to see reaches back to the first week."""

whole_history = TimeWindowPartitionMapping(
    start_offset=-MOST_WEEKS, allow_nonexistent_upstream_partitions=True
)
"""All weeks up to and with the downstream week."""


def weeks_before(first: int, last: int) -> TimeWindowPartitionMapping:
    """The weeks from ``first`` weeks before the downstream week to ``last`` weeks before it."""
    return TimeWindowPartitionMapping(
        start_offset=-first, end_offset=-last, allow_nonexistent_upstream_partitions=True
    )


def days(context: AssetExecutionContext | AssetCheckExecutionContext) -> tuple[date, date]:
    """First day and first day after of the weeks that this run builds of the asset, or checks."""
    return days_of(context.partition_time_window)


def week(context: AssetExecutionContext | AssetCheckExecutionContext) -> date:
    """The one week that this run builds of the asset, or checks."""
    return CALENDAR.parse(context.partition_key)
