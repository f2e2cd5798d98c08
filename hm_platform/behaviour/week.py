"""A week's tables and model made into the report's inputs: lists scored, splits audited."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hm_platform.behaviour.inputs import CATALOGUE, Evaluated, Sources, SplitVolume, WeekBefore
from hm_platform.datasets.fingerprint import Fingerprint
from hm_platform.features.snapshot import Snapshot
from hm_platform.machine import in_memory_config
from hm_platform.modelling.candidates import CandidateRecall
from hm_platform.modelling.fallback import WithFallback
from hm_platform.modelling.metrics import K, Purchased, evaluate
from hm_platform.modelling.model_store import Manifest
from hm_platform.modelling.ranking import in_blocks
from hm_platform.modelling.recommenders import Recommender, eligible_articles

BLOCK = 4096
"""Customers scored at a time."""


def score_all(
    models: Sequence[Recommender],
    baselines: Sequence[Recommender],
    snapshot: Snapshot,
    bought: Purchased,
    k: int = K,
) -> list[Evaluated]:
    """Score the models and each baseline on all customers who bought, models first.

    models : with what was published last among them

    Each is asked as it is when it is published, with best sellers for customers it does not know.
    """
    eligible = eligible_articles(snapshot)
    found = []
    for recommender in (*models, *baselines):
        scorer = WithFallback(recommender).prepare(snapshot)
        lists = in_blocks(bought.customers, k, BLOCK, partial(scorer.top, k=k)).articles
        shown = np.unique(lists[lists >= 0])
        found.append(
            Evaluated(
                name=recommender.name,
                is_baseline=recommender not in models,
                articles=lists,
                metrics=evaluate(lists, bought),
                coverage=len(shown) / max(len(eligible), 1),
            )
        )
    return found


def candidate_sources(manifest: Manifest) -> Sources:
    """What a stored model says of its candidates."""
    about = manifest.ranker
    if "reason" in about:
        return Sources(no_ranker=str(about["reason"]))
    recall = {name: CandidateRecall(**values) for name, values in about["recall"].items()}
    return Sources(recall, dict(about["importance"]))


@dataclass(frozen=True)
class Audit:
    """What one pass over a split found.

    sales : int64, shape (articles,), how often each article was bought in it
    """

    volume: SplitVolume
    fingerprint: str
    sales: NDArray[np.int64]


def audit(split: str, rows: pa.RecordBatchReader, n_articles: int) -> Audit:
    """Read a split once, batch by batch. rows : what models learn from, as it is recorded with
    them"""
    fingerprint = Fingerprint(rows.schema)
    sales = np.zeros(n_articles, dtype=np.int64)

    def passing() -> Iterator[pa.RecordBatch]:
        nonlocal sales
        for batch in rows:
            fingerprint.update(batch)
            articles = batch["article_index"].to_numpy()
            sales += np.bincount(articles, minlength=n_articles)
            yield batch

    found = volume(split, pa.RecordBatchReader.from_batches(rows.schema, passing()))
    return Audit(found, fingerprint.hexdigest(), sales)


def volume(split: str, rows: pa.RecordBatchReader) -> SplitVolume:
    """How much a split holds. rows : with t_dat, customer_index, article_index"""
    with duckdb.connect(config=in_memory_config()) as db:
        db.register("split", rows)
        counts = db.execute(
            "SELECT count(*), min(t_dat), max(t_dat), count(DISTINCT customer_index), "
            "count(DISTINCT article_index) FROM split"
        ).fetchone()
    if counts is None:
        raise AssertionError("an aggregate without groups has one row")
    n, first_day, last_day, customers, articles = counts
    return SplitVolume(split, n, first_day, last_day, customers, articles)


def catalogue(article_index: pa.Table, articles: pa.RecordBatchReader) -> pa.Table:
    """CATALOGUE of the articles in the order of their indices, null where there is nothing.

    articles : article_id and CATALOGUE
    """
    with duckdb.connect(config=in_memory_config()) as db:
        db.register("article_index", article_index)
        db.register("articles", articles)
        return db.execute(
            f"SELECT {', '.join(CATALOGUE)} FROM article_index LEFT JOIN articles "
            "USING (article_id) ORDER BY article_index"
        ).to_arrow_table()


def served_lists(
    published: pa.RecordBatchReader, snapshot: Snapshot, customers: NDArray[np.int32], k: int = K
) -> NDArray[np.int32] | None:
    """What some customers were published, as article indices; None where nobody was anything.

    published : customer_id, rank, article_id
    customers : indices, shape (n,)

    Returns shape (n, k), -1 where there is nothing.
    """
    asked = pa.table({"customer_id": snapshot.customer_ids.take(pa.array(customers))})
    known = pa.table({"article_id": snapshot.article_ids})
    with duckdb.connect(config=in_memory_config()) as db:
        db.register("published", published)
        db.register("asked", asked.append_column("row", pa.array(np.arange(len(customers)))))
        db.register("known", known.append_column("article", pa.array(np.arange(len(known)))))
        found = db.execute(
            'SELECT "row", "rank", article FROM published JOIN asked USING (customer_id) '
            'JOIN known USING (article_id) WHERE "rank" <= $k',
            {"k": k},
        ).fetchnumpy()
    if not len(found["row"]):
        return None
    lists = np.full((len(customers), k), -1, dtype=np.int32)
    lists[found["row"], found["rank"].astype(int) - 1] = found["article"]
    return lists


def week_before(
    board_rows: pa.RecordBatchReader | None, test_rows: pa.RecordBatchReader | None
) -> WeekBefore | None:
    """The report of the week before, from its rows; None where there are none.

    board_rows, test_rows : ``evaluation.behavioral_report`` and ``evaluation.behavioral_tests``
    """
    if board_rows is None or test_rows is None:
        return None
    board, tests = board_rows.read_all(), test_rows.read_all()
    if not len(board) or not len(tests):
        return None
    scores: dict[str, dict[str, float]] = {}
    rows = (board[name].to_pylist() for name in ("recommender", "metric", "value"))
    for recommender, metric, value in zip(*rows, strict=True):
        scores.setdefault(recommender, {})[metric] = value
    named = zip(tests["test"].to_pylist(), tests["outcome"].to_pylist(), strict=True)
    return WeekBefore(
        week=board["week"][0].as_py(),
        board=scores,
        failed=frozenset(test for test, outcome in named if outcome == "failed"),
        challenger=tests["recommender"][0].as_py(),
    )
