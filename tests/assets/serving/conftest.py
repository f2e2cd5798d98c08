from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from dagster import DagsterInstance

from tests.assets.serving.shop import Shop, tables
from tests.serving.conftest import stored

__all__ = ["stored"]


@pytest.fixture(scope="session")
def made() -> dict[str, pa.Table]:
    return tables()


@pytest.fixture
def shop(tmp_path: Path, stored: Path, made: dict[str, pa.Table]) -> Iterator[Shop]:
    with DagsterInstance.ephemeral() as instance:
        shop = Shop(tmp_path, instance)
        shop.set_up(stored, made)
        yield shop
