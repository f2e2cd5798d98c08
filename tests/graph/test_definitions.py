"""The graph as Dagster sees it, before anything is built."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dagster import AssetKey, AssetSpec, Definitions, partition_loading_context

from hm_platform import retention
from hm_platform.catching_up import to_refresh
from hm_platform.sensors import NOT_PASSED
from tests.home import Home
from tests.landing.landed import header, put

EXPECTED = {
    "raw/landed_files", "raw/articles", "raw/customers", "raw/transactions", "raw/quarantine",
    "staging/stg_articles", "staging/stg_customers", "staging/stg_transactions",
    "marts/joined_transactions", "marts/weekly_article_sales", "marts/weekly_customer_purchases",
    "marts/weekly_customer_article_purchases", "marts/loaded_weeks",
    "marts/loaded_catalogue", "datasets/article_index", "datasets/customer_index",
    "datasets/train", "datasets/validation", "datasets/test",
    "features/encoders", "features/articles", "features/customers",
    "features/purchase_histories", "features/copurchases",
    "models/recommender", "evaluation/behavioral_report", "evaluation/behavioral_tests",
    "evaluation/drift", "evaluation/score_trend",
    "serving/decisions", "serving/recommendations", "serving/publications",
}  # fmt: skip
UNPARTITIONED = {
    "raw/landed_files", "raw/articles", "raw/customers", "raw/quarantine",
    "staging/stg_articles", "staging/stg_customers", "marts/loaded_catalogue",
    "evaluation/score_trend", "serving/decisions",
}  # fmt: skip
ASIDE = {"evaluation/score_trend"}
"""What nothing is made of: people look at it, and publishing does not wait for it."""
BY_PEOPLE = {"serving/decisions"}
"""What no week's run makes: people do, when they decide something."""


@pytest.fixture(scope="module")
def defs() -> Definitions:
    from hm_platform.definitions import defs

    return defs


@pytest.fixture(scope="module")
def specs(defs: Definitions) -> dict[str, AssetSpec]:
    return {
        spec.key.to_user_string(): spec
        for spec in defs.resolve_all_asset_specs()
        if spec.key.to_user_string() in EXPECTED or spec.group_name != "default"
    }


def test_the_assets_are_those_of_the_surface(specs: dict[str, AssetSpec]) -> None:
    assert set(specs) == EXPECTED


def test_there_is_no_break_and_no_orphan(specs: dict[str, AssetSpec]) -> None:
    upstream = {
        name: {dep.asset_key.to_user_string() for dep in spec.deps} for name, spec in specs.items()
    }
    assert set().union(*upstream.values()) <= EXPECTED
    roots = {name for name, deps in upstream.items() if not deps}
    assert roots == {"raw/landed_files"} | BY_PEOPLE
    leaves = EXPECTED - set().union(*upstream.values())
    assert leaves == {"serving/publications"} | ASIDE


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_every_asset_tells_about_itself(name: str, specs: dict[str, AssetSpec]) -> None:
    spec = specs[name]
    assert spec.group_name == name.split("/")[0]
    assert spec.description
    assert len(spec.description) > 40
    assert spec.kinds
    assert spec.owners == ["team:data-platform"]
    assert "dagster/code_references" in spec.metadata
    if name != "models/recommender":
        schema = spec.metadata["dagster/column_schema"]
        columns = getattr(schema, "schema", schema).columns
        assert columns
        assert all(column.description for column in columns), name


def test_all_partitioned_assets_have_the_one_weekly_calendar(specs: dict[str, AssetSpec]) -> None:
    from hm_platform.assets.partitions import weekly

    found = {name for name, spec in specs.items() if spec.partitions_def is None}
    assert found == UNPARTITIONED
    assert {spec.partitions_def for name, spec in specs.items() if name not in found} == {weekly}


