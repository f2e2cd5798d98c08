"""The graph as Dagster sees it, before anything is built."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from dagster import AssetKey, AssetSpec, Definitions

EXPECTED = {
    "raw/landed_files", "raw/articles", "raw/customers", "raw/transactions", "raw/quarantine",
    "staging/stg_articles", "staging/stg_customers", "staging/stg_transactions",
    "marts/joined_transactions", "marts/weekly_article_sales", "marts/weekly_customer_purchases",
    "marts/weekly_customer_article_purchases", "marts/loaded_weeks",
    "datasets/article_index", "datasets/customer_index",
    "datasets/train", "datasets/validation", "datasets/test",
    "features/encoders", "features/articles", "features/customers",
    "features/purchase_histories", "features/copurchases",
    "models/recommender", "evaluation/behavioral_report",
    "serving/recommendations", "serving/publications",
}  # fmt: skip
UNPARTITIONED = {
    "raw/landed_files", "raw/articles", "raw/customers", "raw/quarantine",
    "staging/stg_articles", "staging/stg_customers",
}  # fmt: skip


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
    assert roots == {"raw/landed_files"}
    leaves = EXPECTED - set().union(*upstream.values())
    assert leaves == {"raw/quarantine", "serving/publications"}


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


def test_splits_and_lists_are_checked_before_anything_is_made_of_them(defs: Definitions) -> None:
    checks = {
        spec.key.asset_key.to_user_string(): spec
        for check in defs.asset_checks or ()
        for spec in check.check_specs
    }
    assert set(checks) == {
        "datasets/train", "datasets/validation", "datasets/test", "serving/recommendations",
    }  # fmt: skip
    assert all(spec.blocking and spec.description for spec in checks.values())
    build_week = defs.get_repository_def().get_job("build_week")
    steps = {node.name for node in build_week.graph.nodes}
    assert "serving__recommendations_everyone_has_a_whole_list" in steps


def test_jobs_and_the_schedule_are_there_and_explained(defs: Definitions) -> None:
    repository = defs.get_repository_def()
    for job in ("refresh_landing", "load_weeks", "build_week", "load_and_build"):
        assert len(repository.get_job(job).description or "") > 40
    loaded = repository.get_job("load_weeks").asset_layer.selected_asset_keys
    assert AssetKey(["raw", "transactions"]) in loaded
    assert AssetKey(["marts", "loaded_weeks"]) in loaded
    assert AssetKey(["datasets", "train"]) not in loaded
    schedule = repository.get_schedule_def("monday_night")
    assert schedule.default_status.value == "STOPPED"


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
