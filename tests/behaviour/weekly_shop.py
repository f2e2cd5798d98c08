"""A made-up shop with habits, large enough for intervals, and a week of it under test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa

from hm_platform.behaviour.inputs import CATALOGUE, ReportInputs
from hm_platform.behaviour.reclist_tests import run_behavioral_tests
from hm_platform.behaviour.scoring import Week, report_inputs
from hm_platform.behaviour.verdict import Verdict
from hm_platform.behaviour.week import audit, volume
from hm_platform.datasets.plan import SplitPlan
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.pipeline import OpenModel, bought_in
from hm_platform.modelling.recommenders import Recommender
from hm_platform.serving.published import LastPublished
from tests.modelling.weeks import ENCODERS
from tests.modelling.worlds import VALIDATION, WEEK, World, day

WEEKS, CUSTOMERS, ARTICLES = 14, 300, 60
AFTER = WEEK + timedelta(days=7)


def shop(seed: int = 1) -> World:
    """Customers who come back for each of six articles when it is due by a rhythm of their own,
    give or take some days, and sometimes buy a best seller: who learns rhythms foresees more than
    who counts."""
    random = np.random.default_rng(seed)
    popularity = 1 / (1 + np.arange(ARTICLES))
    popularity /= popularity.sum()
    purchases = []
    for customer in range(CUSTOMERS):
        for article in random.choice(ARTICLES, 6, replace=False):
            period = int(random.choice([14, 21, 28, 42]))
            first = WEEKS * 7 - int(random.integers(period))
            for due in range(first, -14, -period):
                before = due + int(random.integers(-1, 2))
                if -14 < before < WEEKS * 7 and random.random() < 0.9:
                    purchases.append((day(before), customer, int(article)))
        for before in random.integers(-13, WEEKS * 7, 8):
            article = random.choice(ARTICLES, p=popularity)
            purchases.append((day(int(before)), customer, int(article)))
    return World(
        purchases,
        ARTICLES,
        CUSTOMERS,
        article_codes={
            "product_type_code": (1 + np.arange(ARTICLES) % 7).tolist(),
            "product_code": (1 + np.arange(ARTICLES) // 2).tolist(),
            "department_code": (1 + np.arange(ARTICLES) % 4).tolist(),
        },
        customer_codes={
            "age_band_code": (np.arange(CUSTOMERS) % 4).tolist(),
            "segment_code": (np.arange(CUSTOMERS) % 3).tolist(),
        },
        copurchases={a: [((a + 1) % ARTICLES, 0.5)] for a in range(ARTICLES)},
    )


def catalogue() -> pa.Table:
    number = np.arange(ARTICLES)
    columns = {
        "prod_name": number, "product_code": number // 2, "product_type_name": number % 7,
        "product_group_name": number % 4, "department_name": number % 4,
    }  # fmt: skip
    return pa.table({name: pa.array([f"{name} {v}" for v in columns[name]]) for name in CATALOGUE})


def snapshot_of(world: World) -> Snapshot:
    """What is known when the test week begins."""
    return replace(world.snapshot(WEEK), split="test")


def week_of(world: World, snapshot: Snapshot | None = None) -> Week:
    """The week's data; ``snapshot`` where it is not as it should be."""
    test = world.split(WEEK, AFTER)
    return Week(
        dataset="Made-up shop",
        snapshot=snapshot_of(world) if snapshot is None else snapshot,
        bought=bought_in(test),
        purchases=world.transactions(WEEK),
        train=audit("train", world.train.to_reader(), ARTICLES),
        validation=audit("validation", world.validation.to_reader(), ARTICLES),
        test=volume("test", test.to_reader()),
        plan=SplitPlan(WEEK, day(WEEKS * 7), VALIDATION, WEEK),
        catalogue=catalogue(),
        encoders=ENCODERS,
        served=None,
        before=None,
        drift=None,
    )


def inputs_of(
    week: Week, model: OpenModel, last_published: Recommender | None = None
) -> ReportInputs:
    last = None
    if last_published is not None:
        last = LastPublished(last_published, "2020-02-26-0123456789", VALIDATION, "ranker")
    return report_inputs(week, model, last, versions={}, feature_graph_svg=None, seed=0)


def verdict_of(inputs: ReportInputs) -> Verdict:
    return run_behavioral_tests(inputs).verdict()


def missed(verdict: Verdict) -> Sequence[str]:
    """The tests of which a bound that blocks is missed."""
    return sorted({judged.test for judged in verdict.blocking})
