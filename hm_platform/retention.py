"""Which splits, features and models of old weeks are kept, and which go.

The newest weeks that were built are kept whole. Of an older week, what only a decision about that
week would read goes: its splits, its features, and the pointer to its model, all of which a build
of that week makes again. A model version stays for as long as it serves a week, somebody has
decided for it, or `hm rollback` would take it. Everything else that is stored is not looked at.

``plan`` is a function of records and nothing else; ``apply`` does what it says, and can be killed
and called again at any point.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from hm_platform.calendar import WEEK
from hm_platform.serving.published import Publication, read_publications
from hm_platform.serving.verdicts import passed_any
from hm_platform.storage.places import Storage
from hm_platform.storage.tables import Slice, StoredWeek
from hm_platform.storage.taking_turns import if_free

TABLES = (
    ("datasets", "train"),
    ("datasets", "validation"),
    ("datasets", "test"),
    ("datasets", "article_index"),
    ("datasets", "customer_index"),
    ("features", "articles"),
    ("features", "customers"),
    ("features", "purchase_histories"),
    ("features", "copurchases"),
    ("features", "encoders"),
)
"""Schema and table of what a week's build reads and nobody after it: all of their weekly assets."""

Table = tuple[str, str]


@dataclass(frozen=True)
class Records:
    """What is stored, and what speaks for keeping it.

    tables : the weeks of each of TABLES
    pointers : week -> the version that was trained for it
    versions : version -> bytes, of those that are stored
    publications : all rows of ``serving.publications``
    decided : the versions that rows of ``serving.decisions`` name
    passed : the stored versions that have passed the tests of some week
    """

    tables: Mapping[Table, Sequence[StoredWeek]] = field(default_factory=dict)
    pointers: Mapping[date, str] = field(default_factory=dict)
    versions: Mapping[str, int] = field(default_factory=dict)
    publications: Sequence[Publication] = ()
    decided: frozenset[str] = frozenset()
    passed: frozenset[str] = frozenset()

    @property
    def built(self) -> list[date]:
        """The weeks that were built, newest first: published, backtested, or begun."""
        stored = {each.week for weeks in self.tables.values() for each in weeks}
        published = {each.week for each in self.publications}
        return sorted(stored | published | self.pointers.keys(), reverse=True)


