"""How commands read tables: read-only, waiting a little for a build that is writing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import duckdb

from hm_platform.errors import PlatformError
from hm_platform.settings import Settings
from hm_platform.storage.places import storage_of
from hm_platform.storage.tables import Slice


class NothingPublishedError(PlatformError):
    """A command asks for recommendations that are not there."""


@contextmanager
def reading(settings: Settings, *sources: Slice) -> Iterator[duckdb.DuckDBPyConnection]:
    """These slices, to ask in SQL. Raises TableError when they stay in use or are not there."""
    with storage_of(settings).tables.sql(*sources) as connection:
        yield connection


def published_week(settings: Settings, week: str | None) -> date:
    """The week to show: ``week``, or the latest that has recommendations.

    Raises NothingPublishedError when there is none, CalendarError when ``week`` is no week.
    """
    tables = storage_of(settings).tables
    rows = None
    if not tables.is_empty():
        publications = Slice("serving", "publications", columns=["week"])
        (rows,) = tables.read_each(publications, wait_s=60)
    weeks = sorted(rows["week"].to_pylist()) if rows else []
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
