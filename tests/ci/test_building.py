"""The commands that build a small week, as they stand in ci.yml; and what makes them fail."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from tests.ci.workflows import Clone, commands, steps, workflow

CI = workflow("ci")
WEEK = "2018-11-07"
MATERIALIZE = ".venv/bin/dagster asset materialize -m hm_platform.definitions"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which every command of the job `week` has been typed."""
    clone = Clone.at(tmp_path_factory.mktemp("clone"))
    for command in commands(CI, "week"):
        done = clone.run(command, CI["env"], CI["jobs"]["week"].get("env"))
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return clone


@pytest.fixture
def copy(built: Clone, tmp_path: Path) -> Clone:
    """The same, where a test may break something."""
    shutil.copytree(built.path, tmp_path / "copy", symlinks=True)
    return Clone(tmp_path / "copy")


def rows(clone: Clone, sql: str) -> list[tuple]:
    with duckdb.connect(clone.path / "data" / "warehouse.duckdb", read_only=True) as db:
        return db.execute(sql).fetchall()


def test_the_week_is_published_and_its_report_is_where_it_is_uploaded_from(built: Clone) -> None:
    (upload,) = (step for step in steps(CI, "week") if "upload-artifact" in step.get("uses", ""))
    report = built.path / upload["with"]["path"]
    assert report.name == f"{WEEK}.html"
    assert "</html>" in report.read_text()
    assert rows(built, "SELECT week::VARCHAR, state FROM serving.publications") == [
        (WEEK, "passed")
    ]
    everyone = rows(built, "SELECT count(*) * 12 FROM staging.stg_customers")
    assert rows(built, "SELECT count(*) FROM serving.recommendations") == everyone
    (manifest,) = (built.path / "data" / "models" / "recommender").glob(f"{WEEK}-*/manifest.json")
    assert "ranker" in manifest.read_text()
    assert rows(built, "SELECT count(*) FROM marts.loaded_weeks") == [(8,)]


def test_it_ends_non_zero_when_an_asset_fails(built: Clone) -> None:
    done = built.run(f"{MATERIALIZE} --select key:datasets/train --partition 2018-12-26")
    assert done.returncode != 0
    assert "DatasetError" in done.stderr


def test_it_ends_non_zero_when_a_dbt_test_fails(copy: Clone) -> None:
    # A check that blocks; one in Python does the same in tests/cli/test_serving.py.
    with duckdb.connect(copy.path / "data" / "warehouse.duckdb") as db:
        db.execute("INSERT INTO raw.articles SELECT * FROM raw.articles LIMIT 1")
    done = copy.run(f"{MATERIALIZE} --select key:staging/stg_articles")
    assert done.returncode != 0
    assert "'stg_articles_article_id_unique' on 'staging/stg_articles' did not pass" in done.stderr
