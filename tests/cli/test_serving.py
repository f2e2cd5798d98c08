"""Models are listed, rolled back to and promoted from a shell, on a copy of the shop."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from tests.cli.shop import WEEK, query, run
from tests.cli.test_hm import one_line
from tests.modelling.stored import version_of

LAST = "2018-10-31"
OLD = f"{LAST}-0123456789"
UNTESTED = f"{LAST}-aaaaaaaaaa"
PUBLISH = ("--select", "key:serving/recommendations+", "--partition", WEEK)


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
    with duckdb.connect(copy / "warehouse.duckdb") as db:
        db.execute(
            "INSERT INTO serving.publications BY NAME "
            f"SELECT * REPLACE (DATE '{LAST}' AS week, '{OLD}' AS model_version, "
            "NULL AS state, NULL AS reason) FROM serving.publications"
        )
    return copy


def challenger(home: Path) -> str:
    """The version that was trained for the week."""
    return next(p.name for p in (home / "models" / "recommender").glob(f"{WEEK}-*") if p.is_dir())


def served(home: Path) -> list[tuple]:
    """State and version of the week's publication, versions in its recommendations."""
    return query(
        home,
        "SELECT p.state, p.model_version, list(DISTINCT r.model_version), count(*) "
        "FROM serving.publications AS p JOIN serving.recommendations AS r USING (week) "
        f"WHERE week = DATE '{WEEK}' GROUP BY ALL",
    )


def test_a_rollback_and_a_promotion_publish_the_week_again(copy: Path) -> None:
    rows = served(copy)[0][-1]
    mine = challenger(copy)
    old_week = query(copy, f"SELECT * FROM serving.publications WHERE week = DATE '{LAST}'")

    done = run(copy, "hm", "rollback", "--to", OLD)
    assert done.returncode == 0, done.stderr
    assert served(copy) == [("rolled_back", OLD, [OLD], rows)]
    assert f"week {WEEK} is served by" in done.stderr
    assert "serving/recommendations" in done.stderr
    again = run(copy, "hm", "rollback", "--to", OLD)
    assert f"{OLD} serves week {WEEK} already" in one_line(again)

    done = run(copy, "hm", "promote", mine, "--reason", "it was not the model", "--week", WEEK)
    assert done.returncode == 0, done.stderr
    assert served(copy) == [("promoted", mine, [mine], rows)]
    kept = query(copy, "SELECT kind, model_version, reason FROM serving.decisions ORDER BY ALL")
    assert kept == [("promote", mine, "it was not the model"), ("rollback", OLD, "")]

    assert query(copy, f"SELECT * FROM serving.publications WHERE week = DATE '{LAST}'") == old_week
    listed = run(copy, "hm", "models", COLUMNS="200").stdout
    row = next(line for line in listed.splitlines() if mine in line)
    assert WEEK in row
    assert "it was not the model" in listed
    assert "promoted" in run(copy, "hm", "status", COLUMNS="200").stdout
    # Decisions are no reason to build.
    assert "nothing to do" in run(copy, "hm", "build").stderr


def test_models_are_listed_newest_first(copy: Path) -> None:
    listed = run(copy, "hm", "models", COLUMNS="200")
    assert listed.returncode == 0, listed.stderr
    lines = [line for line in listed.stdout.splitlines() if "│" in line]
    assert [line.split("│")[1].strip() for line in lines] == [challenger(copy), OLD, UNTESTED]
    assert LAST in lines[1].split("│")[3]
    assert "not tested" in lines[2]
    assert lines[2].split("│")[3].strip() == "-"
    few = run(copy, "hm", "models", "--limit", "1", COLUMNS="200").stdout
    assert challenger(copy) in few
    assert OLD not in few
    (copy / "models" / "recommender" / OLD / "manifest.json").write_text("{}")
    assert "cannot be read" in run(copy, "hm", "models", COLUMNS="200").stdout


def test_a_model_that_does_not_pass_is_not_published_and_the_command_says_so(copy: Path) -> None:
    with duckdb.connect(copy / "warehouse.duckdb") as db:
        db.execute(
            "UPDATE evaluation.behavioral_tests SET outcome = 'failed', severity = 'block', "
            "test = 'fairness of prices'"
        )
    command = ("dagster", "asset", "materialize", "-m", "hm_platform.definitions")
    done = run(copy, *command, *PUBLISH)
    assert done.returncode != 0
    assert "fairness of prices" in done.stderr
    ((state, version, versions, _),) = served(copy)
    assert state in ("last_published", "baseline")
    assert versions == [version]
    assert version != challenger(copy)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("promote", OLD), "Give a reason"),
        (("promote", "nonsense", "--reason", "x"), "there is no stored model 'nonsense'"),
        (("promote", OLD, "--reason", "x", "--week", "soon"), "'soon' is not a week"),
        (("promote", OLD, "--reason", "x", "--week", "2018-10-17"), "hm build --week 2018-10-17"),
        (("rollback", "--to", UNTESTED), "was never published and has never passed its tests"),
        (("rollback", "--to", f"{LAST}-bbbbbbbbbb"), "there is no stored model"),
    ],
)
def test_a_wrong_argument_ends_with_one_clear_line_and_changes_nothing(
    copy: Path, command: tuple[str, ...], says: str
) -> None:
    before = (copy / "warehouse.duckdb").read_bytes()
    assert says in one_line(run(copy, "hm", *command))
    assert (copy / "warehouse.duckdb").read_bytes() == before


def test_an_empty_home_has_no_models(tmp_path: Path) -> None:
    home = tmp_path / "data"
    assert "run `hm build`" in one_line(run(home, "hm", "models"))
    assert "run `hm build`" in one_line(run(home, "hm", "rollback", "--to", OLD))
    assert "run `hm build`" in one_line(run(home, "hm", "promote", OLD, "--reason", "x"))
