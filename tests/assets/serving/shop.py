"""A shop whose week is built up to its features and its model: what is left is to serve it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
from dagster import (
    AssetKey,
    AssetSpec,
    DagsterInstance,
    ExecuteInProcessResult,
    materialize,
)

from hm_platform.assets import serving
from hm_platform.assets.partitions import weekly
from hm_platform.calendar import WEEK as A_WEEK
from hm_platform.resources import ModelsResource, PlanResource, TablesResource
from hm_platform.storage.io_managers import ArrowIOManager, ModelIOManager
from hm_platform.storage.local import Warehouse
from hm_platform.storage.resource import LocalStorage
from hm_platform.storage.tables import Slice
from tests.features.world import CUTOFFS, WEEK, days_before, world
from tests.modelling.stored import version_of
from tests.serving.rows import PASSED, failed, results

LAST = WEEK - A_WEEK
CHALLENGER, AGAIN = f"{WEEK}-aaaaaaaaaa", f"{WEEK}-bbbbbbbbbb"
CHAMPION = f"{LAST}-cccccccccc"
ARTICLES = tuple(f"0{i:03d}" for i in range(20))
CUSTOMERS = tuple(f"c{i}" for i in range(30))
ALL = ("serving/recommendations", "serving/publications")
UPSTREAM_MODEL = AssetKey(["models", "recommender"])


def tables(rows: int = 200) -> dict[str, pa.Table]:
    """What serving reads of the week: indices, encoders, features, records of what is loaded."""
    shop = world(
        [
            (days_before(CUTOFFS["serving"], 1 + i % 40), CUSTOMERS[i * 7 % 25],
             ARTICLES[i * i % 15], 1.0 + i % 9)
            for i in range(rows)
        ],
        articles=ARTICLES,
        customers=CUSTOMERS,
        article_rows=[
            {"article_id": article, "product_code": str(i % 7), "department_name": str(i % 3)}
            for i, article in enumerate(ARTICLES)
        ],
        customer_rows=[
            {"customer_id": customer, "age": 20 + i, "club_member_status": str(i % 4)}
            for i, customer in enumerate(CUSTOMERS)
        ],
    )  # fmt: skip
    encoders = shop.fit()
    cutoff = {"serving": CUTOFFS["serving"]}
    return {
        "datasets.article_index": shop.article_index,
        "datasets.customer_index": shop.customer_index,
        "features.encoders": encoders.to_table(WEEK),
        "features.articles": shop.article_features(encoders, cutoff),
        "features.customers": shop.customer_features(encoders, cutoff),
        "features.purchase_histories": shop.purchase_histories(cutoff),
        "features.copurchases": shop.copurchases(cutoff),
        "marts.loaded_weeks": pa.table(
            {"week": pa.array([LAST, WEEK], pa.date32()), "fingerprint": ["l", "w"]}
        ),
        "marts.loaded_catalogue": pa.table(
            {"table_name": ["articles", "customers"], "fingerprint": ["a", "c"]}
        ),
        # Another week, as it was published before there was a gate.
        "serving.publications": pa.table(
            {
                "week": pa.array([LAST], pa.date32()),
                "model_version": [CHAMPION],
                "recommender": ["ranker"],
                "customers": pa.array([1], pa.int64()),
                "recommendations": pa.array([1], pa.int64()),
                "fingerprint": ["before"],
            }
        ),
        "serving.recommendations": pa.table(
            {
                "week": pa.array([LAST], pa.date32()),
                "customer_id": ["c0"],
                "rank": pa.array([1], pa.int8()),
                "article_id": [ARTICLES[0]],
                "score": pa.array([0.1], pa.float32()),
                "source": ["two_tower"],
                "model_version": [CHAMPION],
            }
        ),
    }


@dataclass(frozen=True)
class Shop:
    """Its warehouse and its models."""

    home: Path
    instance: DagsterInstance

    @property
    def database(self) -> Path:
        return self.home / "warehouse.duckdb"

    @property
    def models(self) -> Path:
        return self.home / "models" / "recommender"

    def set_up(self, stored: Path, made: Mapping[str, pa.Table]) -> None:
        """Write the tables, store the models, and have the challenger be the week's."""
        for name, rows in made.items():
            self.write(name, rows)
        self.models.mkdir(parents=True)
        for version in (CHALLENGER, AGAIN, CHAMPION):
            version_of(stored, self.models, version, chosen="ranker")
        self.train(CHALLENGER)

    def train(self, version: str) -> None:
        """Have a version be the model of its week."""
        pointer = self.models / f"{version[:10]}.json"
        pointer.write_text(json.dumps({"version": version}))

    def judge(self, *rows: Mapping[str, Any], version: str = CHALLENGER, week: date = WEEK) -> None:
        """Test a version; without rows it passes."""
        self.write("evaluation.behavioral_tests", results(week, version, *(rows or (PASSED,))))

    def fail(self) -> None:
        self.judge(failed(), PASSED)

    def write(self, name: str, rows: pa.Table) -> None:
        schema, table = name.split(".")
        Warehouse(self.database).replace(Slice(schema, table), rows.to_reader())

    def query(self, sql: str) -> list[tuple]:
        with Warehouse(self.database).sql() as connection:
            return connection.execute(sql).fetchall()

    @property
    def resources(self) -> dict[str, Any]:
        return {
            "io_manager": ArrowIOManager(storage=LocalStorage(home=str(self.home))),
            "model_io_manager": ModelIOManager(storage=LocalStorage(home=str(self.home))),
            "tables": TablesResource(storage=LocalStorage(home=str(self.home))),
            "models": ModelsResource(storage=LocalStorage(home=str(self.home))),
            "plan": PlanResource(train_weeks=4, seed=0),
        }

    def serve(
        self, select: Sequence[str] = ALL, tags: Mapping[str, str] | None = None
    ) -> ExecuteInProcessResult:
        """Materialise some of the serving assets of the week, with their checks."""
        own = {key for asset in serving.ASSETS for key in asset.keys}
        keys = {key for asset in serving.ASSETS for key in asset.dependency_keys} - own
        return materialize(
            [*serving.ASSETS, *serving.CHECKS, *map(_upstream, sorted(keys))],
            partition_key=str(WEEK),
            selection=list(select),
            resources=self.resources,
            instance=self.instance,
            tags=dict(tags or {}),
            raise_on_error=False,
        )

    def published(self) -> tuple[str, str, str]:
        """State, version and recommender of the week's publication."""
        (row,) = self.query(
            "SELECT state, model_version, recommender FROM serving.publications "
            f"WHERE week = DATE '{WEEK}'"
        )
        return row

    def served(self) -> list[tuple[str, int]]:
        """Versions in the week's recommendations, and how many customers have them."""
        return self.query(
            "SELECT model_version, count(DISTINCT customer_id) FROM serving.recommendations "
            f"WHERE week = DATE '{WEEK}' GROUP BY 1"
        )

    def rows(self, where: str) -> dict[str, list[tuple]]:
        """Rows of all that is published, and of decisions."""
        return {
            name: self.query(f"SELECT * FROM serving.{name} WHERE {where} ORDER BY ALL")
            for name in ("publications", "recommendations")
        }


def _upstream(key: AssetKey) -> AssetSpec:
    if key.to_user_string() == "marts/loaded_catalogue":
        return AssetSpec(key)
    spec = AssetSpec(key, partitions_def=weekly, metadata={"partition_expr": "week"})
    return spec.with_io_manager_key("model_io_manager") if key == UPSTREAM_MODEL else spec


def said(result: ExecuteInProcessResult) -> str:
    """What a failed run says."""
    from hm_platform.runs import first_failure

    assert not result.success
    return first_failure(result.all_events) or ""
