"""A small made-up week, whose numbers can be worked out by hand.

Seven of eight articles can be recommended, four of five customers bought in the test week, and
lists hold three articles:

| customer | past purchases | history | bought | model     | popularity |
|---|---|---|---|---|---|
| 0 | 3   | 0, 1 | 0, 5 | 0, 2, 5 | 1, 2, 0 |
| 1 | 600 | 2    | 3    | 1, 3, 0 | 1, 2, 0 |
| 3 | 0   | –    | 1    | 2, 1, 0 | 1, 2, 0 |
| 4 | 25  | 0    | 6    | 0, 1, 2 | 1, 2, 0 |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hm_platform.behaviour.cold_articles import ColdArticles, ColdScores
from hm_platform.behaviour.cold_customers import AsIfNew
from hm_platform.behaviour.inputs import CATALOGUE, Evaluated, ReportInputs, Sources, SplitVolume
from hm_platform.behaviour.reclist_tests import run_behavioral_tests
from hm_platform.behaviour.results import BehavioralResults
from hm_platform.features.snapshot import Histories, Neighbours, Snapshot
from hm_platform.modelling.candidates import CandidateRecall
from hm_platform.modelling.metrics import Purchased, evaluate
from hm_platform.modelling.selection import MODELS
from tests.behaviour.rich import rich

WEEK = date(2020, 9, 16)
MODEL = [[0, 2, 5], [1, 3, 0], [2, 1, 0], [0, 1, 2]]
POPULARITY = [[1, 2, 0]] * 4
BOUGHT = {0: [0, 5], 1: [3], 3: [1], 4: [6]}
HISTORY = {0: [0, 1], 1: [2], 4: [0]}
NAMES = ["Strap top", "Jade slim", "Zip hoodie", None, "Polo & co", "Tights", "Scarf", "Unsold"]


def catalogue(names: Sequence[str | None] = NAMES) -> pa.Table:
    """Names, and nothing else, of the eight articles."""
    return pa.table(
        {
            column: pa.array(names if column == "prod_name" else [None] * 8, pa.string())
            for column in CATALOGUE
        }
    )


def int32(values: object) -> np.ndarray:
    return np.asarray(values, dtype=np.int32)


def rows(values: Mapping[int, Sequence[int]], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Compressed sparse rows of n rows."""
    offsets = np.cumsum([0, *(len(values.get(i, ())) for i in range(n))]).astype(np.int64)
    return offsets, int32([v for i in range(n) for v in values.get(i, ())])


def snapshot(
    history: Mapping[int, Sequence[int]] = HISTORY,
    past: Sequence[int] = (3, 600, 1, 0, 25),
    sold: Sequence[int] = (50, 40, 30, 20, 10, 5, 1, 0),
    recent: Sequence[int] = (1, 9, 5, 2, 0, 0, 1, 0),
) -> Snapshot:
    """What is known before the test week; no prices, no attributes."""
    offsets, articles = rows(history, len(past))
    days = int32(np.arange(len(articles)) + 1)
    return Snapshot(
        week=WEEK,
        split="test",
        cutoff=WEEK,
        training_articles=len(sold),
        training_customers=len(past),
        article_ids=pa.array([f"010877{5000 + i}" for i in range(len(sold))]),
        customer_ids=pa.array([f"{i:064x}" for i in range(len(past))]),
        articles={"purchases_total": int32(sold), "purchases_last_4_weeks": int32(recent)},
        customers={"purchases_total": int32(past)},
        histories=Histories(
            offsets,
            articles,
            int32(days * 0 + 1),
            *(days,) * 6,
            decayed=np.ones((len(days), 3), np.float32),
        ),
        copurchases=Neighbours(np.zeros(len(sold) + 1, np.int64), int32([]), np.zeros(0, "f4")),
    )


def purchases(bought: Mapping[int, Sequence[int]]) -> Purchased:
    offsets, articles = rows(dict(enumerate(bought.values())), len(bought))
    return Purchased(int32(list(bought)), offsets, articles)


