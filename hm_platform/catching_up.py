"""What is out of date, and the runs that would bring it up to date.

Compares the landing zone with what the warehouse says it was made from. ``hm build`` and the sensor
both do what is said here, and nothing is remembered anywhere else: what a killed run left undone is
out of date, so whoever looks next does it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

import pyarrow as pa

from hm_platform.calendar import WEEK
from hm_platform.code_version import code_fingerprint
from hm_platform.datasets.plan import plan_parameters
from hm_platform.landed_weeks import (
    CATALOGUE,
    LandedWeek,
    build_fingerprint,
    catalogue_fingerprints,
    fingerprints,
    landed_weeks,
    weeks_to_load,
)
from hm_platform.landing.entry import Entry, from_table
from hm_platform.landing.zone import DATASETS, LandedFile
from hm_platform.settings import Settings
from hm_platform.storage.places import storage_of
from hm_platform.storage.tables import WAIT_S, Slice

FEWEST_WEEKS = 3
"""The built week, one to validate on and one to train on."""

PATIENCE = timedelta(minutes=15)
"""How long other files that are not read yet wait for one that is still being written."""

LOOK = ("raw/landed_files", "raw/quarantine", "marts/loaded_catalogue")
"""What every look through the landing zone makes."""

KEY_TAG = "hm_platform/work"
BECAUSE_TAG = "hm_platform/because"

Weeks = tuple[date, date]
"""First and last week of a range, both included."""


@dataclass(frozen=True)
class Records:
    """What the warehouse says of itself; empty where there is none yet.

    index : ``raw.landed_files``
    catalogue : table -> what it was read from (``marts.loaded_catalogue``)
    loaded : week -> what it was loaded from (``marts.loaded_weeks``)
    published : week -> what it was built from (``serving.publications``)
    """

    index: pa.Table | None = None
    catalogue: Mapping[str, str] = field(default_factory=dict)
    loaded: Mapping[date, str] = field(default_factory=dict)
    published: Mapping[date, str] = field(default_factory=dict)

    @cached_property
    def entries(self) -> list[Entry]:
        """The rows of the index."""
        return from_table(self.index)

    @cached_property
    def code(self) -> str:
        """The fingerprint of the code that they are compared with: that of now, read once."""
        return code_fingerprint()


@dataclass(frozen=True)
class Work:
    """A run that is needed.

    job : refresh_landing, load_weeks or build_week
    weeks : those that the run is for; None where the job has no weeks
    key : names what there is to do: it is another one as soon as anything is different
    because : why it is needed
    assets : the keys of those of the job's assets that are enough; none: all of them
    """

    job: str
    weeks: Weeks | None
    key: str
    because: str
    assets: tuple[str, ...] = ()

    @property
    def partition(self) -> str | None:
        """Dagster's partition key; a range of weeks has ``tags`` instead."""
        return str(self.weeks[0]) if self.weeks and self.weeks[0] == self.weeks[1] else None

    @property
    def tags(self) -> dict[str, str]:
        """Dagster's tags of the run."""
        tags = {KEY_TAG: self.key, BECAUSE_TAG: self.because}
        if self.weeks and self.weeks[0] != self.weeks[1]:
            first, last = self.weeks
            tags["dagster/asset_partition_range_start"] = str(first)
            tags["dagster/asset_partition_range_end"] = str(last)
        return tags

    def overlaps(self, other: Work) -> bool:
        """Whether both are for one and the same week."""
        if self.weeks is None or other.weeks is None:
            return False
        return self.weeks[0] <= other.weeks[1] and other.weeks[0] <= self.weeks[1]

    def halves(self) -> tuple[Work, ...]:
        """The same work as two runs for fewer weeks each; itself where there is one week."""
        if self.weeks is None or self.weeks[0] == self.weeks[1]:
            return (self,)
        first, last = self.weeks
        middle = first + WEEK * (((last - first) // WEEK) // 2)
        return tuple(
            replace(self, weeks=weeks, key=_key(self.key, *map(str, weeks)))
            for weeks in ((first, middle), (middle + WEEK, last))
        )


def read_records(settings: Settings, wait_s: float = WAIT_S) -> Records:
    """The records of these settings' tables.

    Raises TableError when another process holds it for longer than ``wait_s`` seconds.
    """
    tables = storage_of(settings).tables
    if tables.is_empty():
        return Records()
    index, catalogue, loaded, published = tables.read_each(
        Slice("raw", "landed_files"),
        Slice("marts", "loaded_catalogue"),
        Slice("marts", "loaded_weeks"),
        Slice("serving", "publications"),
        wait_s=wait_s,
    )
    return Records(
        index,
        fingerprints(catalogue, "table_name"),
        fingerprints(loaded, "week"),
        fingerprints(published, "week"),
    )


def landed(settings: Settings, records: Records) -> list[LandedWeek]:
    """The weeks that have landed, as the index knows them."""
    if records.index is None:
        return []
    return landed_weeks(records.index, settings.calendar, records.code)


def files_there(settings: Settings) -> list[LandedFile]:
    """The files that lie in the landing zone now."""
    return [file for dataset in DATASETS for file in settings.landing_zone.files(dataset)]


def touched_files(
    settings: Settings,
    records: Records,
    files: Sequence[LandedFile],
    now: datetime,
    quiet: timedelta = timedelta(),
) -> list[LandedFile]:
    """Those of ``files`` that are not as the index has them, or have to be checked again.

    Left out: what was being written when the index was made, and was touched within ``quiet``.
    """
    known = {entry.uri: entry for entry in records.entries}
    rules = settings.landing_rules(records.code).fingerprint
    today = now.astimezone(UTC).date()

    def is_known(file: LandedFile) -> bool:
        entry = known.get(file.uri)
        if entry is not None and entry.state == "pending":
            return _is_being_written(file, quiet, now)
        return (
            entry is not None
            and entry.stamp == file.stamp
            and entry.checked_by == rules
            and (entry.check_again_on is None or today < entry.check_again_on)
        )

    return [file for file in files if not is_known(file)]


def settled(files: Sequence[LandedFile], quiet: timedelta, now: datetime) -> bool:
    """Whether it is time to read these touched files.

    It is when nobody has touched any for ``quiet``, so that the files of a night are read together
    and none half; but a file that never rests holds up the others for PATIENCE at most.
    """
    if not any(_is_being_written(file, quiet, now) for file in files):
        return True
    return max(_age(file, now) for file in files) >= max(PATIENCE, quiet)


def to_refresh(
    settings: Settings,
    records: Records,
    now: datetime | None = None,
    quiet: timedelta = timedelta(),
    files: Sequence[LandedFile] | None = None,
) -> list[Work]:
    """The look through the landing zone that is needed, if it is.

    A new week of purchases alone is no reason to read a million customers again.

    quiet : a file that was touched within it is still being written
    files : what lies there, for callers that have listed it
    """
    now = now or datetime.now(UTC)
    files = files_there(settings) if files is None else files
    touched = touched_files(settings, records, files, now, quiet)
    there = {file.uri for file in files}
    gone = [entry for entry in records.entries if entry.uri not in there]
    stale = unread(records)
    if records.index is None:
        because = "nothing is loaded yet"
    else:
        changed = [*sorted(entry.uri for entry in gone), *(file.uri for file in touched)]
        if changed:
            because = f"new, changed or gone since the last look: {changed[0]}"
            because += f" and {len(changed) - 1:,} more" if len(changed) > 1 else ""
        elif stale:
            because = "what was read from the landing zone is not what lies there"
        else:
            return []
    wanted = stale | {entry.dataset for entry in gone} | {file.dataset for file in touched}
    # A file that grows is the same work, or a look that fails would be tried again all the time.
    stamps = [
        f"{file.uri}\t{'' if _is_being_written(file, quiet, now) else file.stamp}" for file in files
    ]
    rules = settings.landing_rules(records.code).fingerprint
    today = now.astimezone(UTC).date()
    again = (entry.check_again_on for entry in records.entries if entry.check_again_on)
    due = max((day for day in again if day <= today), default="")
    assets = _read_by_a_look(wanted)
    key = _key("refresh", rules, str(due), *assets, *stamps)
    return [Work("refresh_landing", None, key, because, assets)]


def unread(records: Records) -> set[str]:
    """What is read whole (CATALOGUE), as far as it is not what the index says lies there."""
    if records.index is None:
        return {*CATALOGUE}
    wanted = catalogue_fingerprints(records.index, records.code)
    return {name for name in CATALOGUE if records.catalogue.get(name) != wanted[name]}


def _read_by_a_look(wanted: Collection[str]) -> tuple[str, ...]:
    """The assets of a look that reads the ``wanted`` ones of articles and customers again."""
    articles = ("raw/articles", "staging/stg_articles") if "articles" in wanted else ()
    customers: tuple[str, ...] = ()
    if "customers" in wanted:
        # Both models: of raw tables dbt has tests, and runs them when it makes all of its models.
        customers = ("raw/customers", "staging/stg_customers", "staging/stg_articles")
    return tuple(dict.fromkeys((*LOOK, *articles, *customers)))


def to_load(settings: Settings, records: Records) -> list[Work]:
    """The loads of weeks that are needed: a run for each range of neighbouring weeks.

    None where the index is another version's: that nobody can read it does not mean that nothing
    has landed.
    """
    if records.index is not None and records.index.num_rows and not records.entries:
        return []
    weeks = landed(settings, records)
    wanted = {week.week: week.fingerprint for week in weeks}
    work = []
    for first, last in weeks_to_load(weeks, records.loaded):
        prints = (f"{w}\t{wanted.get(w)}" for w in settings.calendar.weeks(first, last))
        because = "the purchases that have landed are not those that are loaded"
        work.append(Work("load_weeks", (first, last), _key("load", *prints), because))
    return work


def to_build(settings: Settings, records: Records, week: date) -> list[Work]:
    """The build of ``week`` that is needed, if it is, of what is loaded now."""
    wanted = week_fingerprint(settings, records, week)
    if records.published.get(week) == wanted:
        return []
    because = "what is published is not made of what is loaded"
    if week not in records.published:
        because = "it is loaded and not published"
    return [Work("build_week", (week, week), _key("build", str(week), wanted), because)]


def to_build_again(settings: Settings, records: Records, week: date) -> list[Work]:
    """The build of a ``week`` that is published and whose splits, features and model have been
    removed since (``retention``), if they have."""
    if storage_of(settings).models.version_of_week(week) is not None:
        return []
    key = _key("build again", str(week), week_fingerprint(settings, records, week))
    because = "it is published, and its splits and features have been removed since"
    return [Work("build_week", (week, week), key, because)]


def newest_buildable(weeks: Sequence[LandedWeek]) -> date | None:
    """The latest complete week with purchases that has enough weeks before it, or None."""
    complete = [week.week for week in weeks[FEWEST_WEEKS - 1 :] if week.complete and week.files]
    return complete[-1] if complete else None


def week_fingerprint(settings: Settings, records: Records, week: date) -> str:
    """The fingerprint of what a build of ``week`` with these settings would be made from."""
    return build_fingerprint(
        week,
        records.loaded,
        records.catalogue,
        records.code,
        plan_parameters(settings.train_weeks, settings.seed),
    )


def _is_being_written(file: LandedFile, quiet: timedelta, now: datetime) -> bool:
    # What seems to have changed in the future says that a clock was set, and no more.
    return timedelta() <= _age(file, now) < quiet


def _age(file: LandedFile, now: datetime) -> timedelta:
    return now - datetime.fromtimestamp(file.changed_at, UTC)


def _key(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
