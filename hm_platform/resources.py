"""What assets are given to work with: the landing zone, the tables, the plan of a run, the reports.

This is the one place that decides where things live; ``HM_STORAGE`` picks what is built here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import pyarrow as pa
from dagster import ConfigurableResource
from dagster_dbt import DbtCliResource
from packaging.version import Version
from pydantic import Field

from hm_platform.calendar import Calendar
from hm_platform.code_version import code_fingerprint
from hm_platform.datasets.plan import SplitPlan, plan_parameters
from hm_platform.dbt_project import dbt_executable, dbt_project
from hm_platform.landing.columns import rows_fingerprint
from hm_platform.landing.entry import FileRows
from hm_platform.landing.validating import MAX_REFUSED_SHARE, Rules
from hm_platform.landing.zone import LandingZone
from hm_platform.settings import Settings
from hm_platform.storage import model_folders, warehouse
from hm_platform.storage.io_managers import ArrowDuckDBIOManager, ModelIOManager
from hm_platform.storage.unfinished import remove_abandoned, unfinished


class LandingResource(ConfigurableResource):
    """The folder where new files arrive, and what its files are judged by."""

    root: str = Field(description="Path of the landing zone.")
    first_week: str = Field(description="First day of the first week, YYYY-MM-DD.")
    max_refused_share: float = Field(
        default=MAX_REFUSED_SHARE, description="Share of refused rows past which a file is held."
    )

    @property
    def zone(self) -> LandingZone:
        return LandingZone(Path(self.root))

    def rules(self) -> Rules:
        """Raises LandingError when dataset.toml cannot be understood."""
        calendar = Calendar(date.fromisoformat(self.first_week))
        return Rules.of(self.zone, calendar, self.max_refused_share, code_fingerprint())


class TablesResource(ConfigurableResource):
    """Reads of tables that are not an asset's inputs: what a table held before this run, or what
    this run has written to it."""

    database: str = Field(description="Path of the DuckDB warehouse.")

    def previous(self, schema: str, table: str) -> pa.Table | None:
        """The whole table as it stands, or None where there is none yet."""
        with warehouse.connect(Path(self.database)) as connection:
            if not warehouse.table_exists(connection, schema, table):
                return None
            return warehouse.read(connection, warehouse.Slice(schema, table))

    def of_week(self, schema: str, table: str, week: date) -> pa.Table | None:
        """One week of a table, or None where there is no such table yet."""
        with warehouse.connect(Path(self.database)) as connection:
            if not warehouse.table_exists(connection, schema, table):
                return None
            where = warehouse.equals({"week": str(week)})
            return warehouse.read(connection, warehouse.Slice(schema, table, where))

    def whole(self, schema: str, table: str) -> pa.RecordBatchReader | None:
        """The whole table, streamed, or None where there is none yet."""
        path = Path(self.database)
        with warehouse.connect(path) as connection:
            if not warehouse.table_exists(connection, schema, table):
                return None
        return warehouse.stream(path, warehouse.Slice(schema, table))

    def of_files(self, uris: Sequence[str], start: date, end: date) -> pa.RecordBatchReader:
        """The rows of ``raw.transactions`` from these files with a day in [start, end)."""
        named = ", ".join(map(warehouse.literal, uris))
        where = f"t_dat >= DATE '{start}' AND t_dat < DATE '{end}' AND uri IN ({named})"
        return warehouse.stream(Path(self.database), warehouse.Slice("raw", "transactions", where))

    def loaded_rows(
        self, calendar: Calendar, start: date | None = None, end: date | None = None
    ) -> dict[date, list[FileRows]]:
        """What ``raw.transactions`` holds of each week: the rows of each file, told as the index
        tells them. ``start`` and ``end`` bound the days, the end excluded."""
        conditions = [f"t_dat >= DATE '{start}'"] if start else []
        conditions += [f"t_dat < DATE '{end}'"] if end else []
        with warehouse.connect(Path(self.database)) as connection:
            if not warehouse.table_exists(connection, "raw", "transactions"):
                return {}
            rows = connection.execute(
                f"SELECT {calendar.sql_week('t_dat')} AS week, uri, count(*), "
                f"{rows_fingerprint('transactions')} FROM raw.transactions "
                f"WHERE {' AND '.join(conditions) or 'true'} GROUP BY week, uri ORDER BY week, uri"
            ).fetchall()
        found: dict[date, list[FileRows]] = {}
        for week, uri, count, fingerprint in rows:
            found.setdefault(week, []).append((uri, count, fingerprint))
        return found

    def stream(
        self,
        key: Sequence[str],
        week: date,
        columns: Sequence[str],
        only: Mapping[str, str] | None = None,
    ) -> pa.RecordBatchReader:
        """Some columns of one week of the table (schema, table); of the rows that are ``only``."""
        schema, table = key
        where = warehouse.equals({"week": str(week), **(only or {})})
        return warehouse.stream(Path(self.database), warehouse.Slice(schema, table, where, columns))

    def weekly(
        self, key: Sequence[str], week: date, columns: Sequence[str] = ()
    ) -> pa.RecordBatchReader | None:
        """One week of the table (schema, table), or None where there is no table yet."""
        schema, table = key
        path = Path(self.database)
        with warehouse.connect(path) as connection:
            if not warehouse.table_exists(connection, schema, table):
                return None
        where = warehouse.equals({"week": str(week)})
        return warehouse.stream(path, warehouse.Slice(schema, table, where, columns))

    def row_counts(self, keys: Sequence[Sequence[str]]) -> dict[tuple[str, ...], int]:
        """Rows of the tables (schema, table) that are there."""
        with warehouse.connect(Path(self.database)) as connection:
            return {
                tuple(key): warehouse.count(connection, warehouse.Slice(*key))
                for key in keys
                if warehouse.table_exists(connection, *key)
            }


class PlanResource(ConfigurableResource):
    """With which history, ends, sample and seed a run builds a week.

    The defaults are what `hm build` uses. A run that tries something else sets it once, here, and
    all splits, features and the model follow.
    """

    train_weeks: int = Field(description="Weeks of history in the training split.")
    seed: int = Field(description="Seeds the sample of customers and the training.")
    training_end: str | None = Field(
        default=None,
        description="First week after training, YYYY-MM-DD; by default the week before the built "
        "one.",
    )
    validation_end: str | None = Field(
        default=None,
        description="First week after validation, YYYY-MM-DD; by default the built week.",
    )
    customer_fraction: float = Field(
        default=1.0,
        description="Share of the customers whose purchases the splits hold, for quick "
        "iterations; 1 = all of them.",
    )

    def for_week(self, week: date, calendar: Calendar) -> SplitPlan:
        """The bounds of the week's splits. Raises DatasetError where they make no sense."""
        return SplitPlan.for_week(
            week,
            calendar,
            self.train_weeks,
            training_end=self.training_end,
            validation_end=self.validation_end,
            customer_fraction=self.customer_fraction,
            seed=self.seed,
        )

    def parameters(self) -> dict[str, object]:
        """What a build of this plan depends on beside its data and code."""
        return plan_parameters(
            self.train_weeks,
            self.seed,
            self.training_end,
            self.validation_end,
            self.customer_fraction,
        )


