"""Credentials come the AWS way, for boto3 and for DuckDB, and are nowhere to be seen."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pytest
from dagster import DagsterInstance, asset, materialize

from hm_platform.resources import build_storage
from hm_platform.settings import Settings
from hm_platform.storage.io_managers import ArrowIOManager
from hm_platform.storage.s3.bucket import Bucket
from hm_platform.storage.s3.resource import S3Storage
from hm_platform.storage.s3.tables import S3Tables
from hm_platform.storage.tables import Slice
from tests.s3.fixtures import KEY_ID, SECRET_KEY, SECRETS, TOKEN
from tests.s3.proxy import Proxy
from tests.storage.weekly import ALL, put, values

ROLE_KEY = "ASIAFAKEKEYOFTHEROLE"


class _Role(BaseHTTPRequestHandler):
    """Answers as the services do that give a container or a machine its role's credentials."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def do_PUT(self) -> None:
        self._answer(b"a-token-for-the-metadata-service")

    def do_GET(self) -> None:
        if self.path == "/latest/meta-data/iam/security-credentials/":
            self._answer(b"the-role")
            return
        until = datetime.now(UTC) + timedelta(hours=6)
        credentials = {
            "Code": "Success",
            "AccessKeyId": ROLE_KEY,
            "SecretAccessKey": SECRET_KEY,
            "Token": TOKEN,
            "Expiration": f"{until:%Y-%m-%dT%H:%M:%SZ}",
            "LastUpdated": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "Type": "AWS-HMAC",
        }
        self._answer(json.dumps(credentials).encode())

    def _answer(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def role() -> Iterator[str]:
    """The address of a service that gives out credentials."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Role)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def nobody(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)


def signed_with(bucket: Bucket, proxy: Proxy) -> set[tuple[str, str]]:
    """Keys and tokens of all requests of a write, a read, and a read in SQL."""
    tables = S3Tables(Bucket(bucket.name, bucket.prefix, proxy.endpoint))
    put(tables, 0, [1])
    assert values(tables) == [1]
    with tables.sql(ALL) as connection:
        assert connection.execute("SELECT x FROM marts.t").fetchall() == [(1,)]
    assert any("duckdb" in each.headers.get("user-agent", "") for each in proxy.requests)
    return {(each.key_id, each.headers.get("x-amz-security-token", "")) for each in proxy.requests}


def test_by_environment(bucket: Bucket, proxy: Proxy) -> None:
    assert signed_with(bucket, proxy) == {(KEY_ID, TOKEN)}


def test_by_profile(
    bucket: Bucket, proxy: Proxy, nobody: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "credentials"
    path.write_text(
        f"[shop]\naws_access_key_id = AKIAOFTHEPROFILE\naws_secret_access_key = {SECRET_KEY}\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    monkeypatch.setenv("AWS_PROFILE", "shop")
    assert signed_with(bucket, proxy) == {("AKIAOFTHEPROFILE", "")}


def test_by_the_role_of_a_container(
    bucket: Bucket, proxy: Proxy, nobody: None, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{role}/credentials")
    assert signed_with(bucket, proxy) == {(ROLE_KEY, TOKEN)}


def test_by_the_role_of_a_machine(
    bucket: Bucket, proxy: Proxy, nobody: None, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", role)
    assert signed_with(bucket, proxy) == {(ROLE_KEY, TOKEN)}


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_region_is_that_of_the_environment(
    bucket: Bucket, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv(name, "eu-central-1")
    signed_with(bucket, proxy)
    assert all("/eu-central-1/s3/" in each.headers["authorization"] for each in proxy.requests)


def test_addresses_have_the_bucket_in_the_path(bucket: Bucket, proxy: Proxy) -> None:
    signed_with(bucket, proxy)
    host = proxy.endpoint.removeprefix("http://")
    assert all(each.path.startswith(f"/{bucket.name}") for each in proxy.requests)
    assert all(each.headers["host"] == host for each in proxy.requests)


def test_a_run_holds_no_credentials(
    bucket: Bucket, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture
) -> None:
    settings = Settings(
        home=tmp_path, storage="s3", s3_bucket=bucket.name, s3_endpoint=bucket.endpoint
    )
    storage = build_storage(settings)
    assert isinstance(storage, S3Storage)

    @asset(key=["features", "rows"])
    def made() -> pa.Table:
        return pa.table({"x": [1, 2]})

    instance = DagsterInstance.ephemeral()
    tables = ArrowIOManager(storage=storage)
    result = materialize([made], resources={"io_manager": tables}, instance=instance)
    assert result.success
    assert storage.tables.read(Slice("features", "rows")).num_rows == 2
    records = instance.all_logs(result.run_id)
    assert records
    told = [caplog.text, *capfd.readouterr(), repr(settings), repr(storage), repr(records)]
    told += [repr(storage.s3.get_client().meta.config), str(storage.model_dump())]
    assert not any(secret in text for text in told for secret in SECRETS)
