"""Lets dbt read and write a bucket: a dbt-duckdb plugin, named in ``profiles.yml``.

dbt works in a DuckDB in memory, in which each stored table is a view of its objects. A model is
made as a table there and stored from it, by the code that stores every other table.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.flags import get_flags

from hm_platform.calendar import WEEK
from hm_platform.machine import dbt_memory_limit, in_memory_config
from hm_platform.storage.metering import TRANSFERRED, counted, note_transferred
from hm_platform.storage.s3.bucket import Object, bucket_at
from hm_platform.storage.s3.duckdb_connection import open_bucket, renew_secret
from hm_platform.storage.s3.tables import S3Tables
from hm_platform.storage.s3.weeks import is_week, week_of
from hm_platform.storage.tables import BATCH_ROWS, Days, Slice, literal, quoted

if TYPE_CHECKING:
    from dbt.adapters.duckdb.credentials import DuckDBCredentials
    from dbt.adapters.duckdb.utils import TargetConfig
    from duckdb import DuckDBPyConnection

SCHEMAS = ("raw", "staging", "marts")
"""Where dbt's sources and models lie."""


class Plugin(BasePlugin):
    """Shows dbt the tables of a bucket, and stores there what dbt makes."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        prefix = plugin_config["prefix"].strip("/")
        bucket = bucket_at(plugin_config["bucket"], prefix, plugin_config["endpoint"])
        self._tables = S3Tables(bucket)
        self._first_week = date.fromisoformat(plugin_config["first_week"])
        self._written = 0
        self._storing = Lock()

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        config.update(in_memory_config())

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Make a view of each stored table: of the weeks that dbt builds, when it builds some."""
        open_bucket(conn, self._tables.bucket)
        conn.execute(f"SET memory_limit = {dbt_memory_limit()}")
        conn.execute("CALL enable_logging('FileSystem')")
        self._connection = conn
        for (schema, table), stored in self._tables.all_objects(SCHEMAS).items():
            self._show(conn, schema, table, stored)

    def _show(
        self, conn: DuckDBPyConnection, schema: str, table: str, stored: Sequence[Object]
    ) -> None:
        flags = get_flags()
        days: Days | None = None
        if flags.EVENT_TIME_START and flags.EVENT_TIME_END and any(map(is_week, stored)):
            days = flags.EVENT_TIME_START.date(), flags.EVENT_TIME_END.date()
        self._tables.show(conn, Slice(schema, table, days), stored)

    def store(self, target_config: TargetConfig) -> None:
        """Store the relation as the table that ``config`` names, whole or week by week.

        config : schema, table; for one with weeks also ``by``, the column that they are cut by,
            and ``start`` and ``end``, the days that are built, or None for all
        """
        config = target_config.config
        schema, table, by = config["schema"], config["table"], config.get("by")
        made = str(target_config.relation)
        with self._connection.cursor() as cursor:
            slices = [Slice(schema, table)]
            if by is not None:
                days = (config["start"], config["end"]) if config["start"] else None
                weeks = self._weeks(cursor, made, Slice(schema, table, days, by))
                slices = [Slice(schema, table, (week, week + WEEK), by) for week in weeks]
            for target in slices:
                where = f" WHERE {target.where}" if target.where else ""
                rows = cursor.execute(f"SELECT * FROM {made}{where}").to_arrow_reader(BATCH_ROWS)
                self._tables.replace(target, counted(rows, self._count))
            with self._storing:
                self._note_transferred(cursor)
                renew_secret(cursor, self._tables.bucket)
            self._show(cursor, schema, table, self._tables.objects(schema, table))

    def _count(self, bytes_: int) -> None:
        self._written += bytes_

    def _note_transferred(self, cursor: DuckDBPyConnection) -> None:
        """Tell who started dbt what it has exchanged with the bucket."""
        if get_flags().TARGET_PATH is None:
            return
        read = cursor.execute(
            "SELECT coalesce(sum(bytes), 0)::BIGINT FROM duckdb_logs_parsed('FileSystem') "
            "WHERE op = 'READ' AND path LIKE 's3://%'"
        ).fetchall()
        note_transferred(Path(get_flags().TARGET_PATH) / TRANSFERRED, read[0][0], self._written)

    def _weeks(self, cursor: DuckDBPyConnection, made: str, target: Slice) -> list[date]:
        """The weeks to store: those that are built, or all that there are rows or objects of."""
        if target.days is not None:
            start, end = target.days
            return [start + WEEK * i for i in range((end - start) // WEEK)]
        stored = self._tables.objects(target.schema, target.table)
        weeks = {week_of(each) for each in stored}
        bucket = f"time_bucket(INTERVAL 7 DAY, {quoted(target.by)}, DATE "
        rows = cursor.execute(
            f"SELECT DISTINCT {bucket}{literal(str(self._first_week))})::DATE FROM {made}"
        ).fetchall()
        return sorted(weeks | {row[0] for row in rows})