class InstalledDbt(DbtCliResource):
    """The dbt that is installed beside this Python.

    dagster-dbt would ask it for its version before the first command of each run; dbt takes seconds
    to answer and asks PyPI for newer releases. The installed package knows it too.
    """

    @cached_property
    def _cli_version(self) -> Version:
        return Version(metadata.version("dbt-core"))


class ReportsResource(ConfigurableResource):
    """The folder of the reports: a page a week, and pages over all weeks."""

    directory: str = Field(description="Path of the folder.")

    def write(self, week: date, html: str) -> Path:
        """Put the week's page in its place, whole or not at all."""
        return self.write_page(str(week), html)

    def write_page(self, name: str, html: str) -> Path:
        """Put the page ``<name>.html`` in its place, whole or not at all."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(path.parent)
        written = unfinished(path)
        try:
            written.write_text(html, encoding="utf-8")
            written.replace(path)
        finally:
            with suppress(FileNotFoundError):
                written.unlink()
        return path

    def path(self, name: object) -> Path:
        """Where the page of that name is; a week's is named by the week."""
        return Path(self.directory) / f"{name}.html"


class ModelsResource(ConfigurableResource):
    """All stored models by version: those of earlier weeks, and those that others took the place
    of. (The model of the week that a run builds is an asset's input.)"""

    directory: str = Field(description="The folder of all models.")

    def folder(self, version: str) -> Path:
        """Where a version lies. Raises ModelFolderError when there is none."""
        return model_folders.folder_of_version(self._root, version)

    def versions(self) -> list[str]:
        """The versions that are stored, newest week first."""
        return model_folders.versions(self._root)

    @property
    def _root(self) -> Path:
        return Path(self.directory, "recommender")


def build_resources(settings: Settings) -> Mapping[str, Any]:
    """The resources for these settings."""
    return {
        "io_manager": ArrowDuckDBIOManager(database=str(settings.warehouse)),
        "model_io_manager": ModelIOManager(directory=str(settings.models)),
        "models": ModelsResource(directory=str(settings.models)),
        "landing": LandingResource(
            root=str(settings.landing_zone.root),
            first_week=str(settings.calendar.first_week),
            max_refused_share=settings.max_refused_share,
        ),
        "tables": TablesResource(database=str(settings.warehouse)),
        "plan": PlanResource(train_weeks=settings.train_weeks, seed=settings.seed),
        "reports": ReportsResource(directory=str(settings.reports)),
        "dbt": InstalledDbt(
            project_dir=dbt_project(settings),  # type: ignore[arg-type]
            dbt_executable=dbt_executable(),
        ),
    }
