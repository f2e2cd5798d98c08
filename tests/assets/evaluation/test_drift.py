"""Drift of a week through Dagster: what is read, what is written, what is warned of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from dagster import (
    AssetCheckSeverity,
    AssetKey,
    AssetSpec,
    DagsterInstance,
    ExecuteInProcessResult,
    materialize,
)

from hm_platform.assets.evaluation.drift import CHECKS, drift
from hm_platform.assets.partitions import weekly
from hm_platform.drift.table import SCHEMA
from hm_platform.resources import TablesResource
from hm_platform.storage.io_managers import ArrowIOManager
from hm_platform.storage.resource import LocalStorage
from tests.drift.shop import no_features, purchases, sales, week

WEEKS = 14
LAST = week(WEEKS - 1)


def hundredfold(columns: dict[str, Any]) -> None:
    columns["price"] = columns["price"] * 100


def warehouse(path: Path, changed: bool) -> Path:
    """A warehouse with a shop's purchases; those of the week are in another unit if ``changed``."""
    rows = purchases(1, WEEKS, 100, hundredfold if changed else None)
    tables = {"marts.joined_transactions": rows, "marts.weekly_article_sales": sales(rows)}
    tables |= {f"features.{name}": empty for name, empty in no_features().items()}
    with duckdb.connect(path) as db:
        for name, given in tables.items():
            db.register("given", given)
            db.execute(f"CREATE SCHEMA IF NOT EXISTS {name.split('.')[0]}")
            db.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
    return path


def measure(path: Path, *weeks: str) -> list[ExecuteInProcessResult]:
    keys = [*drift.keys_by_input_name.values(), AssetKey(["marts", "loaded_weeks"])]
    upstream = [
        AssetSpec(key, partitions_def=weekly, metadata={"partition_expr": "week"}) for key in keys
    ]
    with DagsterInstance.ephemeral() as instance:
        return [
            materialize(
                [drift, *CHECKS, *upstream],
                instance=instance,
                partition_key=week,
                resources={
                    "io_manager": ArrowIOManager(storage=LocalStorage(home=str(path.parent))),
                    "tables": TablesResource(storage=LocalStorage(home=str(path.parent))),
                },
            )
            for week in weeks
        ]


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return warehouse(tmp_path_factory.mktemp("changed") / "warehouse.duckdb", changed=True)


@pytest.fixture(scope="module")
def runs(changed: Path) -> list[ExecuteInProcessResult]:
    """The week before, the week, and the week again."""
    return measure(changed, str(week(WEEKS - 2)), str(LAST), str(LAST))


def test_a_change_warns_and_stops_nothing(runs: list[ExecuteInProcessResult]) -> None:
    quiet, warned, _ = runs
    assert quiet.success
    assert warned.success
    assert [check.passed for check in quiet.get_asset_check_evaluations()] == [True, True]
    checks = {check.check_name: check for check in warned.get_asset_check_evaluations()}
    assert checks["features_look_as_before"].passed
    prices = checks["purchases_look_as_before"]
    assert not prices.passed
    assert prices.severity == AssetCheckSeverity.WARN
    assert "Price (over " in str(prices.metadata["headline"].value)
    table = str(prices.metadata["quantities"].value)
    assert "| price | stability_index |" in table
    assert "| failed |" in table


def test_the_asset_shows_what_changed(runs: list[ExecuteInProcessResult]) -> None:
    (event,) = runs[1].asset_materializations_for_node("evaluation__drift")
    assert event.metadata["quantities that look different"].value == 1
    charts = str(event.metadata["charts"].value)
    assert charts.count("data:image/svg+xml;base64,") > 5
    assert "![Purchases: Number last " in charts
    assert "The quantity that is farthest from the weeks before" in charts


def test_a_week_has_its_rows_once(changed: Path, runs: list[ExecuteInProcessResult]) -> None:
    with duckdb.connect(changed) as db:
        rows = db.execute(
            "SELECT week, quantity, measure, outcome FROM evaluation.drift"
        ).fetchall()
        columns = db.execute("SELECT * FROM evaluation.drift").to_arrow_table().schema
    assert len({row[:3] for row in rows}) == len(rows)
    assert {row[0] for row in rows} == {week(WEEKS - 2), LAST}
    assert [row[1] for row in rows if row[0] == LAST and row[3] == "failed"] == ["price"]
    assert columns.names == SCHEMA.names


def test_the_first_week_of_the_calendar_has_nothing_to_compare_with(
    tmp_path: Path,
) -> None:
    path = warehouse(tmp_path / "warehouse.duckdb", changed=False)
    (run,) = measure(path, str(week(0)))
    assert run.success
    assert all(check.passed for check in run.get_asset_check_evaluations())
    with duckdb.connect(path) as db:
        found = db.execute("SELECT DISTINCT outcome FROM evaluation.drift ORDER BY 1").fetchall()
    assert found == [("not measured",), ("reported",)]
