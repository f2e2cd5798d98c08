"""What runs by the clock. Schedules and nothing else."""

from __future__ import annotations

from datetime import UTC

from dagster import (
    DefaultScheduleStatus,
    RunRequest,
    ScheduleEvaluationContext,
    SkipReason,
    schedule,
)

from hm_platform.alerts import LIVING
from hm_platform.assets.partitions import CALENDAR, SETTINGS
from hm_platform.calendar import WEEK
from hm_platform.catching_up import landed, read_records, to_build, to_load, to_refresh
from hm_platform.errors import PlatformError
from hm_platform.jobs import load_and_build, tidy
from hm_platform.working import at_work

# Cron counts a week's days from Sunday = 0, Python from Monday = 0.
_FIRST_DAY = (CALENDAR.first_week.weekday() + 1) % 7
NIGHT_AFTER = f"0 3-5 * * {_FIRST_DAY}"
"""Three times, since what goes on at the first may be over at the second."""
MORNING_AFTER = f"0 6 * * {_FIRST_DAY}"
STATUS = (
    DefaultScheduleStatus.RUNNING if SETTINGS.automation == "on" else DefaultScheduleStatus.STOPPED
)


@schedule(
    name="monday_night",
    job=load_and_build,
    cron_schedule=NIGHT_AFTER,
    default_status=STATUS,
    description="In the night after a week's last day, builds that week if nobody has and nothing "
    "is going on. The sensor landing_zone does so as soon as the files are there; this is for when "
    "it is turned off.",
)
def monday_night(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
    now = context.scheduled_execution_time.astimezone(UTC)
    week = CALENDAR.week_of(now.date()) - WEEK
    if going_on := at_work(SETTINGS, context.instance):
        return SkipReason(going_on)
    try:
        records = read_records(SETTINGS, wait_s=10)
    except PlatformError as error:
        return SkipReason(f"not now: {error}")
    if not records.loaded:
        return SkipReason("no week is loaded yet, and a week needs those before it: run `hm build`")
    weeks = landed(SETTINGS, records)
    if weeks and weeks[-1].week < week - LIVING:
        return SkipReason(f"nothing has been sold since {weeks[-1].week}: no week is due")
    unread = to_refresh(SETTINGS, records, now)
    # What is not read yet may hold what is missing; a week that lacks purchases would be published
    # as if it had them, and nobody be told that it is late.
    if not unread and not any(each.week == week and each.complete and each.files for each in weeks):
        return SkipReason(f"purchases of week {week} are missing, and no file is left to read")
    stale = unread or to_load(SETTINGS, records)
    if not stale and not to_build(SETTINGS, records, week):
        return SkipReason(f"week {week} is published and up to date")
    return RunRequest(run_key=str(week), partition_key=str(week))


@schedule(
    name="weekly_tidy",
    job=tidy,
    cron_schedule=MORNING_AFTER,
    default_status=STATUS,
    description="In the morning after a week's last day, removes the splits, features and models "
    "of old weeks that nothing needs any more: see HM_KEEP_WEEKS.",
)
def weekly_tidy(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
    if not SETTINGS.keep_weeks:
        return SkipReason("every week is kept: HM_KEEP_WEEKS is 0")
    return RunRequest(run_key=str(context.scheduled_execution_time.date()))


SCHEDULES = [monday_night, weekly_tidy]
