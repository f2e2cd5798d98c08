"""The scores of all weeks through Dagster, beside weekly assets and without any."""

from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    DagsterInstance,
    ExecuteInProcessResult,
    asset,
    materialize,
)

from hm_platform.assets.evaluation.score_trend import score_trend
from hm_platform.assets.partitions import weekly
from hm_platform.behaviour.board import SCHEMA
from hm_platform.resources import LandingResource, ReportsResource
from hm_platform.storage.io_managers import ArrowIOManager
from hm_platform.storage.resource import LocalStorage

WEEKS = ("2018-10-31", "2018-10-17", "2018-11-07")


@pytest.fixture
def report() -> AssetsDefinition:
    """A weekly board, without a model to score."""

    @asset(
        key=["evaluation", "behavioral_report"],
        partitions_def=weekly,
        metadata={"partition_expr": "week"},
    )
    def behavioral_report(context: AssetExecutionContext) -> pa.Table:
        week = date.fromisoformat(context.partition_key)
        rows = [
            {"week": week, "recommender": name, "metric": "map@12", "value": 0.1, "customers": 9}
            for name in ("ranker", "repurchase")
        ]
        return pa.Table.from_pylist(rows, SCHEMA)

    return behavioral_report


def run(home: Path, assets: list, week: str | None) -> ExecuteInProcessResult:
    with DagsterInstance.ephemeral() as instance:
        return materialize(
            assets,
            selection=[asset for asset in assets if week or asset is score_trend],
            instance=instance,
            partition_key=week,
            resources={
                "io_manager": ArrowIOManager(storage=LocalStorage(home=str(home))),
                "landing": LandingResource(root=str(home / "landing"), first_week="2018-09-19"),
                "reports": ReportsResource(storage=LocalStorage(home=str(home))),
            },
        )


def shown(home: Path) -> list[str]:
    with duckdb.connect(home / "warehouse.duckdb") as db:
        rows = db.execute("SELECT week::VARCHAR FROM evaluation.score_trend ORDER BY week")
        return [week for (week,) in rows.fetchall()]


def test_it_shows_all_weeks_whichever_was_built_last(
    tmp_path: Path, report: AssetsDefinition
) -> None:
    for number, week in enumerate(WEEKS, 1):
        assert run(tmp_path, [report, score_trend], week).success
        assert shown(tmp_path) == sorted(WEEKS[:number])
    text = (tmp_path / "reports" / "trend.html").read_text("utf-8")
    assert all(week in text for week in WEEKS)


def test_it_needs_no_week_to_be_made_again(tmp_path: Path, report: AssetsDefinition) -> None:
    assert run(tmp_path, [report, score_trend], WEEKS[0]).success
    page = tmp_path / "reports" / "trend.html"
    page.unlink()
    again = run(tmp_path, [report, score_trend], None)
    assert again.success
    assert page.exists()
    (event,) = again.asset_materializations_for_node("evaluation__score_trend")
    assert event.metadata["weeks"].value == 1
    assert "data:image/svg+xml;base64," in str(event.metadata["charts"].value)
