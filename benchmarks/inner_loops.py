"""The two inner loops at a shop's size: exact search, and the examples that training gets.

    python -m benchmarks.inner_loops --home HOME --week 2020-09-16 result.json

Search is compared, in the same run, with the machine's own product of the same two matrices, and
with the exact search of FAISS and implicit where these are installed.
"""

from __future__ import annotations

import importlib
import json
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from hm_platform.assets.models import LEARNT_FROM
from hm_platform.features.encoders import Encoders
from hm_platform.features.loading import FeatureTables, load_snapshot
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.data import TrainingData
from hm_platform.modelling.examples import Purchases
from hm_platform.modelling.fitting import fit, quiet, reproducible
from hm_platform.modelling.lightning import TwoTowerModule
from hm_platform.modelling.metrics import purchased
from hm_platform.modelling.network import TwoTower
from hm_platform.modelling.parameters import TrainingParams
from hm_platform.modelling.search import search
from hm_platform.modelling.training import Epochs, TrainingInputs, network_shape
from hm_platform.modelling.two_tower import CUSTOMER_BLOCK, TwoTowerRecommender
from hm_platform.settings import Settings
from hm_platform.storage.places import storage_of
from hm_platform.storage.tables import Slice

CUSTOMERS, K = 4096, 40
EXAMPLES = 30_000
SEED = 0


def search_speeds(n_articles: int, dimension: int) -> dict[str, float]:
    """Customers a second for whom the K best of all articles are found, by who finds them.

    ``product`` is the product of the two matrices alone, without anything being found in it.
    """
    rng = np.random.default_rng(SEED)
    customers = rng.standard_normal((CUSTOMERS, dimension), dtype=np.float32)
    articles = rng.standard_normal((n_articles, dimension), dtype=np.float32)
    asked, catalogue = torch.from_numpy(customers), torch.from_numpy(articles)
    bias = torch.zeros(n_articles)
    nothing = torch.zeros(0, dtype=torch.int64)
    room = torch.empty((CUSTOMER_BLOCK, n_articles))

    def ours() -> None:
        for start in range(0, CUSTOMERS, CUSTOMER_BLOCK):
            block = asked[start : start + CUSTOMER_BLOCK]
            search(block, catalogue, bias, (nothing, nothing, torch.zeros(0)), K, room)

    def product() -> None:
        for start in range(0, CUSTOMERS, CUSTOMER_BLOCK):
            torch.mm(asked[start : start + CUSTOMER_BLOCK], catalogue.T, out=room)

    ways: dict[str, Callable[[], object]] = {"product": product, "hm_platform": ours}
    if faiss := _module("faiss"):
        index = faiss.IndexFlatIP(dimension)
        index.add(articles)
        ways["FAISS IndexFlatIP"] = lambda: index.search(customers, K)
    if implicit := _module("implicit.cpu.topk"):
        ways["implicit topk"] = lambda: implicit.topk(articles, customers, K)
    with torch.inference_mode():
        return {name: CUSTOMERS / _best(way) for name, way in ways.items()}


def training_speeds(settings: Settings, week: date) -> dict[str, float]:
    """Examples a second as batches are put together, and as the network learns from them."""
    tables = storage_of(settings).tables
    days = (week, week + timedelta(weeks=1))

    def read(schema: str, table: str, **options: Any) -> Any:
        return tables.read(Slice(schema, table, days, **options))

    def features(table: str) -> Any:
        return tables.stream(Slice("features", table, days, only={"split": "validation"}))

    snapshot: Snapshot = load_snapshot(
        week,
        "validation",
        FeatureTables(
            articles=features("articles"),
            customers=features("customers"),
            purchase_histories=features("purchase_histories"),
            copurchases=features("copurchases"),
            article_index=read("datasets", "article_index"),
            customer_index=read("datasets", "customer_index"),
        ),
    )
    train = read("datasets", "train", columns=LEARNT_FROM)
    encoders = Encoders.from_table(read("features", "encoders"))
    inputs = TrainingInputs(snapshot, train, train.slice(0, 0), encoders)
    params = TrainingParams(epochs=1, epoch_examples=EXAMPLES)
    purchases = Purchases.from_table(train, snapshot.cutoff)
    shape = network_shape(inputs, purchases, params)
    data = TrainingData(
        snapshot, purchases, article_sizes=dict(shape.article_sizes),
        customer_sizes=dict(shape.customer_sizes), weeks=params.example_weeks,
        history_length=params.history_length, epoch_examples=params.epoch_examples,
        batch_size=params.batch_size, negatives=params.negatives,
    )  # fmt: skip
    examples = sum(len(part) for part in data.plan(np.random.default_rng(SEED)))

    def alone() -> None:
        for _ in data.batches(SEED, 1):
            pass

    def learning() -> None:
        with reproducible(SEED), quiet(), tempfile.TemporaryDirectory() as scratch:
            recommender = TwoTowerRecommender(
                TwoTower(shape, article_id_dropout=params.article_id_dropout,
                         customer_id_dropout=params.customer_id_dropout),
                data.article_ids, data.customer_ids, params.history_length,
            )  # fmt: skip
            nobody = purchased(np.zeros(0, np.int32), np.zeros(0, np.int32))
            module = TwoTowerModule(recommender, snapshot, nobody, params.learning_rate,
                                    params.embedding_learning_rate)  # fmt: skip
            fit(module, Epochs(data, SEED), None, epochs=1, patience=1,
                checkpoints=Path(scratch, "checkpoints"), progress=lambda _: None)  # fmt: skip

    ways = {"batches alone": alone, "with the network": learning}
    return {name: examples / _best(way, 1) for name, way in ways.items()}


def _best(way: Callable[[], object], times: int = 3) -> float:
    """Seconds of the fastest of some goes."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        way()
        taken.append(time.perf_counter() - start)
    return min(taken)


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def main(
    result: Annotated[Path, typer.Argument(help="The JSON file to write.")],
    home: Annotated[Path, typer.Option(help="A home in which the week is built.")],
    week: Annotated[str, typer.Option(help="The week, by its first day.")],
) -> None:
    """Measure both and write them down."""
    settings, day = Settings(home=home), date.fromisoformat(week)
    days = (day, day + timedelta(weeks=1))
    n_articles = storage_of(settings).tables.count(Slice("datasets", "article_index", days))
    found = {
        "articles": n_articles,
        "search": search_speeds(n_articles, TrainingParams().dimension),
        "training": training_speeds(settings, day),
    }
    result.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
