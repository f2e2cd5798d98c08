"""What people decide about who serves a week."""

from datetime import UTC, datetime

import pyarrow as pa
from dagster import AssetExecutionContext, Config, asset
from pydantic import Field

from hm_platform.assets.metadata import OWNERS, declared
from hm_platform.assets.partitions import CALENDAR
from hm_platform.resources import ModelsResource, TablesResource


class DecisionConfig(Config):
    """Which model is to serve a week; without a version nothing is decided."""

    version: str = Field(default="", description="The model version that is to serve.")
    week: str = Field(
        default="",
        description="The week that it is to serve, YYYY-MM-DD; by default the run's partition.",
    )
    kind: str = Field(default="promote", description="promote or rollback.")
    reason: str = Field(default="", description="Why; a promotion needs one.")


@asset(
    key=["serving", "decisions"],
    group_name="serving",
    owners=OWNERS,
    kinds={"duckdb"},
    metadata=declared("serving.decisions"),
)
def decisions(
    context: AssetExecutionContext,
    config: DecisionConfig,
    tables: TablesResource,
    models: ModelsResource,
) -> pa.Table:
    """What people have decided: which stored model serves a week, whatever its tests say.

    `hm promote` and `hm rollback` add a row, as does a run with this asset's config; a run without
    it leaves the table as it is. The newest row for a week holds.
    """
    from hm_platform.modelling.model_store import read_manifest
    from hm_platform.serving.decisions import (
        Decision,
        DecisionError,
        check_decision,
        newest_decision,
        with_decision,
    )
    from hm_platform.serving.published import opener, read_publications
    from hm_platform.serving.verdicts import passed_any

    former = tables.previous("serving", "decisions")
    now = datetime.now(UTC).replace(tzinfo=None)
    if not config.version:
        return with_decision(former, None, now)
    partition = context.run.tags.get("dagster/partition", "")
    decision = Decision(
        config.kind,
        CALENDAR.parse(config.week or partition),
        config.version,
        config.reason.strip(),
    )
    if partition and partition != str(decision.week):
        raise DecisionError(
            f"the decision is for week {decision.week}, and the run is one of week {partition}"
        )
    tests = tables.previous("evaluation", "behavioral_tests")
    check_decision(
        decision,
        lambda version: read_manifest(models.folder(version)),
        read_publications(tables.previous("serving", "publications")),
        lambda version: passed_any(tests, version),
        newest_decision(former, decision.week),
    )
    # Now, and not when it has been decided.
    chosen = read_manifest(models.folder(decision.model_version)).chosen
    opener(models.folder)(decision.model_version, chosen)
    context.log.info(f"{decision.kind}: {decision.model_version} for week {decision.week}")
    return with_decision(former, decision, now)