def evaluated(
    name: str, lists: Sequence[Sequence[int]], bought: Purchased, baseline: bool = True
) -> Evaluated:
    articles = int32(lists)
    shown = len(set(articles[articles >= 0].tolist()))
    return Evaluated(name, baseline, articles, evaluate(articles, bought), min(1, shown / 7))


def build(
    lists: Mapping[str, Sequence[Sequence[int]]] | None = None,
    bought: Mapping[int, Sequence[int]] = BOUGHT,
    **changes: Any,
) -> ReportInputs:
    """The week above, with other lists, purchases or fields where asked for."""
    week = purchases(bought)
    lists = {"two_tower": MODEL, "popularity": POPULARITY} if lists is None else lists
    fields: dict[str, Any] = {
        "week": WEEK,
        "dataset": "Made-up shop",
        "snapshot": snapshot(),
        "bought": week,
        "recommenders": [evaluated(n, a, week, n not in MODELS) for n, a in lists.items()],
        "challenger": "two_tower",
        "challenger_reason": "It won on the validation week.",
        "model_version": "2020-09-16-0123456789",
        "training": {
            "two_tower": [
                {"epoch": 1, "train_loss": 6.5, "val_loss": 6.75, "val_map@3": 0.25},
                {"epoch": 2, "train_loss": 5.5, "val_loss": 6.25, "val_map@3": 0.375},
                {"epoch": 3, "train_loss": 5.0, "val_loss": 6.5, "val_map@3": 0.3125},
            ],
            "ranker": [{"epoch": 1, "train_loss": 2.5, "validation_map": 0.5}],
        },
        "sources": Sources(
            {
                "new_arrivals": CandidateRecall(0.05, 0.004, 12.5),
                "repurchase": CandidateRecall(0.31, 0.12, 40.25),
                "union": CandidateRecall(0.52, 0.52, 212.0),
            },
            {"kind": 0.001, "recency": 0.0125, "two_tower": -0.0002},
        ),
        "as_if_new": AsIfNew(
            int32([0, 1, 4]),
            3,
            {
                "two_tower": np.array([0.5, 0, 0.25]),
                "segment_popularity": np.array([0.25, 0.125, 0]),
            },
        ),
        "cold_articles": ColdArticles(
            int32([0, 3]), 1, 3, {"two_tower": ColdScores(np.array([1, 0.5]), np.array([0.5, 0.5]))}
        ),
        "volumes": [
            SplitVolume("train", 12345, date(2020, 6, 17), date(2020, 9, 8), 5, 8),
            SplitVolume("validation", 0, None, None, 0, 0),
            SplitVolume("test", 5, WEEK, date(2020, 9, 22), 4, 5),
        ],
        "versions": {"hm_platform": "0.1.0"},
        "fingerprints": {"Data": "b1946ac9"},
        "feature_graph_svg": '<svg xmlns="http://www.w3.org/2000/svg"><text>mean_price</text></svg>',
        "catalogue": catalogue(),
    }
    return ReportInputs(**{**fields, **changes})


@pytest.fixture
def make_inputs() -> Callable[..., ReportInputs]:
    return build


@pytest.fixture
def inputs() -> ReportInputs:
    return build()


@pytest.fixture
def make_snapshot() -> Callable[..., Snapshot]:
    return snapshot


@pytest.fixture
def make_evaluated() -> Callable[..., Evaluated]:
    return evaluated


@pytest.fixture
def results(inputs: ReportInputs) -> BehavioralResults:
    return run_behavioral_tests(inputs)


@pytest.fixture(scope="session")
def rich_inputs() -> ReportInputs:
    """Some hundred customers with attributes; see ``rich``."""
    return rich()


@pytest.fixture(scope="session")
def rich_results(rich_inputs: ReportInputs) -> BehavioralResults:
    return run_behavioral_tests(rich_inputs)
