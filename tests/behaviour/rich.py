"""A made-up week of some hundred customers: large enough for intervals, groups and every test.

Drawn by one seeded generator. The model is better than the rule, the rule than chance, and nothing
is wrong with it, so that it passes; a test that wants a model that fails breaks one thing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hm_platform.behaviour.cold_articles import ColdArticles, ColdScores
from hm_platform.behaviour.cold_customers import AsIfNew
from hm_platform.behaviour.inputs import (
    CATALOGUE,
    Evaluated,
    Provenance,
    ReportInputs,
    ServingNow,
    SplitVolume,
    WeekBefore,
)
from hm_platform.behaviour.stability import Stability
from hm_platform.features.snapshot import Histories, Neighbours, Snapshot
from hm_platform.modelling.metrics import Purchased, evaluate, purchased

WEEK = date(2020, 9, 16)
CUSTOMERS, BUYERS, ARTICLES, K = 600, 500, 240, 12
SKILL = {
    "ranker": 2.2,
    "two_tower": 2.0,
    "last_published": 2.1,
    "segment_popularity": 0.6,
    "popularity": 0.3,
}
"""By how much what will be bought stands higher in each recommender's order than it would by
chance."""
VERSION = "2020-09-16-0123456789"


def rich(**changes: Any) -> ReportInputs:
    """The week, with other fields where asked for."""
    return replace(_week(), **changes)


def lists_of(
    skill: float, bought: Purchased, weights: NDArray, random: np.random.Generator
) -> NDArray[np.int32]:
    """K articles for each customer, drawn by popularity, with what will be bought more often."""
    scores = np.log(weights) + random.gumbel(size=(len(bought.customers), len(weights)))
    owner = np.repeat(np.arange(len(bought.customers)), np.diff(bought.offsets))
    scores[owner, bought.articles] += skill
    return np.argsort(-scores, axis=1)[:, :K].astype(np.int32)


def evaluated(name: str, lists: NDArray[np.int32], bought: Purchased) -> Evaluated:
    models = ("ranker", "two_tower", "last_published")
    shown = len(np.unique(lists)) / (ARTICLES - 10)
    return Evaluated(name, name not in models, lists, evaluate(lists, bought), shown)


@cache
def _week() -> ReportInputs:
    random = np.random.default_rng(11)
    weights = np.where(np.arange(ARTICLES) < ARTICLES - 10, 1 / (np.arange(ARTICLES) + 5), 0.0)
    weights /= weights.sum()
    buyers = np.repeat(np.arange(BUYERS), random.integers(1, 5, BUYERS))
    bought = purchased(buyers, random.choice(ARTICLES, len(buyers), p=weights))
    sellable = np.maximum(weights, 1e-30)
    lists = {name: lists_of(skill, bought, sellable, random) for name, skill in SKILL.items()}
    snapshot = _snapshot(weights, random)
    known = snapshot.customers["purchases_total"][:BUYERS] > 0
    hidden = np.flatnonzero(known).astype(np.int32)
    noise = random.normal(0.01, 0.05, len(hidden))
    sold = snapshot.articles["purchases_last_week"]
    days = (WEEK - timedelta(weeks=13), WEEK - timedelta(days=8))
    return ReportInputs(
        week=WEEK,
        dataset="Made-up shop",
        snapshot=snapshot,
        bought=bought,
        recommenders=[evaluated(name, found, bought) for name, found in lists.items()],
        challenger="ranker",
        challenger_reason="It won on the validation week.",
        model_version=VERSION,
        last_published=ServingNow(
            "last_published", "ranker", "2020-09-09-0123456789", WEEK - timedelta(weeks=1)
        ),
        as_if_new=AsIfNew(
            hidden, K, {"ranker": 0.05 + noise, "segment_popularity": np.full(len(hidden), 0.05)}
        ),
        cold_articles=ColdArticles(
            np.arange(60, dtype=np.int32),
            10,
            K,
            {"two_tower": ColdScores(np.tile([0.5, 1.0], 30), np.tile([0.125, 0.375], 30))},
        ),
        volumes=[
            SplitVolume("train", 9000, *days, CUSTOMERS, ARTICLES),
            SplitVolume("validation", 900, WEEK - timedelta(7), WEEK - timedelta(1), 500, 200),
            SplitVolume("test", len(buyers), WEEK, WEEK + timedelta(6), BUYERS, 200),
        ],
        catalogue=_catalogue(random),
        club_statuses=("ACTIVE", "PRE-CREATE"),
        stability=Stability(
            np.ones(BUYERS), random.uniform(0.6, 1, BUYERS), random.uniform(0.9, 1, BUYERS)
        ),
        served=lists_of(2.0, bought, sellable, random),
        provenance=Provenance(
            {"train": "aa", "validation": "bb"},
            {"train": "aa", "validation": "bb"},
            sold.astype(np.int64),
            {"ranker": 0.20, "two_tower": 0.19, "segment_popularity": 0.06, "popularity": 0.05},
        ),
        before=WeekBefore(
            WEEK - timedelta(weeks=1),
            {name: {f"map@{K}": 0.2} for name in SKILL},
            frozenset({"coverage", "age"}),
            "ranker",
        ),
        seed=5,
    )


def _snapshot(weights: NDArray, random: np.random.Generator) -> Snapshot:
    sold = np.ceil(3000 * weights).astype(np.int32)
    total = random.choice([0, 2, 10, 50, 200], CUSTOMERS).astype(np.int32)
    return Snapshot(
        week=WEEK,
        split="test",
        cutoff=WEEK,
        training_articles=ARTICLES,
        training_customers=CUSTOMERS,
        article_ids=pa.array([f"{108775000 + i:010d}" for i in range(ARTICLES)]),
        customer_ids=pa.array([f"{i:064x}" for i in range(CUSTOMERS)]),
        articles={
            "purchases_total": sold * 9,
            "purchases_last_4_weeks": sold * 4,
            "purchases_last_week": sold,
            "days_since_first_sale": random.choice([7, 400], ARTICLES).astype(np.int32),
            "mean_price": random.lognormal(3.0, 0.4, ARTICLES).astype(np.float32),
        },
        customers={
            "purchases_total": total,
            "age_band_code": random.integers(0, 5, CUSTOMERS).astype(np.int32),
            "club_member_status_code": random.integers(0, 3, CUSTOMERS).astype(np.int32),
            "online_share": np.where(
                total > 0, random.choice([0.0, 0.5, 1.0], CUSTOMERS), np.nan
            ).astype(np.float32),
        },
        histories=histories(np.minimum(total, 4), ARTICLES - 10, random),
        copurchases=Neighbours(
            np.zeros(ARTICLES + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32)
        ),
    )


def histories(lengths: NDArray, n_articles: int, random: np.random.Generator) -> Histories:
    """Distinct articles for each customer, each bought once, most recent first, often several on a
    day and then by index."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    articles = [random.choice(n_articles, n, replace=False) for n in lengths]
    since = [np.sort(random.integers(1, 4, n)) for n in lengths]
    articles = [a[np.lexsort((a, d))] for a, d in zip(articles, since, strict=True)]
    days = np.concatenate([*since, np.zeros(0)]).astype(np.int32)
    ones = np.ones_like(days)
    return Histories(
        offsets,
        np.concatenate([*articles, np.zeros(0)]).astype(np.int32),
        *(ones, ones, days, days, -ones, ones, ones),
        decayed=np.ones((len(days), 3), np.float32),
    )


def purchases_of(known: Snapshot) -> pa.Table:
    """The purchases of these histories, as ``marts.joined_transactions`` has them."""
    history = known.histories
    owner = np.repeat(np.arange(known.n_customers), history.lengths())
    days = np.datetime64(known.cutoff, "D") - history.days_since_last
    return pa.table(
        {
            "week": days - (days - np.datetime64(known.week, "D")).astype(int) % 7,
            "t_dat": days,
            "customer_id": known.customer_ids.take(pa.array(owner)),
            "article_id": known.article_ids.take(pa.array(history.articles)),
            "sales_channel_id": np.ones(len(owner), dtype=np.int8),
        }
    )


def _catalogue(random: np.random.Generator) -> pa.Table:
    def named(prefix: str, codes: NDArray) -> list[str]:
        return [f"{prefix} {code}" for code in codes]

    types = random.integers(0, 20, ARTICLES)
    columns = {
        "prod_name": named("Article", np.arange(ARTICLES)),
        "product_code": named("", 108775 + np.arange(ARTICLES) // 2),
        "product_type_name": named("Type", types),
        "product_group_name": named("Group", types % 4),
        "department_name": named("Department", types % 7),
    }
    return pa.table({name: columns[name] for name in CATALOGUE})
