"""What is told of a bucket that cannot be reached or refuses: one line, and no credentials."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from hm_platform.storage.s3 import duckdb_connection
from hm_platform.storage.s3.bucket import ATTEMPTS, Bucket
from hm_platform.storage.s3.errors import ChangedObjectError, MissingObjectError, S3Error
from hm_platform.storage.s3.tables import S3Tables
from tests.s3.fixtures import SECRETS
from tests.s3.proxy import Fault, Proxy
from tests.storage.weekly import ALL, put, values

DOINGS: dict[str, Callable[[Bucket], object]] = {
    "list": lambda bucket: list(bucket.list()),
    "read": lambda bucket: bucket.read("k"),
    "write": lambda bucket: bucket.write("k", b"x"),
    "delete": lambda bucket: bucket.delete(["k"]),
}
METHODS = {"list": "GET", "read": "GET", "write": "PUT", "delete": "DELETE"}


def is_clear(error: BaseException) -> bool:
    """Whether it is one line, and neither it nor its traceback holds credentials."""
    told = "".join(traceback.format_exception(error))
    return "\n" not in str(error) and not any(secret in told for secret in SECRETS)


@pytest.fixture(autouse=True)
def _no_secrets_in_logs(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.INFO)
    yield
    assert not any(secret in caplog.text for secret in SECRETS)


@pytest.mark.parametrize("doing", DOINGS)
@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (403, "InvalidAccessKeyId", r"does not know these credentials .* check AWS_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", r"does not know these credentials"),
        (400, "ExpiredToken", r"credentials have expired .* get new ones"),
        (403, "RequestTimeTooSkewed", r"set the clock right"),
        (403, "AccessDenied", r"access to the bucket hm-\w+ .* is denied .* need s3:ListBucket"),
        (403, "InvalidObjectState", r"it is archived \(InvalidObjectState\): restore it"),
        (404, "NoSuchBucket", r"there is no bucket hm-\w+ at http://127\S+: make it"),
        (400, "IllegalLocationConstraintException", r"in another region.* set AWS_REGION"),
        (405, "MethodNotAllowed", r"MethodNotAllowed happened"),
    ],
)
def test_a_refusal_is_told_at_once(
    remote: Bucket, proxy: Proxy, doing: str, status: int, code: str, message: str
) -> None:
    proxy.on(METHODS[doing], "", Fault(answer=(status, code)))
    with pytest.raises(
        S3Error, match=rf"^cannot {doing} s3://hm-\w+/shop/production.*{message}"
    ) as error:
        DOINGS[doing](remote)
    assert is_clear(error.value)
    # Of a bucket elsewhere botocore asks once more where it is.
    assert len(proxy.sent(METHODS[doing])) == (2 if "Location" in code else 1)


@pytest.mark.parametrize("doing", DOINGS)
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            Fault(answer=(503, "SlowDown")),
            r"too busy at every attempt \(SlowDown\): run",
        ),
        (Fault(answer=(500, "InternalError")), r"too busy at every attempt \(InternalError\)"),
        (Fault(drop=True), r"no answer from http://127\S+ after several .*HM_S3_ENDPOINT"),
    ],
    ids=["busy", "broken", "dropped"],
)
def test_what_may_pass_is_tried_again_and_then_told(
    remote: Bucket, proxy: Proxy, waits: list[float], doing: str, fault: Fault, message: str
) -> None:
    proxy.on(METHODS[doing], "", fault)
    with pytest.raises(S3Error, match=message) as error:
        DOINGS[doing](remote)
    assert is_clear(error.value)
    assert len(proxy.sent(METHODS[doing])) == ATTEMPTS
    assert len(waits) == ATTEMPTS - 1
    assert max(waits) <= 20


def test_nobody_listening_is_told(aws: None, waits: list[float]) -> None:
    with pytest.raises(S3Error, match=r"no answer from http://127\.0\.0\.1:1 .*EndpointConnection"):
        Bucket("b", "", "http://127.0.0.1:1").read("k")


@pytest.mark.parametrize("doing", DOINGS)
def test_a_missing_bucket_is_told(bucket: Bucket, doing: str) -> None:
    missing = Bucket("hm-nobody-made-this", bucket.prefix, bucket.endpoint)
    with pytest.raises(S3Error, match="there is no bucket hm-nobody-made-this at http") as error:
        DOINGS[doing](missing)
    assert not isinstance(error.value, MissingObjectError)


def test_a_missing_bucket_has_no_tables(bucket: Bucket, unswept: None) -> None:
    tables = S3Tables(Bucket("hm-nobody-made-this", "", bucket.endpoint))
    for ask in (tables.is_empty, lambda: tables.read(ALL), lambda: put(tables, 0, [1])):
        with pytest.raises(S3Error, match="there is no bucket hm-nobody-made-this"):
            ask()


def test_an_object_that_is_not_there_is_told(bucket: Bucket) -> None:
    assert bucket.head("k") is None
    with pytest.raises(MissingObjectError, match=r"cannot read s3://\S+/k: it is not in"):
        bucket.read("k")


@pytest.mark.parametrize("status", [400, 403])
def test_a_look_that_is_refused_says_no_more_than_it_knows(
    remote: Bucket, proxy: Proxy, status: int
) -> None:
    """The answer to a HEAD has no body: an expired token is a bare 400."""
    proxy.on("HEAD", "", Fault(answer=(status, "ExpiredToken")))
    with pytest.raises(S3Error, match=rf"cannot look for .*\({status}\).*credentials"):
        remote.head("k")


def test_an_object_that_was_replaced_is_told(bucket: Bucket) -> None:
    bucket.write("k", b"old content")
    (listed,) = bucket.list()
    assert bucket.read_version(listed, 4) == b"content"
    bucket.write("k", b"new content")
    with pytest.raises(ChangedObjectError, match="somebody replaced it at the same time"):
        bucket.read_version(listed)
    bucket.delete(["k"])
    with pytest.raises(MissingObjectError):
        bucket.read_version(listed)


@pytest.mark.parametrize(
    "given", [{}, {"AWS_ACCESS_KEY_ID": "AKIAFAKEKEYFORTESTS0"}, {"AWS_PROFILE": "nobody"}], ids=str
)
def test_missing_credentials_are_told(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    tables = S3Tables(Bucket(bucket.name, "", bucket.endpoint))
    for ask in (tables.is_empty, lambda: tables.sql().__enter__()):
        with pytest.raises(S3Error, match=r"no usable AWS credentials|no AWS credentials") as error:
            ask()
        assert is_clear(error.value)


@pytest.mark.parametrize("endpoint", ["http://host:port", "http://[::1", "http://a b"])
def test_an_address_that_makes_no_sense_is_told(aws: None, endpoint: str) -> None:
    with pytest.raises(S3Error, match="HM_S3_ENDPOINT"):
        Bucket("b", "", endpoint).read("k")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(answer=(403, "AccessDenied")), "HTTP 403.*check the AWS credentials"),
        (Fault(answer=(503, "SlowDown")), "HTTP 503.*run this again"),
        (Fault(answer=(404, "NoSuchKey")), "HTTP 404.*run this again"),
    ],
    ids=["denied", "busy", "gone"],
)
def test_what_fails_in_sql_is_told(
    remote: Bucket,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    message: str,
) -> None:
    monkeypatch.setitem(duckdb_connection.HTTP_SETTINGS, "http_retries", 1)
    monkeypatch.setitem(duckdb_connection.HTTP_SETTINGS, "http_retry_wait_ms", 1)
    tables = S3Tables(remote)
    put(tables, 0, [1])
    proxy.on("GET", r"marts/t/2020-01-01\.parquet", fault)
    with pytest.raises(S3Error, match=message) as error, tables.sql(ALL) as connection:
        connection.execute("SELECT * FROM marts.t").fetchall()
    assert is_clear(error.value)


def test_descriptions_hold_no_credentials(remote: Bucket, tmp_path: Path) -> None:
    tables = S3Tables(remote)
    put(tables, 0, [1])
    assert values(tables) == [1]
    with tables.sql(ALL) as connection:
        secrets = connection.execute("FROM duckdb_secrets()").fetchall()
        settings = connection.execute("FROM duckdb_settings()").fetchall()
    for text in (str(tables), repr(tables), repr(remote), repr(settings)):
        assert not any(secret in text for secret in SECRETS)
    assert not any(secret in repr(secrets) for secret in SECRETS[1:])


def test_uploads_that_may_not_be_listed_hold_nobody_up(
    remote: Bucket, proxy: Proxy, unswept: None, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.on("GET", "uploads", Fault(answer=(403, "AccessDenied")))
    tables = S3Tables(remote)
    put(tables, 0, [1])
    assert values(tables) == [1]
    assert "have a lifecycle rule remove" in caplog.text


def test_an_upload_that_another_process_has_swept_holds_nobody_up(
    bucket: Bucket, remote: Bucket, proxy: Proxy
) -> None:
    key = f"{bucket.prefix}/marts/t/2020-01-01.parquet"
    for _ in range(2):
        bucket.client.create_multipart_upload(Bucket=bucket.name, Key=key)
    proxy.on("DELETE", "uploadId", Fault(before=lambda: bucket.sweep(timedelta(0))), times=1)
    assert remote.sweep(timedelta(0)) == 0
    assert remote.sweep(timedelta(0)) == 0
