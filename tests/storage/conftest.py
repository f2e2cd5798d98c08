"""What the storage tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from hm_platform.storage.local import Warehouse
from hm_platform.storage.s3.tables import S3Tables
from hm_platform.storage.tables import Tables
from tests.s3.fixtures import aws, bucket, proxy, remote, server, ticking, unswept, waits

__all__ = ["aws", "bucket", "proxy", "remote", "server", "tables", "ticking", "unswept", "waits"]


@pytest.fixture(params=["local", "s3"])
def tables(request: pytest.FixtureRequest, tmp_path: Path) -> Tables:
    """Empty tables, on each of the storages."""
    if request.param == "local":
        return Warehouse(tmp_path / "home" / "warehouse.duckdb")
    request.getfixturevalue("ticking")
    return S3Tables(request.getfixturevalue("bucket"))
