"""A shop whose weeks are built and published, without Dagster, in either storage."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from hm_platform.calendar import WEEK
from hm_platform.serving.decisions import (
    Decision,
    with_decision,
)
from hm_platform.storage.places import Storage
from hm_platform.storage.tables import Slice
from tests.home import week
from tests.serving.rows import PASSED, failed, results

FILLED = (("datasets", "train"), ("features", "articles"))
"""The tables that the shop has: one of each schema."""


def version(number: int, digit: str = "0") -> str:
    return f"{week(number)}-{digit * 10}"


@dataclass(frozen=True)
class Shop:
    """Seven built weeks: week 0 was trained twice, 1 failed and was served by 0, somebody has
    decided for the model of week 2 that failed, and the tests of a backtest of week 3 passed."""

    storage: Storage

    def fill(self, folder: Path) -> Shop:
        tables, numbers = self.storage.tables, range(7)
        for schema, table in FILLED:
            for n in numbers:
                rows = pa.table({"week": pa.array([week(n)] * 3, pa.date32()), "x": [1, 2, 3]})
                at = Slice(schema, table, (week(n), week(n) + WEEK))
                tables.replace(at, rows.to_reader())
        for n, digit in [(0, "a"), *((n, "0") for n in numbers)]:
            trained = folder / version(n, digit)
            trained.mkdir(parents=True)
            (trained / "manifest.json").write_text(json.dumps({"version": trained.name}))
            (trained / "weights.safetensors").write_bytes(b"w" * 100)
            self.storage.models.store(week(n), trained)
        by = {1: version(0), 2: version(0), 3: version(0)}
        rows = [
            {"week": week(n), "model_version": by.get(n, version(n)), "recommender": "ranker",
             "fingerprint": "f"}
            for n in numbers
        ]  # fmt: skip
        schema = pa.schema([("week", pa.date32()), *((n, pa.string()) for n in
                            ("model_version", "recommender", "fingerprint"))])  # fmt: skip
        self.write("serving", "publications", pa.Table.from_pylist(rows, schema))
        decision = Decision("promote", week(6), version(2), "we know")
        now = datetime(2018, 11, 1)  # noqa: DTZ001 - as it is stored
        self.write("serving", "decisions", with_decision(None, decision, now))
        self.write("evaluation", "behavioral_tests", self.tests())
        return self

    def write(self, schema: str, table: str, rows: pa.Table) -> None:
        self.storage.tables.replace(Slice(schema, table), rows.to_reader())

    @staticmethod
    def tests() -> pa.Table:
        said = {0: PASSED, 3: PASSED}
        return pa.concat_tables(
            [results(week(n), version(n), said.get(n, failed())) for n in range(7)]
        )

    def weeks(self, schema: str, table: str) -> set[date]:
        return {each.week for each in self.storage.tables.weeks(schema, table)}

    @property
    def state(self) -> tuple[Any, ...]:
        return (
            {table: self.weeks(*table) for table in FILLED},
            set(self.storage.models.versions()),
            {w: self.storage.models.version_of_week(w) for w in self.storage.models.weeks()},
        )


KEPT = (
    {table: {week(4), week(5), week(6)} for table in FILLED},
    {version(n) for n in (0, 2, 3, 4, 5, 6)},
    {week(n): version(n) for n in (4, 5, 6)},
)
"""What of the shop stays when three weeks are kept."""
