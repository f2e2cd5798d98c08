"""What the two workflows have built, each typed command by command in a clone of its own.

Both build the same made-up shop: ci.yml on this machine, weekly.yml in a bucket.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.ci.workflows import (
    BUCKET,
    CI,
    KEYS,
    PREFIX,
    SHOP,
    WEEKLY,
    Clone,
    commands,
    steps,
    typed,
)
from tests.s3.proxy import Fault, Proxy, running
from tests.s3.server import serving


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which every command of the job `week` has been typed."""
    clone = Clone.at(tmp_path_factory.mktemp("clone"))
    for command in commands(CI, "week"):
        done = clone.run(command, CI["env"], CI["jobs"]["week"].get("env"))
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return clone


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    """A proxy before a server that speaks S3, which does now and then what networks and busy
    servers do."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with serving() as server, running(server) as proxy:
        for method, fault, skip in FAULTS:
            proxy.on(method, rf"/{PREFIX}/.*parquet", fault, times=2, skip=skip)
        yield proxy


FAULTS = [
    ("GET", Fault(answer=(503, "SlowDown")), 5),
    ("GET", Fault(drop=True), 20),
    ("GET", Fault(cut_after=100), 40),
    ("GET", Fault(reset_after=100), 60),
    ("PUT", Fault(answer=(503, "SlowDown")), 3),
    ("PUT", Fault(lose=True), 12),
    ("PUT", Fault(drop=True), 20),
    ("HEAD", Fault(answer=(503, "SlowDown")), 2),
]
"""Method, what is done to two requests for tables, and how many are left alone before."""


@pytest.fixture(scope="module")
def endpoint(proxy: Proxy) -> str:
    return proxy.endpoint


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
    landed = clone.run(SHOP, build["env"])
    assert landed.returncode == 0, landed.stderr
    return clone


@pytest.fixture(scope="module")
def in_bucket(clone: Clone) -> Clone:
    """The same, when every command of weekly.yml has been typed."""
    for done in typed(clone):
        assert done.returncode == 0, done.stderr[-3000:]
    return clone
