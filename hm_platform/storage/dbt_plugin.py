"""Opens the warehouse for dbt in the way in which the rest of the platform opens it.

A dbt-duckdb plugin, named in ``profiles.yml``: it waits while another process holds the warehouse
and gives DuckDB the platform's connection settings. Nothing else belongs here.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbt.adapters.duckdb.plugins import BasePlugin

from hm_platform.machine import dbt_memory_limit, duckdb_config
from hm_platform.storage import warehouse

if TYPE_CHECKING:
    from dbt.adapters.duckdb.credentials import DuckDBCredentials
    from duckdb import DuckDBPyConnection


class Plugin(BasePlugin):
    """Waits for the warehouse before dbt-duckdb connects to it."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        self._waiting = ExitStack()

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        """Take the warehouse, and hold it until dbt's own connection to it is open.

        Two connections of one process share the file, so holding it leaves no moment in which a
        third process could take it. Raises WarehouseError when it stays taken.
        """
        config.update(duckdb_config())
        self._waiting.enter_context(warehouse.connect(Path(creds.path)))

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Let go: dbt's connection is open. Until then the configurations have to be the same."""
        self._waiting.close()
        conn.execute(f"SET memory_limit = {dbt_memory_limit()}")