@pytest.mark.parametrize("years", [0, 9])
def test_the_whole_history_is_all_weeks_to_the_downstream_one_for_years_to_come(years: int) -> None:
    from hm_platform.assets.partitions import CALENDAR, weekly, whole_history

    now = datetime.now(UTC) + timedelta(days=365 * years)
    week = str(CALENDAR.week_of(now.date()))
    with partition_loading_context(now):
        upstream = whole_history.get_upstream_mapped_partitions_result_for_partitions(
            weekly.subset_with_partition_keys([week]), weekly, weekly
        )
        found = sorted(upstream.partitions_subset.get_partition_keys())
    assert found == [str(w) for w in CALENDAR.weeks(CALENDAR.first_week, now.date())]


def test_dbt_tests_arrive_as_checks_with_their_reasons(defs: Definitions) -> None:
    from hm_platform.assets import dbt

    checks = {spec.key: spec for asset in dbt.ASSETS for spec in asset.check_specs}
    names = {key.name for key in checks}
    assert {
        "joined_transactions_without_article",
        "joined_transactions_without_customer",
        "joined_transactions_has_every_purchase_once",
    } <= names
    assert all(spec.description for spec in checks.values())


CHECKS = {
    ("raw/landed_files", "columns_are_as_before"): False,
    ("raw/landed_files", "rows_of_files_add_up"): True,
    ("raw/landed_files", "no_file_is_held"): False,
    ("raw/transactions", "every_landed_row_is_loaded"): True,
    ("raw/quarantine", "every_refused_row_is_listed"): True,
    ("datasets/train", "holds_only_its_days"): True,
    ("datasets/validation", "holds_only_its_days"): True,
    ("datasets/test", "holds_only_its_days"): True,
    ("evaluation/drift", "purchases_look_as_before"): False,
    ("evaluation/drift", "features_look_as_before"): False,
    ("serving/recommendations", "everyone_has_a_whole_list"): True,
    ("serving/publications", "the_model_passed"): True,
}
"""Asset and name -> whether what is made of the asset waits for it."""


def test_what_is_made_is_checked_before_anything_is_made_of_it(defs: Definitions) -> None:
    checks = {
        (spec.key.asset_key.to_user_string(), spec.name): spec
        for check in defs.asset_checks or ()
        for spec in check.check_specs
    }
    assert {name: spec.blocking for name, spec in checks.items()} == CHECKS
    assert all(len(spec.description or "") > 40 for spec in checks.values())


@pytest.mark.parametrize(
    ("job", "check"),
    [
        ("refresh_landing", "raw__landed_files_rows_of_files_add_up"),
        ("load_weeks", "raw__transactions_every_landed_row_is_loaded"),
        ("build_week", "serving__recommendations_everyone_has_a_whole_list"),
        ("build_week", NOT_PASSED),
        ("decide", "serving__recommendations_everyone_has_a_whole_list"),
        ("decide", NOT_PASSED),
    ],
)
def test_a_job_checks_what_it_makes(defs: Definitions, job: str, check: str) -> None:
    nodes = defs.get_repository_def().get_job(job).graph.nodes
    assert check in {node.name for node in nodes}


def selected(defs: Definitions, job: str) -> set[str]:
    layer = defs.get_repository_def().get_job(job).asset_layer
    return {key.to_user_string() for key in layer.selected_asset_keys}


def test_jobs_are_there_and_explained(defs: Definitions) -> None:
    jobs = (
        *("refresh_landing", "load_weeks", "build_week", "backtest", "load_and_build", "decide"),
        "tidy",
    )
    for job in jobs:
        assert len(defs.get_repository_def().get_job(job).description or "") > 40


def test_the_three_jobs_make_every_weeks_asset_and_none_makes_that_of_another(
    defs: Definitions,
) -> None:
    three = [selected(defs, job) for job in ("refresh_landing", "load_weeks", "build_week")]
    weekly = EXPECTED - BY_PEOPLE
    assert set().union(*three) == weekly
    assert sum(map(len, three)) == len(weekly)
    assert three[0] == UNPARTITIONED - BY_PEOPLE - ASIDE
    assert selected(defs, "load_and_build") == weekly


