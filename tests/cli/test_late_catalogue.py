"""Purchases that land before the articles and customers that they are of."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.cli.shop import LOADING, WEEK, contents, materialize, query, run

FIRST_WEEK = "2018-09-19"
UNKNOWN = "SELECT count(*) FROM marts.joined_transactions WHERE NOT has_article OR NOT has_customer"


def test_it_makes_no_difference_that_the_catalogue_came_after_the_purchases(
    home: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    late, landing = tmp_path / "data", tmp_path / "data" / "landing"
    shutil.copytree(home / "landing", landing, ignore=shutil.ignore_patterns("*.csv"))
    materialize(late, "--select", LOADING, "--partition-range", f"{FIRST_WEEK}...{WEEK}")
    ((unknown,),) = query(late, UNKNOWN)
    ((purchases,),) = query(late, "SELECT count(*) FROM raw.transactions")
    assert unknown == purchases > 0

    shutil.copytree(home / "landing", landing, dirs_exist_ok=True)
    built = run(late, "hm", "build")

    assert built.returncode == 0, built.stderr
    found = contents(late)
    for table in ("marts.joined_transactions", "marts.loaded_weeks", "serving.recommendations"):
        assert found[table] == undisturbed[table]
