"""dbt opens the warehouse as the rest of the platform does: it waits while somebody else has it."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import duckdb
from dbt.adapters.duckdb.credentials import DuckDBCredentials, PluginConfig
from dbt.adapters.duckdb.environments import create

if TYPE_CHECKING:
    from pathlib import Path

HOLD = (
    "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print('held', flush=True); "
    "time.sleep(1.5)"
)


def test_dbt_waits_for_the_warehouse_and_lets_it_go(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    duckdb.connect(path).close()
    credentials = DuckDBCredentials(
        path=str(path),
        database="warehouse",
        plugins=[PluginConfig(module="hm_platform.storage.dbt_plugin")],
    )
    credentials.keep_open = False
    environment = create(credentials)
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE) as held:
        assert held.stdout is not None
        held.stdout.readline()
        started = time.monotonic()
        handle = environment.handle()
        assert time.monotonic() - started > 0.5
    assert handle.cursor().execute("SELECT 1").fetchone() == (1,)
    handle.close()
    # Read-only is refused as long as this process has it open for writing.
    duckdb.connect(path, read_only=True).close()
