"""The commands of weekly.yml, typed at a clone whose bucket is on a server on this machine."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pyarrow.parquet as pq
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from tests.ci.workflows import Clone, steps, workflow

WEEKLY = workflow("weekly")
BUCKET, PREFIX = "my-shop", "hm/production"
WEEK = "2018-10-03"
KEYS = {"secrets.AWS_ACCESS_KEY_ID": "nobody", "secrets.AWS_SECRET_ACCESS_KEY": "nobodys-key"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def s3(endpoint: str) -> Any:
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="nobody",
        aws_secret_access_key="nobodys-key",  # noqa: S106
        config=Config(proxies={}),
    )
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, endpoint: str, s3: Any) -> Clone:
    """A clone with the variables and secrets of docs/ci.md set; its files have landed in the
    bucket."""
    path = tmp_path_factory.mktemp("clone")
    variables = {
        "vars.HM_S3_BUCKET": BUCKET,
        "vars.HM_S3_PREFIX": PREFIX,
        "vars.HM_S3_ENDPOINT": endpoint,
        "vars.HM_LANDING": f"s3://{BUCKET}/landing",
    }
    clone = Clone.at(path, {**variables, **KEYS})
    build = next(step for step in steps(WEEKLY, "build") if step.get("name") == "Build")
    landed = clone.run(".venv/bin/hm land synthetic --customers 100 --weeks 3", build["env"])
    assert landed.returncode == 0, landed.stderr
    return clone


def typed(clone: Clone, contexts: Mapping[str, str] | None = None) -> list[Any]:
    """What became of each command, until one fails."""
    job = WEEKLY["jobs"]["build"]
    at = Clone(clone.path, {**clone.contexts, **(contexts or {})})
    # No keys of whoever runs the tests, and none of the machine.
    nobody = {"HOME": str(clone.path), "AWS_EC2_METADATA_DISABLED": "true"}
    done = []
    for step in steps(WEEKLY, "build"):
        if "run" in step:
            said = (WEEKLY["env"], job.get("env"), step.get("env"), nobody)
            done.append(at.run(step["run"], *said))
            if done[-1].returncode:
                break
    return done


def test_the_week_is_built_in_the_bucket_and_nothing_but_a_cache_is_left_here(
    clone: Clone, s3: Any
) -> None:
    for done in typed(clone):
        assert done.returncode == 0, done.stderr[-3000:]
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=PREFIX)["Contents"]
    keys = {each["Key"].removeprefix(f"{PREFIX}/") for each in listed}
    assert f"reports/{WEEK}.html" in keys
    lists = s3.get_object(Bucket=BUCKET, Key=f"{PREFIX}/serving/recommendations/{WEEK}.parquet")
    assert pq.read_table(io.BytesIO(lists["Body"].read())).num_rows > 0
    here = {path.name for path in (clone.path / "data").iterdir()}
    assert "warehouse.duckdb" not in here
    assert "reports" not in here


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
