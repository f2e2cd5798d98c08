"""Purchases that land before the articles and customers that they are of."""

from __future__ import annotations

import shutil
from pathlib import Path

from dagster import AssetCheckKey, AssetKey, DagsterInstance

from tests.cli.shop import LOADING, WEEK, contents, materialize, query, run

FIRST_WEEK = "2018-09-19"
WEEKS = "SELECT week::VARCHAR, count(*) FROM marts.joined_transactions GROUP BY week"
UNKNOWN = "SELECT count(*) FROM marts.joined_transactions WHERE NOT has_article OR NOT has_customer"


def test_it_makes_no_difference_that_the_catalogue_came_after_the_purchases(
    home: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    late, landing = tmp_path / "data", tmp_path / "data" / "landing"
    shutil.copytree(home / "landing", landing, ignore=shutil.ignore_patterns("*.csv"))
    record = run(late, "hm", "dagster-home").stdout.strip()
    weeks = f"{FIRST_WEEK}...{WEEK}"
    materialize(late, "--select", LOADING, "--partition-range", weeks, DAGSTER_HOME=record)
    ((unknown,),) = query(late, UNKNOWN)
    ((purchases,),) = query(late, "SELECT count(*) FROM raw.transactions")
    assert unknown == purchases > 0
    by_week = dict(query(late, WEEKS))
    assert counted(late, "joined_transactions_without_article") == by_week
    assert counted(late, "joined_transactions_without_customer") == by_week

    shutil.copytree(home / "landing", landing, dirs_exist_ok=True)
    built = run(late, "hm", "build")

    assert built.returncode == 0, built.stderr
    found = contents(late)
    for table in ("marts.joined_transactions", "marts.loaded_weeks", "serving.recommendations"):
        assert found[table] == undisturbed[table]
    assert counted(late, "joined_transactions_without_article") == {}


def counted(home: Path, name: str) -> dict[str, int]:
    """What the newest look of a check has counted in each week."""
    check = AssetCheckKey(AssetKey(["marts", "joined_transactions"]), name)
    with DagsterInstance.from_config(str(home / "dagster")) as instance:
        found = instance.event_log_storage.get_latest_asset_check_execution_by_key([check])
        evaluation = found[check].event.dagster_event.event_specific_data
    return evaluation.metadata["purchases by week"].value
