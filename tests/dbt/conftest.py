"""dbt parses the project once for all tests, since they share its target folder and its warehouse's
path; each test starts from a copy of the same built warehouse.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass

import duckdb
import pytest

from tests.dbt.project import Dbt, Outcome, write_raw


@dataclass(frozen=True)
class Built:
    """What a first `dbt build` of everything left behind."""

    dbt: Dbt
    outcome: Outcome


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    dbt = Dbt(tmp_path_factory.mktemp("dbt"))
    with duckdb.connect(dbt.warehouse) as connection:
        write_raw(connection)
    shutil.copy(dbt.warehouse, dbt.home / "raw.duckdb")
    outcome = dbt.build()
    assert outcome.returncode == 0, outcome.output
    shutil.copy(dbt.warehouse, dbt.home / "built.duckdb")
    return Built(dbt, outcome)


@pytest.fixture
def dbt(built: Built) -> Dbt:
    """A warehouse in which everything is built."""
    shutil.copy(built.dbt.home / "built.duckdb", built.dbt.warehouse)
    return built.dbt


@pytest.fixture
def unbuilt(built: Built) -> Dbt:
    """A warehouse that has the raw tables only."""
    shutil.copy(built.dbt.home / "raw.duckdb", built.dbt.warehouse)
    return built.dbt
