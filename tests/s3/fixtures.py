"""Fixtures for what needs an S3 server; a folder of tests imports those that it needs into its
conftest."""

from __future__ import annotations

import itertools
import logging
import os
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import boto3
import botocore.endpoint
import moto.s3.models
import pytest

from hm_platform.storage.s3 import bucket as bucket_module
from hm_platform.storage.s3 import tables as tables_module
from hm_platform.storage.s3.bucket import Bucket
from tests.s3.proxy import Proxy, running
from tests.s3.server import serving

KEY_ID = "AKIAFAKEKEYFORTESTS0"
SECRET_KEY = "FakeSecretThatMustNeverBeToldAnyone/+0000"  # noqa: S105
TOKEN = "FakeSessionTokenThatMustNeverBeToldAnyone=="  # noqa: S105
SECRETS = (KEY_ID, SECRET_KEY, TOKEN)
"""What no message, log or description may hold."""

PREFIX = "shop/production"


@pytest.fixture(scope="session")
def server() -> Iterator[tuple[str, int]]:
    """Host and port of an S3 server on loopback."""
    with serving() as address:
        yield address


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials that are nobody's, and none of the person who runs the tests."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)


def environment(folder: Path) -> dict[str, str]:
    """What a process has to have in its environment to reach the server, and nothing else."""
    return {
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_SESSION_TOKEN": TOKEN,
        "AWS_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(folder / "no-aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-aws-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@cache
def session() -> boto3.session.Session:
    """One for all tests: what boto3 knows of S3 takes long to read."""
    return boto3.session.Session(KEY_ID, SECRET_KEY, TOKEN, "us-east-1")


@pytest.fixture
def bucket(server: tuple[str, int], aws: None) -> Iterator[Bucket]:
    """A bucket of its own for each test, reached without the proxy."""
    # The server's log of requests, which others may want to read.
    told = logging.getLogger("werkzeug")
    before = told.level or logging.INFO
    told.setLevel(logging.ERROR)
    endpoint = f"http://{server[0]}:{server[1]}"
    made = Bucket(f"hm-{uuid.uuid4().hex[:16]}", PREFIX, endpoint, session)
    made.client.create_bucket(Bucket=made.name)
    yield made
    told.setLevel(before)


@pytest.fixture
def proxy(server: tuple[str, int]) -> Iterator[Proxy]:
    """A proxy before the server, which does nothing until it is told to."""
    with running(server) as proxy:
        yield proxy


@pytest.fixture
def remote(bucket: Bucket, proxy: Proxy) -> Bucket:
    """The same bucket, reached through the proxy."""
    return Bucket(bucket.name, bucket.prefix, proxy.endpoint, session)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Has nobody wait between two attempts; the seconds that they would have waited."""
    waited: list[float] = []
    stub = SimpleNamespace(sleep=waited.append)
    monkeypatch.setattr(botocore.endpoint, "time", stub)
    monkeypatch.setattr(bucket_module, "time", stub)
    return waited


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has each object written a second after the one before: S3 counts time in seconds."""
    start, ticks = datetime(2020, 1, 1), itertools.count()  # noqa: DTZ001
    monkeypatch.setattr(moto.s3.models, "utcnow", lambda: start + timedelta(seconds=next(ticks)))


@pytest.fixture
def unswept(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has looked for broken uploads nowhere yet."""
    monkeypatch.setattr(tables_module, "_swept", set())
