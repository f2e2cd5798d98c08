"""What assets are given to work with: the landing zone, the tables, the plan of a run, the reports.

Where things lie is said by the storage (``hm_platform.storage``), which all of them are given.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from functools import cached_property, partial
from importlib import metadata
from pathlib import Path
from typing import Any

import pyarrow as pa
from dagster import ConfigurableResource, DagsterInvariantViolationError, OpExecutionContext
from dagster_dbt import DbtCliResource
from packaging.version import Version
from pydantic import Field

from hm_platform.calendar import WEEK, Calendar
from hm_platform.code_version import code_fingerprint
from hm_platform.datasets.plan import SplitPlan, plan_parameters
from hm_platform.dbt_project import dbt_executable, dbt_project
from hm_platform.landed_weeks import sql_weeks_to_join_again
from hm_platform.landing.columns import rows_fingerprint
from hm_platform.landing.entry import FileRows
from hm_platform.landing.validating import MAX_REFUSED_SHARE, Rules
from hm_platform.landing.zone import Landing, landing_at
from hm_platform.runs import turns_lock
from hm_platform.settings import Settings
from hm_platform.storage import model_folders
from hm_platform.storage.io_managers import ArrowIOManager, ModelIOManager
from hm_platform.storage.metering import METER, counted
from hm_platform.storage.resource import LocalStorage, StorageResource
from hm_platform.storage.tables import Days, Slice, table_exists


class LandingResource(ConfigurableResource):
    """Where new files arrive, and what they are judged by."""

    root: str = Field(description="Path of the folder, or address as s3://bucket/folder.")
    endpoint: str = Field(default="", description="Address of the server that speaks S3.")
    first_week: str = Field(description="First day of the first week, YYYY-MM-DD.")
    max_refused_share: float = Field(
        default=MAX_REFUSED_SHARE, description="Share of refused rows past which a file is held."
    )

    @property
    def zone(self) -> Landing:
        return landing_at(self.root, self.endpoint)

    def rules(self) -> Rules:
        """Raises LandingError when dataset.toml cannot be understood."""
        calendar = Calendar(date.fromisoformat(self.first_week))
        return Rules.of(self.zone, calendar, self.max_refused_share, code_fingerprint())


class TablesResource(ConfigurableResource):
    """Reads of tables that are not an asset's inputs: what a table held before this run, what
    this run has written to it, or weeks of which the run's plan says which they are."""

    storage: StorageResource

    def _read(self, source: Slice) -> pa.Table | None:
        rows = self.storage.tables.read_each(source)[0]
        if rows is not None:
            _counting()(rows.nbytes)
        return rows

    def _stream(self, source: Slice) -> pa.RecordBatchReader:
        return counted(self.storage.tables.stream(source), _counting())

    def previous(self, schema: str, table: str) -> pa.Table | None:
        """The whole table as it stands, or None where there is none yet."""
        return self._read(Slice(schema, table))

    def of_week(self, schema: str, table: str, week: date) -> pa.Table | None:
        """One week of a table, or None where there is no such table yet."""
        return self._read(_week(schema, table, week))

    def of_files(
        self, dataset: str, uris: Sequence[str], days: Days | None = None
    ) -> pa.RecordBatchReader | None:
        """The rows of ``raw.<dataset>`` that came in these files, streamed, or None where there is
        no such table yet; with ``days`` the purchases of those, the end excluded."""
        if not self.storage.tables.exists("raw", dataset):
            return None
        return self._stream(Slice("raw", dataset, days, "t_dat", {"uri": uris}))

    def of_customers(self, ids: Sequence[str], before: date, columns: Sequence[str]) -> pa.Table:
        """Some columns of what these customers bought before a week, from
        ``marts.joined_transactions``."""
        weeks = (date.min, before)
        source = Slice(
            "marts", "joined_transactions", weeks, only={"customer_id": ids}, columns=columns
        )
        rows = self.storage.tables.read(source)
        _counting()(rows.nbytes)
        return rows

    def loaded_rows(
        self, calendar: Calendar, start: date | None = None, end: date | None = None
    ) -> dict[date, list[FileRows]]:
        """What ``raw.transactions`` holds of each week: the rows of each file, told as the index
        tells them. ``start`` and ``end`` bound the days, the end excluded."""
        days = (start or date.min, end or date.max) if start or end else None
        source = Slice("raw", "transactions", days, "t_dat")
        with self.storage.tables.sql(source) as connection:
            if not table_exists(connection, "raw", "transactions"):
                return {}
            rows = connection.execute(
                f"SELECT {calendar.sql_week('t_dat')} AS week, uri, count(*), "
                f"{rows_fingerprint('transactions')} FROM raw.transactions "
                f"WHERE {source.where or 'true'} GROUP BY week, uri ORDER BY week, uri"
            ).fetchall()
        found: dict[date, list[FileRows]] = {}
        for week, uri, count, fingerprint in rows:
            found.setdefault(week, []).append((uri, count, fingerprint))
        return found

    def weeks_to_join_again(self, tables: Collection[str], days: Days | None = None) -> list[date]:
        """The weeks, in order, whose purchases waited for rows that these of JOINED have now; of
        these days, if given."""
        joined = Slice("marts", "joined_transactions", days)
        staged = [Slice("staging", f"stg_{table}") for table in tables]
        with self.storage.tables.sql(joined, *staged) as connection:
            if not staged or not table_exists(connection, joined.schema, joined.table):
                return []
            where = joined.where or "true"
            each = " UNION ".join(sql_weeks_to_join_again(table, where) for table in tables)
            return [week for (week,) in connection.execute(f"{each} ORDER BY week").fetchall()]

    def without_match(self, entity: str, days: Days) -> dict[str, int]:
        """Purchases that ``marts.joined_transactions`` found no "article" or "customer" for, by the
        week of these days; weeks with none are left out."""
        joined = Slice("marts", "joined_transactions", days)
        with self.storage.tables.sql(joined) as connection:
            rows = connection.execute(
                f"SELECT week::VARCHAR, count(*) FROM {joined.name} "
                f"WHERE {joined.where} AND NOT has_{entity} GROUP BY week ORDER BY week"
            ).fetchall()
        return dict(rows)

    def forget(self, schema: str, table: str, week: date) -> None:
        """Remove a week of a table, which need not be there."""
        self.storage.tables.delete(Slice(schema, table, (week, week + WEEK)))

    def stream(
        self,
        key: Sequence[str],
        week: date,
        columns: Sequence[str],
        only: Mapping[str, str] | None = None,
    ) -> pa.RecordBatchReader:
        """Some columns of one week of the table (schema, table); of the rows that are ``only``."""
        schema, table = key
        return self._stream(_week(schema, table, week, columns, only))

    def between(
        self, key: Sequence[str], start: date, end: date, columns: Sequence[str]
    ) -> pa.RecordBatchReader:
        """Some columns of the weeks of the table (schema, table) that begin in [start, end)."""
        schema, table = key
        return self._stream(Slice(schema, table, (start, end), columns=columns))

    def distinct(self, key: Sequence[str], end: date, column: str, within: Days) -> pa.Table:
        """Each value of a column of the table (schema, table) in the weeks that begin before
        ``end``, and ``within``: whether it is there in those that begin in these days."""
        schema, table = key
        source = Slice(schema, table, (date.min, end), columns=[column])
        found = self.storage.tables.distinct(source, within)
        _counting()(found.nbytes)
        return found

    def weekly(
        self, key: Sequence[str], week: date, columns: Sequence[str] = ()
    ) -> pa.RecordBatchReader | None:
        """One week of the table (schema, table), or None where there is no table yet."""
        schema, table = key
        if not self.storage.tables.exists(schema, table):
            return None
        return self._stream(_week(schema, table, week, columns))

    def row_counts(self, keys: Sequence[Sequence[str]]) -> dict[tuple[str, ...], int]:
        """Rows of the tables (schema, table) that are there; of weekly ones only where the storage
        knows them."""
        rows = {(s, t): self.storage.tables.table_rows(s, t) for s, t in keys}
        return {key: count for key, count in rows.items() if count is not None}


