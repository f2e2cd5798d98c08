"""Whatever the shop is like, training ends and everybody gets a whole list."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.metrics import K
from hm_platform.modelling.model_store import CARD
from hm_platform.modelling.parameters import RankingParams
from hm_platform.modelling.recommenders import SOURCES, Recommender, eligible_articles
from hm_platform.modelling.selection import baselines
from hm_platform.serving.publish import publish
from tests.modelling.weeks import trained_week
from tests.modelling.worlds import VALIDATION, WEEK, World, day, described_world


def nothing_twice() -> World:
    """Every customer goes through the catalogue, an article every other day."""
    rng = np.random.default_rng(0)
    orders = [rng.permutation(60) for _ in range(40)]
    purchases = [
        (day(age), customer, int(orders[customer][(age + 7) // 2]))
        for customer in range(40)
        for age in range(-6 + customer % 2, 80, 2)
    ]
    assert len({(c, a) for _, c, a in purchases}) == len(purchases)
    return World(purchases, 60, 40)


def nothing_known() -> World:
    """No price and no attribute of anybody or anything."""
    world = described_world(2, customers=40)
    world.article_codes, world.customer_codes = {}, {}
    world.prices = world.ages = world.discounts = None
    world.copurchases = {}
    return world


def fifty_customers() -> World:
    return described_world(3, customers=50, weeks=12)


def one_week() -> World:
    world = described_world(3, customers=50)
    world.purchases = [p for p in world.purchases if p[0] >= day(7)]
    return world


def closed_in_validation() -> World:
    world = described_world(4, customers=50)
    world.purchases = [p for p in world.purchases if p[0] < VALIDATION]
    return world


def one_for_all() -> World:
    """Milk: everybody buys article 0 every week, and little else."""
    rng = np.random.default_rng(0)
    purchases = [(day(7 * week + c % 7 - 6), c, 0) for c in range(40) for week in range(10)]
    purchases += [(day(int(rng.integers(-6, 60))), c, int(rng.integers(1, 30))) for c in range(40)]
    return World(purchases, 30, 40)


def one_article() -> World:
    return World([(day(7 * w + c % 7 - 6), c, 0) for c in range(40) for w in range(10)], 1, 45)


def one_customer() -> World:
    return World([(day(age), 0, age % 15) for age in range(-6, 80)], 20, 1)


def closed_for_months() -> World:
    """Nothing was sold between the first purchases and the validation week."""
    world = described_world(5, customers=40)
    world.purchases = [(when - timedelta(days=90), c, a) for when, c, a in world.purchases]
    world.purchases += [(VALIDATION, c, c) for c in range(30)]
    return world


def nothing_before() -> World:
    """All purchases are of the weeks that a ranker would learn from."""
    world = described_world(6, customers=40)
    world.purchases = [p for p in world.purchases if p[0] >= day(14)]
    return world


def new_every_week() -> World:
    """A fashion shop: what is sold in a week was never sold before."""
    rng = np.random.default_rng(0)
    purchases = [
        (day(7 * week - int(rng.integers(0, 7))), c, 10 * (9 - week) + int(rng.integers(10)))
        for week in range(10)
        for c in range(40)
        for _ in range(2)
    ]
    return World(purchases, 100, 40, article_codes={"department_code": [1, 2] * 50})


RANKED: list[Callable[[], World]] = [
    nothing_twice,
    nothing_known,
    fifty_customers,
    closed_in_validation,
    one_for_all,
]
NOT_RANKED: list[tuple[Callable[[], World], int, str]] = [
    (one_week, 0, "too short"),
    (one_article, 2, r"^0 lists of past weeks hold"),
    (one_customer, 2, r"^2 lists of past weeks hold .* a ranker needs 10"),
    (closed_for_months, 2, r"^0 lists of past weeks hold"),
    (nothing_before, 2, "nothing was bought before"),
]


def assert_whole(recommender: Recommender, snapshot: Snapshot, version: str) -> None:
    """Everybody gets twelve distinct articles that were sold, or all there are."""
    rows = pa.Table.from_batches(publish(recommender, snapshot, version))
    eligible = snapshot.article_ids.take(pa.array(eligible_articles(snapshot))).to_pylist()
    length = min(K, len(eligible))
    assert rows["customer_id"].to_pylist() == [
        customer for customer in snapshot.customer_ids.to_pylist() for _ in range(length)
    ]
    assert rows["rank"].to_pylist() == list(range(1, length + 1)) * snapshot.n_customers
    lists = np.array(rows["article_id"].to_pylist()).reshape(-1, length)
    assert set(lists.ravel().tolist()) <= set(eligible)
    assert all(len(set(one.tolist())) == length for one in lists)
    scores = rows["score"].to_numpy().reshape(-1, length)
    assert np.isfinite(scores).all()
    assert (np.diff(scores, axis=1) <= 0).all()
    assert set(rows["source"].to_pylist()) <= set(SOURCES)
    assert set(rows["model_version"].to_pylist()) == {version}


def train(world: World, folder: Path, past: int):
    model = trained_week(world, folder, past=past)
    later = world.snapshot(WEEK)
    for recommender in (model.published(), *model.models, *baselines()):
        for snapshot in (world.snapshot(), later):
            assert_whole(recommender, snapshot, model.manifest.version)
    assert all(np.isfinite(v) for m in model.manifest.validation.values() for v in m.values())
    return model


@pytest.mark.parametrize("shop", RANKED, ids=lambda shop: shop.__name__)
def test_there_is_a_ranker_and_everybody_gets_a_list(shop, tmp_path):
    model = train(shop(), tmp_path, 2)
    assert [one.name for one in model.models] == ["ranker", "two_tower"]
    assert model.manifest.ranker["lists"] >= 10


@pytest.mark.parametrize(
    ("shop", "past", "reason"), [pytest.param(*one, id=one[0].__name__) for one in NOT_RANKED]
)
def test_there_is_no_ranker_and_everybody_gets_a_list_and_the_reason(shop, past, reason, tmp_path):
    model = train(shop(), tmp_path, past)
    assert [one.name for one in model.models] == ["two_tower"]
    said = model.manifest.ranker["reason"]
    assert re.search(reason, said), said
    assert said in model.reason()
    assert said in (tmp_path / "model" / CARD).read_text()


def test_where_every_week_is_new_everybody_gets_a_list_all_the_same(tmp_path):
    """Candidates are of the past, so nothing that is bought is ever among them."""
    world = new_every_week()
    model = train(world, tmp_path, 3)
    assert model.manifest.ranker["reason"].startswith("0 lists of past weeks hold")
    assert max(m["map"] for m in model.manifest.validation.values()) == 0


def test_the_article_that_everybody_buys_comes_first(tmp_path):
    world = one_for_all()
    model = trained_week(world, tmp_path, epochs=4)
    found = model.published().prepare(world.snapshot()).top(np.arange(40, dtype=np.int32), K)
    assert (found.articles[:, 0] == 0).mean() > 0.9


def test_the_parameters_as_they_come_need_a_hundred_lists(tmp_path):
    needed = RankingParams().fewest_lists
    model = trained_week(fifty_customers(), tmp_path, past=2, fewest_lists=needed)
    assert model.manifest.ranker["reason"].endswith("needs 100 to learn from")
