"""The index of the landing zone: a row a file, saying what is in it and what became of it.

The index is a function of the files, the rules and the day, with two exceptions that need to know
the index before: what a data set's files used to have for columns, and what stays loaded of a file
that was good and is not now.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import duckdb
import pyarrow as pa

from hm_platform.calendar import today as calendar_today
from hm_platform.landing.access import Access
from hm_platform.landing.content import Content, examine
from hm_platform.landing.entry import Entry, from_table, to_table
from hm_platform.landing.errors import ColumnsError, ForbiddenError, LandingError
from hm_platform.landing.keeping import InWarehouse, keep
from hm_platform.landing.records import records
from hm_platform.landing.schemas import Schemas
from hm_platform.landing.session import Session
from hm_platform.landing.validating import Rules, count, held, validate
from hm_platform.landing.zone import DATASETS, LandedFile, Landing

Progress = Callable[[str], None]

DAY = timedelta(days=1)

SETTLED_S = 1.0
"""A file that changed less than this before it was read may change again under the same stamp:
file systems count time in steps."""


UNREADABLE = (LandingError, OSError, duckdb.Error, ValueError, ArithmeticError)
"""What reading a file may raise; the last two where a damaged one holds values that Python has no
room for."""

PASSING = (OSError, duckdb.OperationalError)
"""Of these, what may be the machine's fault (a full disk, too little memory) and over at the next
look."""


def index_landing_zone(
    zone: Landing,
    rules: Rules,
    previous: pa.Table | None = None,
    progress: Progress | None = None,
    *,
    in_warehouse: InWarehouse = dict,
    quiet_s: float = 0.0,
    today: date | None = None,
    memory_limit: str | None = None,
) -> pa.Table:
    """List every landed file with what is in it, ordered by data set and uri.

    A file that nobody has touched since ``previous`` is not read; one whose content is known is not
    checked again. Two files with the same content are one: the first by uri, and of articles and
    customers the last, since of several rows with one id the last file's counts.

    previous : an earlier index of the same zone (LANDED_FILES_SCHEMA), or None
    in_warehouse : gives what ``raw.transactions`` holds of each week; asked only when something
        that was loaded is overwritten by what cannot be
    quiet_s : a file that changed less than these seconds ago is still being written
    today : the last day that a row may have; by default the clock's

    Returns a table with LANDED_FILES_SCHEMA. A file that cannot be read never raises: it is held.
    Raises LandingError when the zone cannot be listed, and S3Error when it is a bucket that cannot
    be, or of which no object may be read.
    """
    today = today or calendar_today()
    known = from_table(previous)
    told = {entry.uri: entry for entry in known}

    def tell(entry: Entry) -> None:
        if progress is not None and entry != told.get(entry.uri):
            progress(_line(entry))
        told[entry.uri] = entry

    before = dict(told)
    entries: list[Entry] = []
    with Session(memory_limit) as session:
        look = _Look(session, rules, today, quiet_s, known)
        for dataset in DATASETS:
            found = []
            for file in zone.files(dataset):
                try:
                    found.append(look.enter(file))
                except FileNotFoundError:
                    # It went after it was listed, and so did its rows.
                    continue
                finally:
                    file.release()
                    session.clear()
                if found[-1].state == "loaded":
                    tell(found[-1])
            entries += _each_content_once(found, first=dataset == "transactions")
        look.access.require_some()
    entries = keep(entries, before, in_warehouse)
    for entry in entries:
        tell(entry)
    return to_table(entries)


@dataclass
class _Look:
    """One look through the landing zone, and what earlier ones have found out."""

    session: Session
    rules: Rules
    today: date
    quiet_s: float
    known: list[Entry]
    access: Access = field(init=False, default_factory=Access)
    schemas: Schemas = field(init=False)
    by_uri: dict[str, Entry] = field(init=False)
    by_content: dict[tuple[str, bool, str], Entry] = field(init=False)
    loaded: set[tuple[str, str | None]] = field(init=False)

    def __post_init__(self) -> None:
        self.schemas = Schemas.remembered(self.known, self.rules.without)
        self.by_uri = {entry.uri: entry for entry in self.known}
        self.loaded = {(e.dataset, e.content_hash) for e in self.known if e.state == "loaded"}
        self.by_content = {}
        for entry in self.known:
            if entry.content_hash and self._holds(entry):
                self.by_content[entry.dataset, entry.is_parquet, entry.content_hash] = entry

    def _holds(self, entry: Entry) -> bool:
        """Whether checking the same content again would find the same."""
        return (
            entry.state in ("loaded", "held")
            and entry.checked_by == self.rules.fingerprint
            and (entry.check_again_on is None or self.today < entry.check_again_on)
        )

    def enter(self, file: LandedFile) -> Entry:
        """The file's entry. Raises FileNotFoundError when it has gone."""
        entry = Entry(file.uri, file.dataset, file.size)
        if file.outside:
            reason = "a link to a file outside of the landing zone: put the file itself there"
            return replace(
                entry,
                state="held",
                reason=reason,
                stamp=file.stamp,
                checked_by=self.rules.fingerprint,
            )
        age = time.time() - file.changed_at
        if 0 <= age < self.quiet_s:
            return _pending(entry)
        known = self.by_uri.get(file.uri)
        untouched = known is not None and known.stamp == file.stamp
        if known and untouched and self._holds(known):
            if known.state == "loaded":
                self.access.untouched.append(file)
            return _without_kept(known)
        stamp = file.stamp if not 0 <= age < SETTLED_S else None
        entry = replace(entry, stamp=stamp, checked_by=self.rules.fingerprint)
        if known and untouched and known.content:
            entry = entry.holding(known.content)
        was_loaded = known is not None and untouched and known.state == "loaded"
        listed = entry
        self.access.read.add(file.uri)
        try:
            content = entry.content or examine(file)
            entry = entry.holding(content)
            entry = self._read(file, content, entry, was_loaded)
        except UNREADABLE as error:
            entry = self._unread(file, entry, error)
        # Only the file itself can tell that it has gone: what it is read by may have, too.
        try:
            return entry if file.is_as_listed() else _pending(entry)
        except FileNotFoundError:
            raise
        except OSError as error:
            return self._unread(file, listed, error)

    def _unread(self, file: LandedFile, entry: Entry, error: Exception) -> Entry:
        columns = error.columns if isinstance(error, ColumnsError) else ()
        entry = replace(entry, state="held", reason=_reason(file, error), columns=columns)
        if isinstance(error, ForbiddenError):
            self.access.forbidden.setdefault(file.uri, error)
        if isinstance(error, PermissionError):
            # Who is let in need not touch the file for that: it may be let into a folder. What was
            # known of its content is let go: another file with the same may be read.
            entry = replace(entry, content_hash=None, content_traits=None)
            return replace(entry, check_again_on=self.today + DAY)
        passes = isinstance(error, PASSING)
        return replace(entry, stamp=None, checked_by=None) if passes else entry

    def _read(self, file: LandedFile, content: Content, entry: Entry, was_loaded: bool) -> Entry:
        key = (file.dataset, file.is_parquet, content.hash)
        same = self.by_content.get(key)
        if same is not None:
            own = {name: getattr(entry, name) for name in ("uri", "size", "stamp")}
            # With traits of its own: not everybody packs the same content as DuckDB unpacks it.
            return replace(_without_kept(same), **own).holding(content)
        read = records(self.session, file, content)
        if read.fault is not None:
            found = count(self.session, read, read.fault, entry)
        else:
            found = validate(self.session, file, read, self.rules, self.today, entry)
            lost = self.schemas.lost(found)
            # What was loaded has not lost a column that others have brought since.
            was_loaded = was_loaded or (found.dataset, found.content_hash) in self.loaded
            if lost and not was_loaded:
                found = held(replace(found, lost_columns=lost), self.schemas.reason(found, lost))
        self.by_content[key] = found
        return found


