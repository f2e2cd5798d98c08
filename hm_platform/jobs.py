"""The jobs: what `hm build`, the sensors, the schedule and people start.

A job is a selection of assets with a purpose; what the assets do is theirs.
"""

from __future__ import annotations

from dagster import AssetSelection, define_asset_job

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
            "marts/loaded_catalogue",
        )
    ),
    description="Looks through the landing zone: indexes new files, reads the catalogue and the "
    "customers, and lists refused rows. Loads no purchases.",
)

load_weeks = define_asset_job(
    "load_weeks",
    selection=(
        AssetSelection.assets("raw/transactions").downstream()
        & AssetSelection.groups("raw", "staging", "marts")
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

JOBS = [refresh_landing, load_weeks, build_week, load_and_build]