def test_a_first_look_makes_all_of_its_job_and_one_at_customers_all_of_dbt(
    defs: Definitions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Files of the test may be trusted as soon as they are written.
    monkeypatch.setattr("hm_platform.landing.index.SETTLED_S", 0)
    home = Home.at(tmp_path)
    home.land_weeks(1)
    [first] = to_refresh(home.settings, home.records)
    job = selected(defs, "refresh_landing")
    assert {*first.assets} == job
    home.refresh()
    put(home.settings.landing_zone, "customers/c.csv", [header("customers")])
    [look] = to_refresh(home.settings, home.records)
    # Only then does dbt run the tests of raw.customers, which are no tests of a model.
    assert {*look.assets} == job - {"raw/articles"}


def test_a_decision_publishes_a_week_again_and_makes_nothing_else(defs: Definitions) -> None:
    published = {"serving/recommendations", "serving/publications"}
    assert selected(defs, "decide") == BY_PEOPLE | published
    upstream = defs.resolve_asset_graph().get(AssetKey(["serving", "recommendations"]))
    assert AssetKey(["serving", "decisions"]) in upstream.parent_keys


def test_a_backtest_makes_what_a_build_makes_and_publishes_nothing(defs: Definitions) -> None:
    build, backtest = selected(defs, "build_week"), selected(defs, "backtest")
    assert build - backtest == {"serving/recommendations", "serving/publications"}
    assert backtest <= build


def test_the_records_are_written_after_all_that_they_stand_for(
    specs: dict[str, AssetSpec], defs: Definitions
) -> None:
    graph = defs.resolve_asset_graph()

    def before(name: str) -> set[str]:
        found = graph.get_ancestor_asset_keys(AssetKey(name.split("/")))
        return {key.to_user_string() for key in found} | {name}

    for record, job in (
        ("marts/loaded_catalogue", "refresh_landing"),
        ("marts/loaded_weeks", "load_weeks"),
        ("serving/publications", "build_week"),
    ):
        assert selected(defs, job) - ASIDE <= before(record)


def test_sensors_and_the_schedule_are_there_and_explained(defs: Definitions) -> None:
    repository = defs.get_repository_def()
    assert {sensor.name for sensor in repository.sensor_defs} == {
        "landing_zone", "failed_runs", "late_weeks",
    }  # fmt: skip
    assert {schedule.name for schedule in repository.schedule_defs} == {
        "monday_night", "weekly_tidy",
    }  # fmt: skip
    for each in (*repository.sensor_defs, *repository.schedule_defs):
        assert len(each.description or "") > 80
        assert each.default_status.value == "RUNNING"
    targets = {target.job_name for target in repository.get_sensor_def("landing_zone").targets}
    assert targets == {"refresh_landing", "load_weeks", "build_week"}
    assert repository.get_schedule_def("monday_night").job_name == "load_and_build"
    assert repository.get_schedule_def("weekly_tidy").job_name == "tidy"


def test_runs_take_turns(defs: Definitions) -> None:
    assert defs.executor is not None
    assert getattr(defs.executor, "name", None) == "in_turn"
    for job in ("build_week", "tidy"):
        assert defs.get_repository_def().get_job(job).executor_def.name == "in_turn"
    assert defs.resources is not None
    assert {"retention", "storage"} <= defs.resources.keys()


def test_of_old_weeks_all_splits_and_features_go(specs: dict[str, AssetSpec]) -> None:
    made = {tuple(name.split("/")) for name in specs if name.startswith(("datasets/", "features/"))}
    assert set(retention.TABLES) == made


def test_the_location_loads_in_a_fresh_interpreter_without_what_only_runs_need(
    tmp_path: Path,
) -> None:
    script = (
        "import sys; import hm_platform.definitions; "
        "print([m for m in ('torch', 'pytorch_lightning', 'hamilton', 'reclist', 'matplotlib',"
        " 'pandas') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_what_people_rely_on_has_a_freshness_policy(specs: dict[str, AssetSpec]) -> None:
    fresh = {name for name, spec in specs.items() if spec.freshness_policy is not None}
    assert fresh == {"serving/recommendations", "marts/loaded_weeks"}
