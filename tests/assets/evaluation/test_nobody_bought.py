"""The report of a week in which nobody bought anything, through Dagster."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb
import pytest
from dagster import (
    AssetKey,
    AssetSpec,
    DagsterInstance,
    ExecuteInProcessResult,
    InputContext,
    IOManager,
    MetadataValue,
    OutputContext,
    materialize,
)

from hm_platform.assets.evaluation import behavioral_report
from hm_platform.assets.partitions import weekly
from hm_platform.behaviour import board, verdict
from hm_platform.behaviour.thresholds import declared
from hm_platform.modelling import pipeline
from hm_platform.modelling.model_store import Manifest
from hm_platform.modelling.pipeline import OpenModel
from hm_platform.resources import (
    LandingResource,
    ModelsResource,
    PlanResource,
    ReportsResource,
    TablesResource,
)
from hm_platform.storage.io_managers import ArrowIOManager
from hm_platform.storage.resource import LocalStorage

WEEK = "2018-11-07"
SPLIT = (
    "DATE '2018-11-07' AS week, DATE '2018-11-08' AS t_dat, 0 AS customer_index, 0 AS article_index"
)
TWO_WEEKS = "(VALUES (DATE '2018-10-31'), (DATE '2018-11-07')) AS t(week)"
TABLES = {
    "datasets.train": f"SELECT {SPLIT}",
    "datasets.validation": f"SELECT {SPLIT}",
    "datasets.test": f"SELECT {SPLIT} WHERE false",
    "datasets.article_index": "SELECT DATE '2018-11-07' AS week, 0 AS article_index",
    "datasets.customer_index": "SELECT DATE '2018-11-07' AS week, 0 AS customer_index",
    "staging.stg_articles": (
        "SELECT '0108775015' AS article_id, 'Strap top' AS prod_name, 108775 AS product_code, "
        "'Vest top' AS product_type_name, 'Garment Upper body' AS product_group_name, "
        "'Jersey Basic' AS department_name"
    ),
    "evaluation.drift": "SELECT DATE '2018-11-07' AS week, 'purchases' AS quantity",
    "features.encoders": "SELECT DATE '2018-11-07' AS week, 'age_scaled' AS encoder",
    **{
        f"features.{table}": "SELECT DATE '2018-11-07' AS week, 'test' AS split"
        for table in ("articles", "customers", "purchase_histories", "copurchases")
    },
    "evaluation.behavioral_report": (
        "SELECT week, 'ranker' AS recommender, 'map@12' AS metric, 0.5::DOUBLE AS value, "
        "0.4::DOUBLE AS low, 0.6::DOUBLE AS high, 7::INTEGER AS customers "
        f"FROM {TWO_WEEKS}"
    ),
    "evaluation.behavioral_tests": (
        "SELECT week, '2018-11-07-0000000000' AS model_version, 'ranker' AS recommender, "
        "'sanity' AS test, 'not sellable' AS effect, 1::DOUBLE AS value, NULL::DOUBLE AS low, "
        "NULL::DOUBLE AS high, 7::BIGINT AS count, 'at most 0' AS threshold, "
        "'block' AS severity, 'failed' AS outcome, 'So.' AS reason "
        f"FROM {TWO_WEEKS}"
    ),
}
MANIFEST = Manifest(
    version=f"{WEEK}-0123456789",
    week=WEEK,
    code_version="1.2.3",
    seed=0,
    parameters={},
    network={},
    ranker={"reason": "there are two customers"},
    data={},
    best_epoch=1,
    epochs=1,
    validation={"two_tower": {"map": 0.25}},
    chosen="two_tower",
    files={},
)


class Nowhere(IOManager):
    """A model folder that is never opened."""

    def handle_output(self, context: OutputContext, obj: object) -> None:
        raise AssertionError("nothing is stored here")

    def load_input(self, context: InputContext) -> Path:
        return Path("model")


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(path) as db:
        for name, rows in TABLES.items():
            db.execute(f"CREATE SCHEMA IF NOT EXISTS {name.split('.')[0]}")
            db.execute(f"CREATE TABLE {name} AS {rows}")
    return path


@pytest.fixture
def built(
    warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ExecuteInProcessResult:
    monkeypatch.setattr(pipeline, "open_model", lambda folder: OpenModel((), MANIFEST, {}))
    upstream = [_upstream(key) for key in behavioral_report.keys_by_input_name.values()]
    with DagsterInstance.ephemeral() as instance:
        return materialize(
            [behavioral_report, *upstream],
            instance=instance,
            partition_key=WEEK,
            resources={
                "io_manager": ArrowIOManager(storage=LocalStorage(home=str(warehouse.parent))),
                "model_io_manager": Nowhere(),
                "landing": LandingResource(root=str(tmp_path / "landing"), first_week="2018-09-19"),
                "reports": ReportsResource(storage=LocalStorage(home=str(tmp_path))),
                "plan": PlanResource(train_weeks=4, seed=0),
                "models": ModelsResource(storage=LocalStorage(home=str(tmp_path))),
                "tables": TablesResource(storage=LocalStorage(home=str(warehouse.parent))),
            },
        )


def _upstream(key: AssetKey) -> AssetSpec:
    if key.path[0] == "staging":
        return AssetSpec(key)
    metadata: Mapping[str, str] = {"partition_expr": "week"}
    spec = AssetSpec(key, partitions_def=weekly, metadata=metadata)
    return spec.with_io_manager_key("model_io_manager") if key.path[0] == "models" else spec


def test_the_run_goes_on_and_the_board_is_empty(
    built: ExecuteInProcessResult, warehouse: Path
) -> None:
    assert built.success
    with duckdb.connect(warehouse) as db:
        left = db.execute("SELECT week::VARCHAR FROM evaluation.behavioral_report").fetchall()
        columns = db.execute("SELECT * FROM evaluation.behavioral_report").to_arrow_table().schema
    # What another run had written for the week is gone, and nothing of another week.
    assert left == [("2018-10-31",)]
    assert columns.names == board.SCHEMA.names
    assert columns.types == board.SCHEMA.types


def test_the_model_was_looked_at_and_nothing_speaks_against_it(
    built: ExecuteInProcessResult, warehouse: Path
) -> None:
    with duckdb.connect(warehouse) as db:
        rows = db.execute(
            "SELECT * FROM evaluation.behavioral_tests ORDER BY week"
        ).to_arrow_table()
    assert rows.schema.names == verdict.SCHEMA.names
    assert rows.schema.types == verdict.SCHEMA.types
    before, now = rows.to_pylist()
    # What was found of an older model of the week is gone.
    assert (str(before["week"]), before["outcome"]) == ("2018-10-31", "failed")
    assert (str(now["week"]), now["model_version"]) == (WEEK, MANIFEST.version)
    assert (now["effect"], now["value"]) == (verdict.NOBODY_BOUGHT, 0)
    assert (now["outcome"], now["severity"]) == ("not measured", None)


def test_every_check_of_a_test_passes_and_says_that_nothing_was_measured(
    built: ExecuteInProcessResult,
) -> None:
    checks = built.get_asset_check_evaluations()
    assert [check.check_name for check in checks] == list(declared())
    for check in checks:
        assert check.passed
        assert check.asset_key == AssetKey(["evaluation", "behavioral_report"])
        assert check.description == "Not measured: nobody bought in the test week."


def test_a_warning_says_what_to_check(
    capfd: pytest.CaptureFixture[str], built: ExecuteInProcessResult
) -> None:
    warning = next(line for line in capfd.readouterr().err.splitlines() if "WARNING" in line)
    assert f"nobody bought in the test week {WEEK}" in warning
    assert "landed and loaded" in warning


def test_the_page_says_so(built: ExecuteInProcessResult, tmp_path: Path) -> None:
    page = tmp_path / "reports" / f"{WEEK}.html"
    text = page.read_text("utf-8")
    assert "Nobody bought anything in the test week" in text
    assert "Two-tower may be published for 14–20 November 2018" in text
    assert "There is no ranker: there are two customers." in text
    materialized = {
        event.materialization.asset_key.path[-1]: event.materialization
        for event in built.get_asset_materialization_events()
    }
    assert set(materialized) == {"behavioral_report", "behavioral_tests"}
    metadata = materialized["behavioral_report"].metadata
    assert metadata["customers"] == MetadataValue.int(0)
    assert metadata["report"] == MetadataValue.path(page)
