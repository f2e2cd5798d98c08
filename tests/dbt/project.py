"""A small warehouse with raw tables, and dbt run on it as the platform runs it: as a process."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import yaml

from hm_platform.calendar import WEEK, Calendar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REPOSITORY = Path(__file__).parents[2]
CALENDAR = Calendar(date(2018, 9, 19))
WEEKS = [CALENDAR.first_week + WEEK * i for i in range(4)]

Purchase = tuple[date, str, str, float]
"""t_dat, customer_id, article_id, price."""

ARTICLES = ["0108775015", "0108775044", "0200000001"]
CUSTOMERS = ["anna", "bert", "cleo"]
UNKNOWN_ARTICLE, UNKNOWN_CUSTOMER = "0999999999", "nobody"


def purchases_of(week: date, seed: int = 0) -> list[Purchase]:
    """Purchases on all days of a week, some of them equal, some of what no file knows."""
    rng = random.Random(f"{week} {seed}")
    articles, customers = [*ARTICLES, UNKNOWN_ARTICLE], [*CUSTOMERS, UNKNOWN_CUSTOMER]
    day_after_day = [
        (
            week + timedelta(days=i % 7),
            rng.choice(customers),
            rng.choice(articles),
            rng.randrange(1, 1000) / 1000,
        )
        for i in range(40)
    ]
    return [
        *day_after_day,
        day_after_day[0],
        (week, "anna", UNKNOWN_ARTICLE, 0.5),
        (week, UNKNOWN_CUSTOMER, "0108775015", 0.25),
    ]


def channel_of(day: date | None) -> int | None:
    """In which channel all purchases of a day are made: a store, online, or nobody knows."""
    return (1, 2, None)[day.toordinal() % 3] if day else None


def far_days() -> list[Purchase]:
    """A purchase on each of many days, before and after the first week, leap days among them."""
    rng = random.Random(0)
    days = {date(1996, 1, 1) + timedelta(days=rng.randrange(20_000)) for _ in range(300)}
    days |= {date(2000, 2, 29), date(2020, 2, 29), CALENDAR.first_week - timedelta(days=1)}
    # Apart from the weeks that tests rebuild.
    return [(day, "cleo", "0200000001", 0.1) for day in days if not WEEKS[0] <= day < WEEKS[-1]]


@dataclass(frozen=True)
class Outcome:
    """How one invocation of dbt ended."""

    returncode: int
    output: str
    statuses: dict[str, str]
    """The status of each model and test that was selected, by its name."""


@dataclass(frozen=True)
class Dbt:
    """The dbt project with a warehouse of its own under ``home``."""

    home: Path
    project: Path = REPOSITORY / "dbt"

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse.duckdb"

    @property
    def target(self) -> Path:
        return self.home / "target" / self.project.parent.name

    @property
    def log(self) -> Path:
        return self.target / "logs" / "dbt.log"

    def environment(self) -> dict[str, str]:
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith(("HM_", "DBT_"))},
            "HM_HOME": str(self.home),
            "HM_FIRST_WEEK": str(CALENDAR.first_week),
            "DBT_PROFILES_DIR": str(self.project),
            "DBT_TARGET_PATH": str(self.target),
            "DBT_LOG_PATH": str(self.log.parent),
            "PYTHONPATH": str(REPOSITORY),
        }

    def start(self, *arguments: str, weeks: tuple[date, date] | None = None) -> subprocess.Popen:
        """Start ``dbt build``; ``weeks`` are the first day of the range and the day after it."""
        range_ = (
            ["--event-time-start", str(weeks[0]), "--event-time-end", str(weeks[1])]
            if weeks
            else []
        )
        return subprocess.Popen(
            [
                Path(sys.executable).with_name("dbt"),
                "build",
                "--no-use-colors",
                *arguments,
                *range_,
            ],
            cwd=self.project,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def build(self, *arguments: str, weeks: tuple[date, date] | None = None) -> Outcome:
        results = self.target / "run_results.json"
        results.unlink(missing_ok=True)
        process = self.start(*arguments, weeks=weeks)
        output, _ = process.communicate(timeout=600)
        statuses = {}
        if results.exists():
            for result in json.loads(results.read_text())["results"]:
                statuses[result["unique_id"].split(".")[2]] = result["status"]
        return Outcome(process.returncode, output, statuses)

    @contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        connection = duckdb.connect(self.warehouse)
        try:
            yield connection
        finally:
            connection.close()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.connect() as connection:
            return connection.sql(query).fetchall()

    def content(self, table: str) -> set[tuple[Any, ...]]:
        """All rows of a table; a test that looks at this one says so if two are equal."""
        rows = self.rows(f"SELECT * FROM {table}")
        assert len(set(rows)) == len(rows)
        return set(rows)

    def write_week(self, week: date, purchases: Sequence[Purchase]) -> None:
        """Replace a week of raw.transactions."""
        with self.connect() as connection:
            connection.execute(
                "DELETE FROM raw.transactions WHERE t_dat >= ? AND t_dat < ?", [week, week + WEEK]
            )
            insert_purchases(connection, f"transactions/{week}.csv", purchases)


def insert_purchases(
    connection: duckdb.DuckDBPyConnection, uri: str, purchases: Sequence[tuple[Any, ...]]
) -> None:
    """Add purchases to raw.transactions, numbered as the rows of one file."""
    if purchases:
        connection.executemany(
            "INSERT INTO raw.transactions VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (*purchase, channel_of(purchase[0]), uri, number)
                for number, purchase in enumerate(purchases, 1)
            ],
        )


def write_raw(connection: duckdb.DuckDBPyConnection) -> None:
    """The raw tables as the sources declare them, with three weeks and many far days."""
    connection.execute("CREATE SCHEMA raw")
    sources = yaml.safe_load((REPOSITORY / "dbt/models/sources.yml").read_text())
    for table in sources["sources"][0]["tables"]:
        columns = ", ".join(f"{c['name']} {c['data_type']}" for c in table["columns"])
        connection.execute(f"CREATE TABLE raw.{table['name']} ({columns})")

    for week in WEEKS[:3]:
        insert_purchases(connection, f"transactions/{week}.csv", purchases_of(week))
    insert_purchases(connection, "transactions/far.csv", far_days())
    for i, customer in enumerate(CUSTOMERS):
        connection.execute(
            "INSERT INTO raw.customers (customer_id, fn, age) VALUES (?, ?, ?)",
            [customer, i % 2, 20 + i],
        )
    for article in ARTICLES:
        connection.execute(
            "INSERT INTO raw.articles (article_id, prod_name) VALUES (?, ?)",
            [article, f" name of {article} "],
        )
