"""DuckDB connections that read a bucket, through DuckDB's httpfs extension."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import duckdb

from hm_platform.machine import in_memory_config
from hm_platform.storage.s3.bucket import Bucket
from hm_platform.storage.s3.errors import ChangedObjectError, S3Error
from hm_platform.storage.tables import Slice, literal, quoted

HTTP_SETTINGS = {
    "http_retries": 8,
    "http_retry_wait_ms": 200,
    "http_retry_backoff": 2,
    "http_timeout": 60,
    "parquet_metadata_cache": True,
}
"""How patient DuckDB is with a bucket: milliseconds, and seconds for an answer."""


@contextmanager
def connect(bucket: Bucket) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with no tables, that may read and write the bucket."""
    with duckdb.connect(config=in_memory_config()) as connection:
        open_bucket(connection, bucket)
        yield connection


def open_bucket(connection: duckdb.DuckDBPyConnection, bucket: Bucket) -> None:
    """Let a connection read and write the bucket, with the credentials that boto3 finds.

    Raises S3Error when there are none, or no httpfs extension.
    """
    load_httpfs(connection)
    # What httpfs takes from the environment by itself would be there for everybody to see.
    for name in ("s3_access_key_id", "s3_secret_access_key", "s3_session_token"):
        connection.execute(f"SET {name} = ''")
    for name, value in HTTP_SETTINGS.items():
        connection.execute(f"SET {name} = {value}")
    renew_secret(connection, bucket)


def renew_secret(connection: duckdb.DuckDBPyConnection, bucket: Bucket) -> None:
    """Let a connection go on with the credentials that boto3 has now: those of a role expire.

    Raises S3Error when there are none.
    """
    try:
        connection.execute(f"CREATE OR REPLACE SECRET bucket ({_secret(bucket)})")
    except duckdb.Error as error:
        # DuckDB's own message may quote the statement, and with it the keys.
        raise S3Error(f"DuckDB cannot use {bucket}: {type(error).__name__}") from None


def load_httpfs(connection: duckdb.DuckDBPyConnection) -> None:
    """Load DuckDB's httpfs: from the Python package that brings it, or as DuckDB finds it."""
    packaged = importlib.util.find_spec("duckdb_extension_httpfs")
    try:
        if packaged is not None and packaged.origin is not None:
            folder = Path(packaged.origin).parent / "extensions" / f"v{duckdb.__version__}"
            connection.load_extension(str(folder / "httpfs.duckdb_extension"))
        else:
            connection.install_extension("httpfs")
            connection.load_extension("httpfs")
    except duckdb.Error as error:
        raise S3Error(
            f"DuckDB's httpfs extension cannot be loaded: install it with "
            f"`pip install duckdb-extension-httpfs=={duckdb.__version__}` ({error})"
        ) from None


def _secret(bucket: Bucket) -> str:
    client = bucket.client
    address = urlsplit(client.meta.endpoint_url)
    options = {"TYPE": "s3", "PROVIDER": "config", "REGION": literal(client.meta.region_name)}
    with bucket.told("open"):
        credentials = bucket.session.get_credentials()
        keys = credentials.get_frozen_credentials() if credentials else None
    if keys is None:
        raise S3Error("there are no AWS credentials: set AWS_ACCESS_KEY_ID or AWS_PROFILE")
    options |= {"KEY_ID": literal(keys.access_key), "SECRET": literal(keys.secret_key)}
    if keys.token:
        options["SESSION_TOKEN"] = literal(keys.token)
    if bucket.endpoint:
        path = address.path.rstrip("/")
        options |= {
            "ENDPOINT": literal(f"{address.netloc}{path}"),
            "URL_STYLE": literal("path"),
            "USE_SSL": str(address.scheme == "https").lower(),
        }
    return ", ".join(f"{name} {value}" for name, value in options.items())


def view(
    connection: duckdb.DuckDBPyConnection, source: Slice, uris: Sequence[str], shape: str
) -> None:
    """Name these Parquet objects by the table's name.

    shape : an object with all columns that the table has
    """
    parts = []
    if uris:
        listed = ", ".join(map(literal, uris))
        # Weeks that were written before a column was added do without it.
        by_name = ", union_by_name=true" if len(uris) > 1 else ""
        parts.append(f"SELECT * FROM read_parquet([{listed}]{by_name})")
    if shape not in uris:
        parts.append(f"SELECT * FROM read_parquet([{literal(shape)}]) WHERE false")
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(source.schema)}")
    connection.execute(
        f"CREATE OR REPLACE VIEW {source.name} AS {' UNION ALL BY NAME '.join(parts)}"
    )


@contextmanager
def told(bucket: Bucket) -> Iterator[None]:
    """Raise as S3Error what DuckDB raises when it cannot read the bucket."""
    try:
        yield
    except (duckdb.HTTPException, duckdb.IOException) as error:
        first = str(error).partition("\n")[0]
        refused = any(f"HTTP {status}" in first for status in (400, 401, 403))
        advice = "check the AWS credentials and AWS_REGION" if refused else "run this again"
        raise S3Error(f"cannot read from {bucket}: {first}; {advice}") from None
    except UnicodeDecodeError:
        # DuckDB's message for an object with another ETag than before, which holds its bytes.
        raise ChangedObjectError(
            f"cannot read from {bucket}: somebody replaced an object of it at the same time; run "
            "this again"
        ) from None