@dataclass(frozen=True)
class Plan:
    """What goes, and what is older and stays all the same.

    keep_weeks : how many built weeks are kept whole; 0 keeps all
    oldest : the oldest of them; None where nothing is old enough to go
    tables : the weeks that go of each table; tables of which none goes are left out
    pointers : the weeks that go and point to a model
    versions : version -> bytes, of the models that go
    kept_weeks : older week -> why its splits and features stay
    kept_versions : older version -> why it stays
    """

    keep_weeks: int
    oldest: date | None = None
    tables: Mapping[Table, Sequence[StoredWeek]] = field(default_factory=dict)
    pointers: Sequence[date] = ()
    versions: Mapping[str, int] = field(default_factory=dict)
    kept_weeks: Mapping[date, str] = field(default_factory=dict)
    kept_versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def weeks(self) -> list[date]:
        """The weeks of which something goes, oldest first."""
        stored = {each.week for weeks in self.tables.values() for each in weeks}
        return sorted(stored | set(self.pointers))

    @property
    def touched(self) -> set[date]:
        """These, and those that a model that goes was trained for."""
        return {*self.weeks, *map(week_of, self.versions)}

    def only(self, weeks: Collection[date]) -> Plan:
        """What goes of these weeks; the models that were trained for them."""
        tables = {
            table: tuple(each for each in stored if each.week in weeks)
            for table, stored in self.tables.items()
        }
        return replace(
            self,
            tables={table: stored for table, stored in tables.items() if stored},
            pointers=tuple(week for week in self.pointers if week in weeks),
            versions={name: size for name, size in self.versions.items() if week_of(name) in weeks},
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing goes."""
        return not (self.tables or self.pointers or self.versions)

    def __str__(self) -> str:
        """What goes, in a line."""
        if self.keep_weeks == 0:
            return "every week is kept: HM_KEEP_WEEKS is 0"
        if self.is_empty:
            return f"nothing is older than the {self.keep_weeks} newest built weeks and not kept"
        weeks, versions = len(self.weeks), len(self.versions)
        return (
            f"splits and features of {weeks:,} week{'' if weeks == 1 else 's'} and {versions:,} "
            f"model{'' if versions == 1 else 's'}, older than {self.oldest}"
        )


def read_records(storage: Storage) -> Records:
    """What the storage knows of itself.

    Raises TableError when tables stay in use or cannot be got at.
    """
    if storage.tables.is_empty():
        return Records()
    publications, decisions, tests = storage.tables.read_each(
        Slice("serving", "publications"),
        Slice("serving", "decisions"),
        Slice(
            "evaluation",
            "behavioral_tests",
            columns=["week", "model_version", "test", "effect", "value", "threshold", "severity",
                     "outcome"],
        ),
    )  # fmt: skip
    models = storage.models
    pointers = ((week, models.version_of_week(week)) for week in models.weeks())
    versions = {version: models.size(version) for version in models.versions()}
    return Records(
        tables={table: storage.tables.weeks(*table) for table in TABLES},
        pointers={week: version for week, version in pointers if version is not None},
        versions=versions,
        publications=read_publications(publications),
        decided=frozenset(decisions["model_version"].to_pylist() if decisions else ()),
        passed=frozenset(version for version in versions if passed_any(tests, version)),
    )


def plan(records: Records, keep_weeks: int) -> Plan:
    """What goes when the newest ``keep_weeks`` built weeks are kept whole, 0 being all.

    The newest published week is kept too, of which `hm promote` and `hm rollback` are by default.

    Raises ValueError when ``keep_weeks`` is negative.
    """
    if keep_weeks < 0:
        raise ValueError(f"weeks to keep: {keep_weeks} is negative")
    newest = records.built[:keep_weeks]
    if not newest:
        return Plan(keep_weeks)
    oldest = newest[-1]
    kept_weeks = {}
    published = max((each.week for each in records.publications), default=oldest)
    if published < oldest:
        kept_weeks[published] = "the newest published week"

    def goes(week: date) -> bool:
        return week < oldest and week not in kept_weeks

    tables = {
        table: tuple(each for each in weeks if goes(each.week))
        for table, weeks in records.tables.items()
    }
    versions, kept_versions = {}, {}
    for version, size in records.versions.items():
        if week_of(version) >= oldest:
            continue
        why = _why_kept(records, version, goes)
        if why is None:
            versions[version] = size
        else:
            kept_versions[version] = why
    return Plan(
        keep_weeks,
        oldest,
        {table: weeks for table, weeks in tables.items() if weeks},
        tuple(sorted(week for week in records.pointers if goes(week))),
        versions,
        kept_weeks,
        kept_versions,
    )


def _why_kept(records: Records, version: str, goes: Callable[[date], bool]) -> str | None:
    """Why a version of an older week stays, or None."""
    published = sorted(each.week for each in records.publications if each.model_version == version)
    if published:
        more = f" and {len(published) - 1} more" if len(published) > 1 else ""
        return f"serves week {published[-1]}{more}"
    if version in records.decided:
        return "somebody has decided for it"
    if version in records.passed:
        return "passed its tests: `hm rollback` would take it"
    for week, pointed in records.pointers.items():
        if pointed == version and not goes(week):
            return f"is the model of week {week}, which stays"
    return None


def tidy(storage: Storage, keep_weeks: int, lock_of: Callable[[date], Path] | None = None) -> Plan:
    """Remove what goes, and say what went.

    Where runs of different weeks work side by side, a week that somebody works on is left for the
    next time, and nobody begins to work on one while it is removed.

    lock_of : the lock that a run holds that works on a week; None where all runs take turns

    Raises TableError or ModelFolderError when something cannot be read or removed.
    """
    with ExitStack() as held:
        found = plan(read_records(storage), keep_weeks)
        if lock_of is not None:
            free = {w for w in found.touched if held.enter_context(if_free(lock_of(w)))}
            # Again: somebody may have worked on them until now.
            found = plan(read_records(storage), keep_weeks).only(free)
        if keep_weeks:
            apply(found, storage)
    return found


def week_of(version: str) -> date:
    """The week that a version was trained for."""
    return date.fromisoformat(version[:10])


def apply(plan: Plan, storage: Storage) -> None:
    """Remove what goes.

    A week's pointer goes first: who finds none knows that the week has to be built again. What is
    left after a kill is found by the next plan, or here.

    Raises TableError or ModelFolderError when something cannot be removed.
    """
    storage.models.remove_unfinished()
    for week in plan.pointers:
        storage.models.forget(week)
    for (schema, table), stored in plan.tables.items():
        for start, end in _ranges(each.week for each in stored):
            storage.tables.delete(Slice(schema, table, (start, end)))
    for version in plan.versions:
        storage.models.delete(version)


def _ranges(weeks: Iterable[date]) -> list[tuple[date, date]]:
    """The days of neighbouring weeks, the end excluded."""
    found: list[tuple[date, date]] = []
    for week in sorted(weeks):
        if found and found[-1][1] == week:
            found[-1] = (found[-1][0], week + WEEK)
        else:
            found.append((week, week + WEEK))
    return found
