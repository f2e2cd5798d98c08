"""Scoring a week: the model and the baselines on the same customers, ready for the report."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import duckdb
import numpy as np
import pyarrow as pa

from hm_platform.behaviour.inputs import Evaluated, Sources, SplitVolume
from hm_platform.features.snapshot import Snapshot
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


def volume(split: str, rows: pa.RecordBatchReader) -> SplitVolume:
    """How much a split holds. rows : t_dat, customer_index, article_index"""
    with duckdb.connect() as db:
        db.register("split", rows)
        counts = db.execute(
            "SELECT count(*), min(t_dat), max(t_dat), count(DISTINCT customer_index), "
            "count(DISTINCT article_index) FROM split"
        ).fetchone()
    if counts is None:
        raise AssertionError("an aggregate without groups has one row")
    n, first_day, last_day, customers, articles = counts
    return SplitVolume(split, n, first_day, last_day, customers, articles)


def article_names(article_index: pa.Table, articles: pa.RecordBatchReader) -> pa.Array:
    """The articles' names in the order of their indices, null where the catalogue has none.

    articles : article_id, prod_name
    """
    with duckdb.connect() as db:
        db.register("article_index", article_index)
        db.register("articles", articles)
        named = db.execute(
            "SELECT prod_name FROM article_index LEFT JOIN articles USING (article_id) "
            "ORDER BY article_index"
        ).to_arrow_table()
    return pa.concat_arrays(named["prod_name"].chunks or [pa.array([], pa.string())])