def _counting() -> Callable[[int], None]:
    """Counts bytes as read by the step that asks for it, if one does."""
    try:
        step = OpExecutionContext.get().get_step_execution_context()
    except DagsterInvariantViolationError:
        return lambda _: None
    count = partial(METER.read, (step.run_id, step.step.key))
    count(0)
    return count


def _week(
    schema: str,
    table: str,
    week: date,
    columns: Sequence[str] = (),
    only: Mapping[str, str] | None = None,
) -> Slice:
    return Slice(schema, table, (week, week + WEEK), "week", only or {}, columns)


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
    to answer and asks PyPI for newer releases. The installed package knows it too. And it would
    make an adapter of dbt's in this process, in seconds again, for row counts and columns that
    others fetch with it; here nobody does.
    """

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> None:  # type: ignore[override]
        return None

    @cached_property
    def _cli_version(self) -> Version:
        return Version(metadata.version("dbt-core"))


class ReportsResource(ConfigurableResource):
    """The reports: a page a week, and pages over all weeks."""

    storage: StorageResource

    def write(self, week: date, html: str) -> str:
        """Put the week's page in its place, whole or not at all; return its address."""
        return self.storage.pages.write(week, html)

    def write_page(self, name: str, html: str) -> str:
        """Put the page of that name in its place, whole or not at all; return its address."""
        return self.storage.pages.write(name, html)


