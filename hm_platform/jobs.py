"""The jobs and the schedule that people start: what `hm build` does, and what runs by itself.

A job is a selection of assets with a purpose; what the assets do is theirs.
"""

from __future__ import annotations

from dagster import (
    AssetSelection,
    DefaultScheduleStatus,
    build_schedule_from_partitioned_job,
    define_asset_job,
)

refresh_landing = define_asset_job(
    "refresh_landing",
    selection=(
        AssetSelection.assets(
            "raw/landed_files",
            "raw/articles",
            "raw/customers",
            "raw/quarantine",
            "staging/stg_articles",
            "staging/stg_customers",
        )
    ),
    description="Looks through the landing zone: indexes new files, reads the catalogue and the "
    "customers, and lists refused rows. Loads no purchases.",
)

load_weeks = define_asset_job(
    "load_weeks",
    selection=(
        AssetSelection.assets("raw/transactions", "marts/loaded_weeks")
        | AssetSelection.assets("raw/transactions").downstream()
        & AssetSelection.groups("staging", "marts")
    ),
    description="Loads the purchases of a week, or of a range of weeks in one run: raw, joined, "
    "and the weekly aggregates.",
)

build_week = define_asset_job(
    "build_week",
    selection=AssetSelection.groups("datasets", "features", "models", "evaluation", "serving"),
    description="Everything after loading, for one week: splits, features, model, report, and the "
    "recommendations for the week after.",
)

load_and_build = define_asset_job(
    "load_and_build",
    selection=AssetSelection.all(),
    description="One week from the landing zone to the published recommendations. The weeks before "
    "it must be loaded.",
)

monday_night = build_schedule_from_partitioned_job(
    load_and_build,
    name="monday_night",
    description="Builds the week that is just over, in the night after its last day. Off until "
    "you turn it on.",
    hour_of_day=3,
    # Somebody has to decide that new weeks arrive by themselves.
    default_status=DefaultScheduleStatus.STOPPED,
)

JOBS = [refresh_landing, load_weeks, build_week, load_and_build]
SCHEDULES = [monday_night]
