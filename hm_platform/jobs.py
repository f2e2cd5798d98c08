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

DECISIONS = AssetSelection.assets("serving/decisions")

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
    selection=(
        AssetSelection.groups("datasets", "features", "models", "evaluation", "serving") - DECISIONS
    ),
    description="Everything after loading, for one week: splits, features, model, report, and the "
    "recommendations for the week after, by the model of the week if it passed its tests.",
)

backtest = define_asset_job(
    "backtest",
    selection=AssetSelection.groups("datasets", "features", "models", "evaluation"),
    description="What build_week does for one week, without publishing: to see how the model would "
    "have done in a past week. `hm backtest` runs it week by week.",
)

load_and_build = define_asset_job(
    "load_and_build",
    selection=AssetSelection.all() - DECISIONS,
    description="One week from the landing zone to the published recommendations. The weeks before "
    "it must be loaded.",
)

decide = define_asset_job(
    "decide",
    selection=DECISIONS | AssetSelection.assets("serving/recommendations", "serving/publications"),
    description="Publishes a built week again, by the model version that somebody has decided for: "
    "`hm promote` and `hm rollback` start it, and so can you, with the config of "
    "serving/decisions. Nothing is trained or loaded.",
)

JOBS = [refresh_landing, load_weeks, build_week, backtest, load_and_build, decide]
