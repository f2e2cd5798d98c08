"""The columns of the landed files as they were and as they are.

A data set's schema is what its loaded files have had. A file that lacks a column of it is held when
what is recommended depends on that column; else it loads with the column empty. Every difference is
a change to be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from hm_platform.landing.columns import COLUMNS
from hm_platform.landing.entry import Entry, from_table
from hm_platform.landing.zone import DATASETS


@dataclass(frozen=True)
class Schemas:
    """The columns that the files of each data set are expected to have and that are used."""

    expected: Mapping[str, frozenset[str]]

    @classmethod
    def remembered(cls, entries: Iterable[Entry], without: Iterable[str] = ()) -> Schemas:
        """From an earlier index; ``without`` names columns that are gone, as ``customers.age``."""
        found: dict[str, set[str]] = {dataset: set() for dataset in DATASETS}
        for entry in entries:
            found[entry.dataset] |= remembered_columns(entry)
        gone = {tuple(name.split(".", 1)) for name in without}
        return cls(
            {
                dataset: frozenset(
                    column.name
                    for column in COLUMNS[dataset]
                    if column.name in names and (dataset, column.name) not in gone
                )
                for dataset, names in found.items()
            }
        )

    def lost(self, entry: Entry) -> tuple[str, ...]:
        """Which of the expected columns the file lacks."""
        there = {name for name, _ in entry.columns}
        return tuple(sorted(self.expected[entry.dataset] - there))

    @staticmethod
    def reason(entry: Entry, lost: tuple[str, ...]) -> str:
        """Why the file is held for the columns that it lost, and what to do."""
        names = ", ".join(f'"{entry.dataset}.{name}"' for name in lost)
        return (
            f"no column {', '.join(lost)}, which earlier files of {entry.dataset} had and features "
            f"are made of: send it again with it or, when it is gone for good, write "
            f"without = [{names}] into dataset.toml"
        )


def remembered_columns(entry: Entry) -> set[str]:
    """The columns that are used and that, by this entry, files of its data set have had.

    A file that replaces a loaded one and is not loaded itself keeps the memory of that one.
    """
    used = {column.name for column in COLUMNS[entry.dataset] if column.used}
    had = set(entry.lost_columns)
    if entry.state == "loaded" or entry.rows_kept or had:
        had.update(name for name, _ in entry.columns)
    return had & used


@dataclass(frozen=True)
class SchemaChange:
    """A column of a data set that is there where it was not, is not where it was, or is of another
    type.

    before, after : the type; None where there is no such column
    uri : the first file with the change
    files : how many have it
    """

    dataset: str
    column: str
    before: str | None
    after: str | None
    uri: str
    files: int = 1

    @property
    def kind(self) -> str:
        """``added``, ``lost`` or ``type``."""
        if self.before is None:
            return "added"
        return "lost" if self.after is None else "type"

    def __str__(self) -> str:
        files = f"{self.uri} and {self.files - 1} more" if self.files > 1 else self.uri
        what = {
            "added": f"column {self.column} ({self.after}) is there and was not before",
            "lost": f"column {self.column} ({self.before}) is not there any more",
            "type": f"column {self.column} is {self.after} and was {self.before}",
        }[self.kind]
        return f"{self.dataset}: {what} ({files})"


def schema_changes(previous: pa.Table | None, index: pa.Table) -> list[SchemaChange]:
    """What differs between the columns of the files that came with ``index`` and those of earlier
    ones, in order of data set and column.

    A file is compared with what it was before; one that was not there, with the last one by uri
    that is loaded. Types are compared among files of one format: all that a CSV file has is text.
    """
    before = from_table(previous)
    known = {(entry.uri, entry.content_hash) for entry in before if entry.columns}
    earlier = {entry.uri: entry for entry in before if entry.columns}
    last = {entry.dataset: entry for entry in before if entry.state == "loaded"}
    last_of_format = {
        (entry.dataset, entry.is_parquet): entry for entry in before if entry.state == "loaded"
    }
    changes: dict[tuple[str, str, str | None, str | None], list[str]] = {}
    for entry in from_table(index):
        if not entry.columns or (entry.uri, entry.content_hash) in known:
            continue
        model = (
            earlier.get(entry.uri)
            or last_of_format.get((entry.dataset, entry.is_parquet))
            or last.get(entry.dataset)
        )
        if model is None or entry.state == "duplicate":
            continue
        old, new = dict(model.columns), dict(entry.columns)
        for name in old.keys() | new.keys():
            retyped = model.is_parquet == entry.is_parquet and old.get(name) != new.get(name)
            if (name in old) != (name in new) or retyped:
                change = (entry.dataset, name, old.get(name), new.get(name))
                changes.setdefault(change, []).append(entry.uri)
    order = sorted(changes, key=lambda change: (DATASETS.index(change[0]), change[1]))
    return [
        SchemaChange(*change, uri=changes[change][0], files=len(changes[change]))
        for change in order
    ]