def _without_kept(entry: Entry) -> Entry:
    return replace(entry, rows_kept=0, weeks=entry.weeks if entry.state == "loaded" else ())


def _pending(entry: Entry) -> Entry:
    reason = "somebody is still writing it: it will be read once it stays as it is"
    return Entry(entry.uri, entry.dataset, entry.size, state="pending", reason=reason)


def _each_content_once(entries: list[Entry], first: bool) -> list[Entry]:
    """The entries by uri; of those with the same content, all but the first (else: the last) are
    marked as duplicates of it.

    Of what nobody could read, each is held for itself: another may be readable under its name, as
    a Parquet file that was named as CSV.
    """
    counting: dict[tuple[bool, str], Entry] = {}
    marked = []
    for entry in entries if first else reversed(entries):
        twin = entry
        if entry.content_hash and entry.rows is not None:
            twin = counting.setdefault((entry.is_parquet, entry.content_hash), entry)
        if twin is not entry:
            entry = Entry(
                entry.uri,
                entry.dataset,
                entry.size,
                entry.content_hash,
                entry.content_traits,
                twin.first_day,
                twin.last_day,
                twin.rows,
                state="duplicate",
                reason=f"the same content as {twin.uri}",
                columns=twin.columns,
                stamp=entry.stamp,
                checked_by=entry.checked_by,
            )
        marked.append(entry)
    return marked if first else marked[::-1]


def _reason(file: LandedFile, error: Exception) -> str:
    if isinstance(error, LandingError):
        return str(error)
    first = str(error).strip().partition("\n")[0][:300]
    if isinstance(error, OSError):
        return f"the file cannot be read: {error.strerror or first}"
    if file.is_parquet and "UTF8" in first:
        return f"a column that says it is text has bytes that are not UTF-8: mend them ({first})"
    kind = "Parquet" if file.is_parquet else "CSV"
    return f"not readable as {kind}, perhaps cut short: send it again, whole ({first})"


def _line(entry: Entry) -> str:
    if entry.state != "loaded":
        return f"{entry.uri}: {entry.state}: {entry.reason}"
    refused = f", {entry.reason}" if entry.reason else ""
    return f"{entry.uri}: {entry.rows_loaded:,} rows{refused}"
