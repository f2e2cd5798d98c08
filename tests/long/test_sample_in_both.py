"""The real sample, built on this machine and in a bucket: the same bytes. Then a file that is
dropped into the landing zone of the bucket, beside a running daemon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import pytest
from dagster import DagsterInstance

from hm_platform.calendar import WEEK
from hm_platform.storage.s3.bucket import Bucket
from hm_platform.storage.s3.tables import S3Tables
from hm_platform.storage.tables import Slice
from tests.s3.comparing import assert_same_models_and_pages, assert_same_tables
from tests.s3.server import serving_at

pytestmark = pytest.mark.long
BIN = Path(sys.executable).parent
KEYS = ("nobody", "nobodys-key")
PATIENCE_S = 1800
BUILT = date(2017, 12, 18)
NEWEST = f"{BUILT + WEEK}.parquet"
IN_BUCKET = f"landing/transactions/{NEWEST}"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serving_at() as address:
        yield address


@pytest.fixture(scope="module")
def bucket(endpoint: str) -> Bucket:
    def session() -> Any:
        return boto3.session.Session(*KEYS, region_name="us-east-1")

    found = Bucket("shop", "hm", endpoint, session)
    found.client.create_bucket(Bucket=found.name)
    return found


def environment(home: Path, bucket: Bucket | None = None) -> dict[str, str]:
    found = {k: v for k, v in os.environ.items() if not k.startswith(("HM_", "DAGSTER"))}
    found["HM_HOME"] = str(home)
    if bucket is not None:
        found |= {
            "HM_STORAGE": "s3", "HM_S3_BUCKET": bucket.name, "HM_S3_PREFIX": bucket.prefix,
            "HM_S3_ENDPOINT": bucket.endpoint, "HM_LANDING": f"s3://{bucket.name}/landing",
            "HM_LANDING_QUIET_SECONDS": "5", "AWS_ACCESS_KEY_ID": KEYS[0],
            "AWS_SECRET_ACCESS_KEY": KEYS[1], "AWS_REGION": "us-east-1",
        }  # fmt: skip
    return found


def demo(home: Path, bucket: Bucket | None = None) -> Path:
    """What `make demo` types, before the purchases of the newest week have come."""
    home.mkdir(parents=True)

    def run(*command: str) -> None:
        done = subprocess.run(
            [BIN / "hm", *command], env=environment(home, bucket), cwd=home.parent,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]

    run("land", "complete-journey")
    held_back = home / NEWEST
    if bucket is None:
        (home / "landing" / "transactions" / NEWEST).rename(held_back)
    else:
        bucket.client.download_file(bucket.name, IN_BUCKET, str(held_back))
        bucket.client.delete_object(Bucket=bucket.name, Key=IN_BUCKET)
    run("build")
    return home


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo(tmp_path_factory.mktemp("here") / "data")


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory, bucket: Bucket) -> Path:
    return demo(tmp_path_factory.mktemp("there") / "data", bucket)


def test_the_sample_is_the_same_in_both_and_a_dropped_file_is_published(
    here: Path, there: Path, bucket: Bucket
) -> None:
    assert not (there / "warehouse.duckdb").exists()
    published = S3Tables(bucket).read(Slice("serving", "recommendations"))
    assert len(published) > 12 * 2000
    assert_same_tables(here / "warehouse.duckdb", bucket)
    assert_same_models_and_pages(here, bucket)

    with daemon(there, bucket) as (process, log):
        wait_until(lambda: "everything is up to date" in log.read_text(), process, log)
        before = len(runs(there))
        bucket.client.upload_file(str(there / NEWEST), bucket.name, IN_BUCKET)
        wait_until(
            lambda: any(
                state == "FAILURE" or (job, state) == ("build_week", "SUCCESS")
                for job, state in runs(there)[before:]
            ),
            process,
            log,
        )
    assert [job for job, _ in runs(there)[before:] if job != "refresh_landing"] == [
        "load_weeks",
        "build_week",
    ]
    assert {state for _, state in runs(there)[before:]} == {"SUCCESS"}
    new = (BUILT + WEEK, BUILT + 2 * WEEK)
    tables = S3Tables(bucket)
    assert tables.count(Slice("marts", "joined_transactions", new)) > 0
    assert tables.count(Slice("serving", "recommendations", new)) > 12 * 2000


@contextmanager
def daemon(home: Path, bucket: Bucket) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Dagster's daemon, as `make ui` runs it, and its log."""
    log = home.parent / "daemon.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [BIN / "dagster-daemon", "run", "-m", "hm_platform.definitions"],
            env={**environment(home, bucket), "DAGSTER_HOME": str(home / "dagster")},
            cwd=home.parent, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        yield process, log
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def runs(home: Path) -> list[tuple[str, str]]:
    """Job and state of all runs, the first first; of those that have ended or not."""
    with DagsterInstance.from_config(str(home / "dagster")) as instance:
        return [(each.job_name, each.status.value) for each in list(instance.get_runs())[::-1]]


def wait_until(true: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while not true():
        assert process.poll() is None, log.read_text()[-4000:]
        assert time.monotonic() < until, log.read_text()[-4000:]
        time.sleep(1)
