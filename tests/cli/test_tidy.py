"""Old weeks are tidied away from a shell, on a copy of the shop, and all else works on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import pytest

from hm_platform.retention import TABLES
from tests.cli.shop import WEEK, contents, query, run
from tests.cli.test_hm import one_line
from tests.cli.test_serving import LAST, OLD, UNTESTED, challenger, served
from tests.modelling.stored import version_of


@pytest.fixture
def copy(home: Path, tmp_path: Path) -> Path:
    """The shop with a week before, published by an earlier model, and one that never served."""
    copy = tmp_path / "data"
    copy.mkdir()
    shutil.copy(home / "warehouse.duckdb", copy)
    shutil.copytree(home / "models", copy / "models")
    (tmp_path / ".env").write_text(f"HM_LANDING={home / 'landing'}\n")
    root = copy / "models" / "recommender"
    for version in (OLD, UNTESTED):
        version_of(root / challenger(copy), root, version)
    (root / f"{LAST}.json").write_text(json.dumps({"version": OLD}))
    tables = [f"{schema}.{table}" for schema, table in (*TABLES, ("serving", "recommendations"))]
    with duckdb.connect(copy / "warehouse.duckdb") as db:
        for table in tables:
            db.execute(
                f"INSERT INTO {table} BY NAME SELECT * REPLACE (DATE '{LAST}' AS week) FROM {table}"
            )
        db.execute(
            "INSERT INTO serving.publications BY NAME "
            f"SELECT * REPLACE (DATE '{LAST}' AS week, '{OLD}' AS model_version) "
            "FROM serving.publications"
        )
    return copy


def test_what_goes_is_shown_and_goes_and_everything_else_works_on(copy: Path) -> None:
    before = contents(copy)
    shown = run(copy, "hm", "tidy", "--dry-run", "--keep-weeks", "1", COLUMNS="200")
    assert shown.returncode == 0, shown.stderr
    assert contents(copy) == before
    for schema, table in TABLES:
        assert f"{schema}.{table}" in shown.stdout
    assert f"Splits and features of 1 week and 1 model, older than {WEEK}" in shown.stdout
    assert f"serves week {LAST}" in shown.stdout
    assert "nothing is removed" in shown.stderr

    done = run(copy, "hm", "tidy", HM_KEEP_WEEKS="1")
    assert done.returncode == 0, done.stderr
    after = contents(copy)
    touched = {f"{schema}.{table}" for schema, table in TABLES}
    assert {name for name in before if before[name] != after.get(name)} == {
        *touched,
        f"recommender/{LAST}.json",
        *(name for name in before if name.startswith(f"recommender/{UNTESTED}/")),
    }
    weeks = [query(copy, f"SELECT DISTINCT week::VARCHAR FROM {name}") for name in touched]
    assert weeks == [[(WEEK,)]] * len(touched)

    assert "nothing to do" in run(copy, "hm", "build").stderr
    for command in (
        ("status",),
        ("models",),
        ("export", "recommendations", "--week", LAST, "--out", str(copy / "out.parquet")),
    ):
        ended = run(copy, "hm", *command)
        assert ended.returncode == 0, ended.stderr
    gone = one_line(run(copy, "hm", "rollback", "--to", OLD, "--week", LAST))
    assert "have been removed since" in gone
    assert f"hm build --week {LAST}" in gone

    done = run(copy, "hm", "rollback", "--to", OLD)
    assert done.returncode == 0, done.stderr
    ((state, version, versions, _),) = served(copy)
    assert (state, version, versions) == ("rolled_back", OLD, [OLD])


def test_by_default_nothing_goes_from_a_home_with_few_weeks(copy: Path) -> None:
    shown = run(copy, "hm", "tidy", "--dry-run")
    assert "Nothing is older than the 26 newest built weeks" in shown.stdout
    everything = run(copy, "hm", "tidy", "--keep-weeks", "0")
    assert "Every week is kept" in everything.stdout
    assert everything.returncode == 0
    assert not (copy / "dagster").exists()


def test_an_empty_home_has_nothing_to_tidy(tmp_path: Path) -> None:
    shown = run(tmp_path / "data", "hm", "tidy", "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert "Nothing is older" in shown.stdout
