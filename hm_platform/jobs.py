"""The jobs: what `hm build`, the sensors, the schedule and people start.

A job is a selection of assets with a purpose; what the assets do is theirs. ``tidy`` makes nothing
and has a step of its own.
"""

from dagster import (
    AssetSelection,
    Config,
    JobDefinition,
    MetadataValue,
    Nothing,
    OpExecutionContext,
    Out,
    define_asset_job,
    job,
    op,
)
from dagster._core.definitions.unresolved_asset_job_definition import (
    UnresolvedAssetJobDefinition,
)
from pydantic import Field

from hm_platform.resources import RetentionResource
from hm_platform.retention import plan, read_records
from hm_platform.retention import tidy as remove

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
    "customers, and lists refused rows. Loads no purchases. What `hm build` and the sensor start "
    "leaves out catalogue or customers when their files are as they were.",
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


class TidyConfig(Config):
    """How much is kept, if not what HM_KEEP_WEEKS says, and whether anything is removed."""

    keep_weeks: int | None = Field(
        default=None, ge=0, description="Built weeks that are kept whole; 0: all."
    )
    dry_run: bool = Field(default=False, description="Say what would go, and remove nothing.")


@op(out=Out(Nothing))
def remove_old_weeks(
    context: OpExecutionContext, config: TidyConfig, retention: RetentionResource
) -> None:
    """Remove the splits, features and models of old weeks that nothing needs any more."""
    keep = retention.keep_weeks if config.keep_weeks is None else config.keep_weeks
    stored = retention.storage.opened
    if config.dry_run:
        found = plan(read_records(stored), keep)
    else:
        found = remove(stored, keep, retention.lock_of if retention.by_weeks else None)
    context.log.info(f"{'would go' if config.dry_run else 'went'}: {found}")
    context.add_output_metadata(
        {
            "weeks": len(found.weeks),
            "models": len(found.versions),
            "older than": str(found.oldest or ""),
            "removed weeks": MetadataValue.json([str(week) for week in found.weeks]),
            "removed models": MetadataValue.json(sorted(found.versions)),
            "models that stay": MetadataValue.json(dict(found.kept_versions)),
        }
    )


@job(
    description="Removes the splits, features and models of weeks older than the newest "
    "HM_KEEP_WEEKS built ones, but what is published or could be rolled back to. `hm tidy` starts "
    "it; with dry_run in the config of its step it only says what would go.",
)
def tidy() -> None:
    remove_old_weeks()


JOBS: list[JobDefinition | UnresolvedAssetJobDefinition] = [
    refresh_landing,
    load_weeks,
    build_week,
    backtest,
    load_and_build,
    decide,
    tidy,
]
