"""DuckDB connections that read a bucket, through DuckDB's httpfs extension."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import duckdb

from hm_platform.storage.s3.bucket import Bucket
from hm_platform.storage.s3.errors import S3Error
from hm_platform.storage.tables import Slice, literal, quoted
from hm_platform.storage.warehouse import connection_settings


@contextmanager
def connect(bucket: Bucket) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with no tables, that may read and write the bucket."""
    with duckdb.connect(config=duckdb_settings()) as connection:
        open_bucket(connection, bucket)
        yield connection


def duckdb_settings() -> dict[str, str | bool | int | float | list[str]]:
    """For a DuckDB in memory: what has no room there goes to a folder of this process."""
    spill = Path(tempfile.gettempdir(), f"hm_platform-{os.getpid()}")
    return {**connection_settings(), "temp_directory": str(spill)}


def open_bucket(connection: duckdb.DuckDBPyConnection, bucket: Bucket) -> None:
    """Let a connection read and write the bucket, with the credentials that boto3 finds.

    Raises S3Error when there are none, or no httpfs extension.
    """
    load_httpfs(connection)
    for setting in ("http_retries = 8", "http_retry_wait_ms = 200", "http_retry_backoff = 2",
                    "http_timeout = 60", "parquet_metadata_cache = true"):  # fmt: skip
        connection.execute(f"SET {setting}")
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
    connection: duckdb.DuckDBPyConnection, source: Slice, uris: Sequence[str], *, empty: bool
) -> None:
    """Name these Parquet objects by the table's name.

    empty : whether the table is to have the columns alone
    """
    listed = ", ".join(map(literal, uris))
    # Weeks that were written before a column was added do without it.
    by_name = ", union_by_name=true" if len(uris) > 1 else ""
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(source.schema)}")
    connection.execute(
        f"CREATE OR REPLACE VIEW {source.name} AS "
        f"SELECT * FROM read_parquet([{listed}]{by_name}){' WHERE false' if empty else ''}"
    )
