"""The plugin that opens the warehouse for dbt, as Dagster's own process uses it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from dbt.adapters.duckdb.credentials import DuckDBCredentials, PluginConfig
from dbt.adapters.duckdb.environments import create

from tests.dbt.project import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_dagster_looks_at_the_warehouse_and_lets_it_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dagster", sys)
    path = tmp_path / "warehouse.duckdb"
    credentials = DuckDBCredentials(
        path=str(path),
        database="warehouse",
        # What dagster-dbt sets before it connects.
        config_options={"access_mode": "READ_ONLY"},
        module_paths=[str(REPOSITORY / "dbt" / "plugins")],
        plugins=[PluginConfig(module="hm_warehouse")],
    )
    environment = create(credentials)
    for _ in range(2):
        handle = environment.handle()
        assert handle.cursor().execute("SELECT 1").fetchone() == (1,)
        assert not can_be_opened_elsewhere(path)
        handle.close()
        assert can_be_opened_elsewhere(path)


def can_be_opened_elsewhere(path: Path) -> bool:
    command = f"import duckdb; duckdb.connect({str(path)!r})"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, check=False)
    return done.returncode == 0
