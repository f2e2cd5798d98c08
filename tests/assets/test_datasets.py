"""Which weeks the indices are made of, as Dagster makes them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from dagster import AssetKey, AssetsDefinition, AssetSpec, DagsterInstance, materialize

from hm_platform.assets.datasets import article_index, customer_index
from hm_platform.assets.partitions import weekly
from hm_platform.calendar import WEEK
from hm_platform.resources import PlanResource, TablesResource
from hm_platform.storage.io_managers import ArrowIOManager
from hm_platform.storage.resource import LocalStorage
from hm_platform.storage.tables import Slice

W = date(2018, 12, 26)
TRAIN_WEEKS = 3
BOUGHT = {
    W - 6 * WEEK: "ab", W - 5 * WEEK: "xb", W - 4 * WEEK: "cb", W - 2 * WEEK: "b", W - WEEK: "d",
    W: "e", W + WEEK: "f",
}  # fmt: skip
"""Week -> ids: two weeks before training, two of it, validation, test, and the future."""

CASES = [
    (article_index, "article_id", "marts.weekly_article_sales", "staging.stg_articles"),
    (customer_index, "customer_id", "marts.weekly_customer_purchases", "staging.stg_customers"),
]


@pytest.mark.parametrize(
    ("index", "column", "weekly_table", "registered"), CASES, ids=["articles", "customers"]
)
def test_training_comes_first_and_the_future_is_not_known(
    index: AssetsDefinition, column: str, weekly_table: str, registered: str, tmp_path: Path
) -> None:
    storage = LocalStorage(home=str(tmp_path))
    rows = [(week, each) for week, ids in BOUGHT.items() for each in ids]
    tables = {
        weekly_table: pa.table({"week": [w for w, _ in rows], column: [i for _, i in rows]}),
        registered: pa.table({column: ["0", "c"]}),
    }
    for name, table in tables.items():
        storage.tables.replace(Slice(*name.split(".")), table.to_reader())
    with DagsterInstance.ephemeral() as instance:
        done = materialize(
            [
                index,
                AssetSpec(AssetKey(weekly_table.split(".")), partitions_def=weekly),
                AssetSpec(AssetKey(registered.split("."))),
            ],
            partition_key=str(W),
            instance=instance,
            selection=[index],
            resources={
                "storage": storage,
                "io_manager": ArrowIOManager(storage=storage),
                "tables": TablesResource(storage=storage),
                "plan": PlanResource(train_weeks=TRAIN_WEEKS, seed=0),
            },
        )
    assert done.success
    made = storage.tables.read(Slice("datasets", index.key.path[-1])).sort_by(
        column.replace("_id", "_index")
    )
    assert made[column].to_pylist() == ["b", "c", "0", "a", "d", "e", "x"]
    assert made["in_training"].to_pylist() == [True] * 2 + [False] * 5
