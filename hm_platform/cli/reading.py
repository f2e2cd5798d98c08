"""How commands read the warehouse: read-only, waiting a little for a build that is writing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import duckdb

from hm_platform.errors import PlatformError
from hm_platform.settings import Settings
from hm_platform.storage import warehouse


class NothingPublishedError(PlatformError):
    """A command asks for recommendations that are not there."""


@contextmanager
def reading(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse, read-only. Raises WarehouseError when it stays in use or is not there."""
    with warehouse.connect(settings.warehouse, read_only=True, wait_s=60) as connection:
        yield connection


def published_week(
    connection: duckdb.DuckDBPyConnection, settings: Settings, week: str | None
) -> date:
    """The week to show: ``week``, or the latest that has recommendations.

    Raises NothingPublishedError when there is none, CalendarError when ``week`` is no week.
    """
    weeks: list[date] = []
    if warehouse.table_exists(connection, "serving", "publications"):
        found = connection.execute("SELECT week FROM serving.publications ORDER BY week").fetchall()
        weeks = [row[0] for row in found]
    if not weeks:
        raise NothingPublishedError("nothing is published yet: run `hm build` first")
    if week is None:
        return weeks[-1]
    wanted = settings.calendar.parse(week)
    if wanted not in weeks:
        raise NothingPublishedError(
            f"nothing is published for week {week}: run `hm build --week {week}` "
            f"(published: {', '.join(map(str, weeks[-5:]))})"
        )
    return wanted
