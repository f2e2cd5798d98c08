"""A landed file's row in the index: what is in the file and what became of it.

A file is ``loaded`` (its good rows are; the others are refused and counted), ``held`` (nothing of
it is loaded until it is sent again in order), a ``duplicate`` (another file has the same content,
and counts) or ``pending`` (somebody is still writing it). Of every file that is no duplicate and
can be read, ``rows = rows_loaded + rows_quarantined + rows_held``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import date

import pyarrow as pa

from hm_platform.landing.columns import LANDED_FILES_SCHEMA
from hm_platform.landing.content import HASH, Content
from hm_platform.landing.zone import is_parquet

FileRows = tuple[str, int, str]
"""A file's rows of a week: its uri, how many they are, and their fingerprint."""


@dataclass(frozen=True)
class WeekRows:
    """The rows of a file that are loaded for a week.

    fingerprint : equal as long as it is the same rows with the same numbers
    """

    week: date
    rows: int
    fingerprint: str


@dataclass(frozen=True)
class Entry:
    """A row of ``raw.landed_files``.

    content_hash, content_traits : what a look at the bytes told (see Content); None where nobody
        has looked, or the look failed
    rows : None where nobody can tell
    rows_held : rows of a file that is held back, but for refused ones
    rows_kept : rows that stay loaded from what the file held before, while it is not in order; of
        articles and customers but for those that a file in order has, too
    weeks : the rows that are loaded from it, by week; only transactions have any
    columns : name and type of the columns that it has; of a file that nobody has got to see, those
        that it had before
    lost_columns : of a file that is not loaded: columns that its data set had before and it lacks
    stamp : the file's when it was read; None where the next look has to read it again
    checked_by : fingerprint of the rules that it was checked by
    check_again_on : when a row that was dated in the future will not be any more, or to try again
        whether the file may be read
    """

    uri: str
    dataset: str
    size: int
    content_hash: str | None = None
    content_traits: tuple[str, ...] | None = None
    first_day: date | None = None
    last_day: date | None = None
    rows: int | None = None
    rows_loaded: int = 0
    rows_quarantined: int = 0
    rows_held: int = 0
    rows_kept: int = 0
    state: str = "loaded"
    reason: str | None = None
    weeks: tuple[WeekRows, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    lost_columns: tuple[str, ...] = ()
    stamp: str | None = None
    checked_by: str | None = None
    check_again_on: date | None = None

    @property
    def is_parquet(self) -> bool:
        return is_parquet(self.uri)

    @property
    def content(self) -> Content | None:
        """What a look at the bytes told; None where an earlier version hashed in another way."""
        if self.content_hash is None or self.content_traits is None:
            return None
        if not self.content_hash.startswith(HASH):
            return None
        return Content.of(self.content_hash, self.content_traits)

    def holding(self, content: Content) -> Entry:
        """This entry with ``content`` for what a look at the bytes told."""
        return replace(self, content_hash=content.hash, content_traits=content.traits)


def rows_by_week(entries: Iterable[Entry]) -> dict[date, list[FileRows]]:
    """For each week what is loaded of each file."""
    found: dict[date, list[FileRows]] = {}
    for entry in entries:
        for week in entry.weeks:
            found.setdefault(week.week, []).append((entry.uri, week.rows, week.fingerprint))
    return found


def to_table(entries: Iterable[Entry]) -> pa.Table:
    """The entries as a table with LANDED_FILES_SCHEMA."""
    names = [field.name for field in fields(Entry)]
    rows = [{name: getattr(entry, name) for name in names} for entry in entries]
    for row in rows:
        row["weeks"] = [vars(week) for week in row["weeks"]]
        row["columns"] = [{"name": name, "type": kind} for name, kind in row["columns"]]
    return pa.Table.from_pylist(rows, LANDED_FILES_SCHEMA)


def from_table(index: pa.Table | None) -> list[Entry]:
    """The entries of an index; none of one that another version of this package has made."""
    if index is None or set(LANDED_FILES_SCHEMA.names) - set(index.column_names):
        return []
    entries = []
    for row in index.select(LANDED_FILES_SCHEMA.names).to_pylist():
        row["weeks"] = tuple(WeekRows(**week) for week in row["weeks"])
        row["columns"] = tuple((column["name"], column["type"]) for column in row["columns"])
        row["lost_columns"] = tuple(row["lost_columns"])
        if row["content_traits"] is not None:
            row["content_traits"] = tuple(row["content_traits"])
        entries.append(Entry(**row))
    return entries