class ModelsResource(ConfigurableResource):
    """All stored models by version: those of earlier weeks, and those that others took the place
    of. (The model of the week that a run builds is an asset's input.)"""

    storage: StorageResource

    def folder(self, version: str) -> Path:
        """A folder with a version. Raises ModelFolderError when there is none."""
        folder = self.storage.models.folder_of_version(version)
        _counting()(model_folders.size(folder))
        return folder

    def versions(self) -> list[str]:
        """The versions that are stored, newest week first."""
        return self.storage.models.versions()


class RetentionResource(ConfigurableResource):
    """What is stored, and for how long it is kept."""

    storage: StorageResource
    home: str = Field(description="Path of the folder with the locks of runs.")
    by_weeks: bool = Field(description="Whether runs of different weeks may work side by side.")
    keep_weeks: int = Field(ge=0, description="How many built weeks are kept whole; 0: all.")

    def lock_of(self, week: date) -> Path:
        """The lock that a run of that week holds where runs work side by side."""
        return turns_lock(Path(self.home), week)


def build_storage(settings: Settings) -> StorageResource:
    """The storage of these settings."""
    if settings.storage == "local":
        return LocalStorage(home=str(settings.home))
    from hm_platform.storage.s3.resource import S3Connection, S3Storage

    return S3Storage(
        s3=S3Connection(endpoint_url=settings.s3_endpoint or None),
        bucket=settings.s3_bucket,
        prefix=settings.s3_prefix.strip("/"),
        home=str(settings.home),
    )


def build_resources(settings: Settings) -> Mapping[str, Any]:
    """The resources for these settings."""
    storage = build_storage(settings)
    return {
        "storage": storage,
        "io_manager": ArrowIOManager(storage=storage),
        "model_io_manager": ModelIOManager(storage=storage),
        "models": ModelsResource(storage=storage),
        "landing": LandingResource(
            root=settings.landing_address,
            endpoint=settings.s3_endpoint,
            first_week=str(settings.calendar.first_week),
            max_refused_share=settings.max_refused_share,
        ),
        "tables": TablesResource(storage=storage),
        "plan": PlanResource(train_weeks=settings.train_weeks, seed=settings.seed),
        "retention": RetentionResource(
            storage=storage,
            home=str(settings.home),
            by_weeks=settings.storage != "local",
            keep_weeks=settings.keep_weeks,
        ),
        "reports": ReportsResource(storage=storage),
        "dbt": InstalledDbt(
            project_dir=dbt_project(settings),  # type: ignore[arg-type]
            dbt_executable=dbt_executable(),
        ),
    }
