"""Lets dbt read and write a bucket: a dbt-duckdb plugin, named in ``profiles.yml``.

dbt works in a DuckDB in memory, in which each stored table is a view of its objects. A model is
made as a table there and stored from it, by the code that stores every other table.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.flags import get_flags

from hm_platform.storage.s3.bucket import bucket_at
from hm_platform.storage.s3.duckdb_connection import duckdb_settings, open_bucket
from hm_platform.storage.s3.tables import S3Tables
from hm_platform.storage.s3.weeks import WEEK, week_of
from hm_platform.storage.tables import BATCH_ROWS, Days, Slice, literal, quoted

if TYPE_CHECKING:
    from dbt.adapters.duckdb.credentials import DuckDBCredentials
    from dbt.adapters.duckdb.utils import TargetConfig
    from duckdb import DuckDBPyConnection


class Plugin(BasePlugin):
    """Shows dbt the tables of a bucket, and stores there what dbt makes."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        prefix = plugin_config["prefix"].strip("/")
        bucket = bucket_at(plugin_config["bucket"], prefix, plugin_config["endpoint"])
        self._tables = S3Tables(bucket)
        self._first_week = date.fromisoformat(plugin_config["first_week"])

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        config.update(duckdb_settings())

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Make a view of each stored table: of the weeks that dbt builds, when it builds some."""
        open_bucket(conn, self._tables.bucket)
        self._connection = conn
        for schema, table in self._tables.names():
            self._tables.show(conn, Slice(schema, table, self._built_days(schema, table)))

    def _built_days(self, schema: str, table: str) -> Days | None:
        flags = get_flags()
        start, end = flags.EVENT_TIME_START, flags.EVENT_TIME_END
        if not start or not end or not self._tables.is_weekly(schema, table):
            return None
        return start.date(), end.date()

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
                rows = cursor.execute(f"SELECT * FROM {made}{where}")
                self._tables.replace(target, rows.to_arrow_reader(BATCH_ROWS))
            self._tables.show(cursor, Slice(schema, table, self._built_days(schema, table)))

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
