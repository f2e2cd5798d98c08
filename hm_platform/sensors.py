"""What runs by itself: new files become loaded weeks and recommendations, and people are told when
something does not work.

Sensors and nothing else; what is out of date is told by ``catching_up``, when it is tried again by
``attempts``. They run with Dagster's daemon (`make ui`) unless HM_AUTOMATION is off.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from dagster import (
    AssetKey,
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    DefaultSensorStatus,
    RunFailureSensorContext,
    RunRequest,
    RunsFilter,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    run_failure_sensor,
    sensor,
)

from hm_platform.alerts import (
    FAILURES_TAG,
    JOB_FAILURES_TAG,
    failure_notice,
    late_notice,
    late_week,
    not_passed_notice,
    unseen_notice,
    unseen_week,
)
from hm_platform.assets.partitions import SETTINGS
from hm_platform.attempts import Attempt, Later, Ready, next_run
from hm_platform.catching_up import (
    KEY_TAG,
    Records,
    Work,
    files_there,
    landed,
    newest_buildable,
    read_records,
    settled,
    to_build,
    to_load,
    to_refresh,
    touched_files,
    unread,
)
from hm_platform.errors import PlatformError
from hm_platform.jobs import build_week, load_weeks, refresh_landing
from hm_platform.landing.zone import LandedFile
from hm_platform.notifying import notify
from hm_platform.runs import first_failure
from hm_platform.settings import Settings, changed_since
from hm_platform.working import at_work

STATUS = DefaultSensorStatus.RUNNING if SETTINGS.automation == "on" else DefaultSensorStatus.STOPPED
NOT_PASSED = "serving__publications_the_model_passed"
"""The step of the check that fails when a week is not served by its own model."""
LOOK_BACK = 20
"""Runs that people started, which say nothing of those before them, that are looked through."""


@sensor(
    name="landing_zone",
    jobs=[refresh_landing, load_weeks, build_week],
    # A look costs a listing of the files and four small reads.
    minimum_interval_seconds=10,
    default_status=STATUS,
    description="Starts what is needed to bring the platform up to date with the landing zone: "
    "looks through it when files came, changed or went, loads the weeks whose rows changed, and "
    "builds the newest complete week. Keeps no state of its own: it compares what lies there with "
    "what the warehouse says it was made from.",
)
def landing_zone(context: SensorEvaluationContext) -> SensorResult | SkipReason:
    found = _next(context.instance, datetime.now(UTC))
    if isinstance(found, str):
        return SkipReason(found)
    work = found.work
    context.log.info(f"{work.job} is needed: {work.because}")
    return SensorResult(
        run_requests=[
            RunRequest(
                # After a run there is one other with the same work, however often the daemon is
                # killed between asking for it and noting that it did. (A number would come again
                # when old runs are deleted, and of a key there is never a second run.)
                run_key=f"{work.key}-{found.after or 'first'}",
                job_name=work.job,
                partition_key=work.partition,
                asset_selection=[AssetKey.from_user_string(key) for key in work.assets] or None,
                tags={
                    **work.tags,
                    FAILURES_TAG: str(found.failures),
                    JOB_FAILURES_TAG: str(_failures_of(context.instance, work.job)),
                },
            )
        ]
    )


def _next(instance: DagsterInstance, now: datetime) -> Ready | str:
    return changed_since(SETTINGS) or look(SETTINGS, instance, now)


def look(settings: Settings, instance: DagsterInstance, now: datetime) -> Ready | str:
    """The run that has to start now, or why there is none."""
    if going_on := at_work(settings, instance):
        return going_on
    try:
        records = read_records(settings, wait_s=2)
        needed = needed_work(settings, records, now)
    except PlatformError as error:
        return f"not now: {error}"
    if isinstance(needed, str):
        return needed
    found = next_run(needed, lambda key: _attempts(instance, key), now)
    if isinstance(found, Ready):
        return found
    return _waiting(found)


def needed_work(settings: Settings, records: Records, now: datetime) -> list[Work] | str:
    """All that is needed, in the order in which it is to be done, or why nothing is."""
    files = files_there(settings)
    if not any(file.dataset in ("articles", "transactions") for file in files):
        return "nothing has landed"
    quiet = timedelta(seconds=settings.landing_quiet_seconds)
    refresh = to_refresh(settings, records, now, quiet, files)
    touched = touched_files(settings, records, files, now, quiet)
    waits = bool(refresh) and not settled(touched, quiet, now)
    after = [] if waits and not _only_new(records, files, touched) else _after(settings, records)
    needed = ([] if waits else refresh) + after
    if waits and not needed:
        return f"{len(touched):,} files have just come or changed: once they rest for {quiet}"
    return needed or "everything is up to date"


def _after(settings: Settings, records: Records) -> list[Work]:
    """What is needed after a look through the landing zone: loads, and the build."""
    target = newest_buildable(landed(settings, records))
    builds = to_build(settings, records, target) if target and target in records.loaded else []
    return to_load(settings, records) + builds


def _only_new(records: Records, files: Sequence[LandedFile], touched: Sequence[LandedFile]) -> bool:
    """Whether a look would find more files, and everything else as it is recorded.

    Then what is recorded can be acted upon before the look: one long upload is no reason to wait.
    What is recorded of files that have changed or gone cannot be loaded any more, and what other
    code has recorded would be done twice.
    """
    known = {entry.uri for entry in records.entries if entry.state != "pending"}
    there = {file.uri for file in files}
    return known <= there - {file.uri for file in touched} and not unread(records)


def _attempts(instance: DagsterInstance, key: str) -> list[Attempt]:
    records = instance.get_run_records(RunsFilter(tags={KEY_TAG: key}))
    return [
        Attempt(
            record.dagster_run.run_id,
            datetime.fromtimestamp(record.end_time or record.update_timestamp.timestamp(), UTC),
            record.dagster_run.status == DagsterRunStatus.SUCCESS,
            record.dagster_run.status == DagsterRunStatus.CANCELED,
        )
        for record in records
    ]


def _failures_of(instance: DagsterInstance, job: str) -> int:
    """How many runs of a job have failed in a row, whatever they were to do."""
    ended = RunsFilter(job_name=job, statuses=[DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE])
    failures = 0
    for run in instance.get_runs(ended, limit=LOOK_BACK):
        if run.status == DagsterRunStatus.SUCCESS:
            break
        failures += 1
        if JOB_FAILURES_TAG in run.tags:
            # It knows of those before it.
            return failures + int(run.tags[JOB_FAILURES_TAG])
    return failures


def _waiting(later: Sequence[Later]) -> str:
    first = min(later, key=lambda each: each.until)
    weeks = f" of {first.work.weeks[0]} to {first.work.weeks[1]}" if first.work.weeks else ""
    why = f"failed {first.failures} times" if first.failures else "ran often and changed nothing"
    if first.cancelled:
        why = "was cancelled"
    return f"{first.work.job}{weeks} {why}: again at {first.until.astimezone():%Y-%m-%d %H:%M:%S}"


@run_failure_sensor(
    name="failed_runs",
    default_status=STATUS,
    description="Sends a notice (HM_NOTIFY) about a run that failed. One that the sensor started "
    "is tried again first: from its third failure in a row on, or with the third, sixth, twelfth "
    "(and so on) of its job in a row, whatever the files. It does so at once about a model that "
    "did not pass, and about a run that is not tried again since what it had to do is done.",
)
def failed_runs(context: RunFailureSensorContext) -> None:
    run = context.dagster_run
    wanted = {DagsterEventType.STEP_FAILURE, DagsterEventType.ASSET_CHECK_EVALUATION}
    logged = context.instance.all_logs(run.run_id, of_type=wanted)
    events = [entry.dagster_event for entry in logged if entry.dagster_event is not None]
    reason = first_failure(events) or context.failure_event.message or ""
    again = _tried_again(context.instance, run)
    notice = failure_notice(run.job_name, run.tags, run.run_id, reason, again)
    if NOT_PASSED in {event.step_key for event in events if event.is_step_failure}:
        notice = not_passed_notice(run.tags, run.run_id, reason)
    if notice is not None:
        notify(notice, SETTINGS)


def _tried_again(instance: DagsterInstance, run: DagsterRun) -> bool:
    """Whether the work of a failed run is done again: a run that has recorded its work and fails
    after that leaves nothing that is needed."""
    latest = instance.get_runs(RunsFilter(job_name=run.job_name), limit=1)
    if latest and latest[0].run_id != run.run_id:
        return True
    now = datetime.now(UTC)
    try:
        records = read_records(SETTINGS, wait_s=2)
        # With what waits for files to rest.
        needed = to_refresh(SETTINGS, records, now) + _after(SETTINGS, records)
    except PlatformError:
        return True
    return any(each.job == run.job_name for each in needed)


@sensor(
    name="late_weeks",
    # Lateness is counted in hours.
    minimum_interval_seconds=900,
    default_status=STATUS,
    description="Sends a notice (HM_NOTIFY), once for each week, when a week is over for a day and "
    "a half and has no recommendations, or nobody can look whether it has. Its cursor is the last "
    "week that it saw published or told about.",
)
def late_weeks(context: SensorEvaluationContext) -> SkipReason:
    now = datetime.now(UTC)
    seen = date.fromisoformat(context.cursor) if context.cursor else None
    try:
        records = read_records(SETTINGS, wait_s=2)
    except PlatformError as error:
        unseen = unseen_week(SETTINGS.calendar, seen, now)
        if unseen is None:
            return SkipReason(f"not now: {error}")
        notify(unseen_notice(unseen, str(error)), SETTINGS)
        context.update_cursor(str(unseen))
        return SkipReason(f"week {unseen} may be late, and people are told: {error}")
    entries = [entry for entry in records.entries if entry.state == "loaded"]
    last_day = max((entry.last_day for entry in entries if entry.last_day), default=None)
    week = late_week(SETTINGS.calendar, records.published, last_day, now)
    if week is None:
        if records.published:
            context.update_cursor(str(max([*records.published, seen or date.min])))
        return SkipReason("no week is late")
    if week == seen:
        return SkipReason(f"week {week} is late, and people were told")
    state = _next(context.instance, now)
    doing = state if isinstance(state, str) else f"{state.work.job} is about to start"
    notify(late_notice(week, last_day, doing), SETTINGS)
    context.update_cursor(str(week))
    return SkipReason(f"week {week} is late: people are told")


SENSORS = [landing_zone, failed_runs, late_weeks]
