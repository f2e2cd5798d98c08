"""The commands that build a small week, as they stand in the workflows: on this machine and in a
bucket, with the same result; and what makes them fail."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pytest
from dagster import DagsterInstance

from hm_platform.costs import read_costs
from hm_platform.storage.s3.bucket import Bucket
from tests.ci.workflows import BUCKET, CI, KEYS, PREFIX, Clone, steps, typed
from tests.s3.comparing import assert_same_models_and_pages, assert_same_tables
from tests.s3.proxy import Proxy

WEEK = "2018-11-07"
MATERIALIZE = ".venv/bin/dagster asset materialize -m hm_platform.definitions"


@pytest.fixture
def stored(in_bucket: Clone, endpoint: str) -> Bucket:
    """The bucket that weekly.yml has built in."""

    def session() -> Any:
        return boto3.session.Session(*KEYS.values(), region_name="us-east-1")

    return Bucket(BUCKET, PREFIX, endpoint, session)


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


def test_the_week_is_built_in_the_bucket_and_nothing_but_a_cache_is_left_here(
    in_bucket: Clone, stored: Bucket
) -> None:
    keys = {each.key for each in stored.list()}
    assert {f"reports/{WEEK}.html", f"serving/recommendations/{WEEK}.parquet"} <= keys
    here = {path.name for path in (in_bucket.path / "data").iterdir()}
    assert not here & {"warehouse.duckdb", "reports", "models", "landing"}


def test_the_build_in_the_bucket_has_borne_all_faults(in_bucket: Clone, proxy: Proxy) -> None:
    assert [(rule.method, rule.happened) for rule in proxy.rules] == [
        (rule.method, 2) for rule in proxy.rules
    ]


def test_every_asset_of_the_week_says_what_it_has_cost(in_bucket: Clone) -> None:
    with DagsterInstance.from_config(str(in_bucket.path / "data" / "dagster")) as instance:
        costs = {cost.asset: cost for cost in read_costs(instance).of(date.fromisoformat(WEEK))}
    assert {"marts/joined_transactions", "models/recommender", "serving/publications"} <= set(costs)
    for cost in costs.values():
        assert None not in (cost.seconds, cost.bytes_read, cost.bytes_written), cost
        assert (cost.peak_memory_bytes or 0) > 10e6, cost
    dbt = [cost for cost in costs.values() if cost.group == "marts"]
    assert sum(cost.bytes_read for cost in dbt) > 10_000
    assert sum(cost.bytes_written for cost in dbt) > 10_000


def test_every_row_of_every_table_is_the_same_in_both(built: Clone, stored: Bucket) -> None:
    # Only one of the workflows asks for the table of what people have decided, which is nothing.
    assert_same_tables(built.path / "data" / "warehouse.duckdb", stored, ("serving", "decisions"))


def test_models_and_pages_are_the_same_in_both(built: Clone, stored: Bucket) -> None:
    assert_same_models_and_pages(built.path / "data", stored)


@pytest.mark.parametrize(
    ("contexts", "says"),
    [
        ({"inputs.week": "soon"}, "'soon' is not a week"),
        # What is not set is empty.
        ({"vars.HM_S3_BUCKET": ""}, "HM_STORAGE=s3 needs HM_S3_BUCKET"),
        ({"vars.HM_LANDING": ""}, "HM_LANDING=''"),
        (dict.fromkeys(KEYS, ""), "credentials"),
    ],
)
def test_it_ends_non_zero_and_says_what_is_wrong(
    clone: Clone, contexts: dict[str, str], says: str
) -> None:
    done = typed(clone, contexts)[-1]
    assert done.returncode != 0
    (said,) = (line for line in done.stderr.splitlines() if line.startswith("hm: "))
    assert says in said
