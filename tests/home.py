"""A home without Dagster: files that land, and what runs would write into its warehouse."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from hm_platform.calendar import WEEK
from hm_platform.catching_up import Records, Work, landed, read_records, week_fingerprint
from hm_platform.code_version import code_fingerprint
from hm_platform.landed_weeks import CATALOGUE, catalogue_fingerprints
from hm_platform.landing.index import index_landing_zone
from hm_platform.settings import Settings
from hm_platform.storage.places import storage_of
from hm_platform.storage.tables import Slice
from tests.landing.landed import HEADER, header, put, row

FIRST = date(2018, 9, 19)
QUIET = timedelta(seconds=30)


def week(number: int) -> date:
    """The first day of a week, counted from 0."""
    return FIRST + WEEK * number


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Home:
    """What has landed, and what is recorded to be made of it."""

    settings: Settings

    @classmethod
    def at(cls, path: Path, **settings: Any) -> Home:
        given = {"landing_quiet_seconds": QUIET.total_seconds(), **settings}
        return cls(Settings(home=path / "data", first_week=FIRST, **given))

    def land(self, name: str, *days: date) -> Path:
        """A file with a purchase on each of these days."""
        lines = [f"{day},c1,0108775015,0.05,1" for day in days]
        return put(self.settings.landing_zone, f"transactions/{name}", [HEADER, *lines])

    def land_weeks(self, weeks: int) -> None:
        """A catalogue and whole weeks with a file each."""
        self.land_articles("0108775015")
        for number in range(weeks):
            self.land(f"{number}.csv", week(number), week(number) + timedelta(days=6))

    def land_articles(self, *articles: str) -> Path:
        lines = [row("articles", article_id=article) for article in articles]
        return put(self.settings.landing_zone, "articles/a.csv", [header("articles"), *lines])

    @property
    def records(self) -> Records:
        return read_records(self.settings)

    def write(self, schema: str, table: str, rows: pa.Table) -> None:
        storage_of(self.settings, read_only=False).tables.replace(
            Slice(schema, table), rows.to_reader()
        )

    def record(self, schema: str, table: str, by: str, prints: Mapping[Any, str]) -> None:
        rows = {by: list(prints), "fingerprint": pa.array(prints.values(), pa.string())}
        self.write(schema, table, pa.table(rows))

    def index(self, quiet: timedelta = timedelta()) -> None:
        """The first asset of refresh_landing, and no more of it."""
        rules = self.settings.landing_rules(code_fingerprint())
        zone, before = self.settings.landing_zone, self.records.index
        index = index_landing_zone(zone, rules, before, quiet_s=quiet.total_seconds())
        self.write("raw", "landed_files", index)

    def refresh(self, quiet: timedelta = timedelta(), read: Collection[str] = CATALOGUE) -> None:
        """A look that reads these tables of CATALOGUE."""
        self.index(quiet)
        before = self.records.catalogue
        now = catalogue_fingerprints(self.records.index, code_fingerprint())
        prints = {name: (now if name in read else before).get(name, "") for name in CATALOGUE}
        self.record("marts", "loaded_catalogue", "table_name", prints)

    def load(self, *weeks: date) -> None:
        """Load these weeks as they have landed, or all."""
        records = self.records
        wanted = {each.week: each.fingerprint for each in landed(self.settings, records)}
        loaded = dict(records.loaded)
        for each in weeks or {*wanted, *loaded}:
            loaded.pop(each, None)
            if each in wanted:
                loaded[each] = wanted[each]
        self.record("marts", "loaded_weeks", "week", loaded)

    def build(self, built: date) -> None:
        records = self.records
        published = {**records.published, built: week_fingerprint(self.settings, records, built)}
        self.record("serving", "publications", "week", published)

    def do(self, work: Work) -> None:
        """What a run of this work leaves when it succeeds."""
        if work.weeks is None:
            self.refresh(read={key.removeprefix("raw/") for key in work.assets})
        elif work.job == "load_weeks":
            self.load(*self.settings.calendar.weeks(*work.weeks))
        else:
            self.build(work.weeks[0])
