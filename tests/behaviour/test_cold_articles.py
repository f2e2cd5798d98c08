"""Articles without a sale, put in order: against numbers by hand and against the slow way."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from hm_platform.behaviour import cold_articles as module
from hm_platform.behaviour.cold_articles import ColdArticles, cold_articles
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.baselines.popularity import SegmentShares
from hm_platform.modelling.first_sales import first_sale_rates
from hm_platform.modelling.metrics import Purchased, purchased
from hm_platform.modelling.two_tower import TwoTowerScorer
from tests.modelling.networks import recommender_for
from tests.modelling.worlds import World, day, random_world


class Scores:
    """Scores by customer and article."""

    def __init__(self, scores: np.ndarray) -> None:
        self._scores = scores
        self.largest = 0

    def score_all(self, customers, articles):
        self.largest = max(self.largest, len(customers) * len(articles))
        assert customers.dtype == np.int32
        return self._scores[customers[:, None], articles].astype(np.float32)


def bought(pairs: list[tuple[int, int]]) -> Purchased:
    customers, articles = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
    return purchased(customers, articles)


def same(found: ColdArticles, method: str, recall: list[float], percentile: list[float]) -> None:
    """Holds what was found for each customer against what is so."""
    assert found.methods[method].recall.tolist() == pytest.approx(recall)
    assert found.methods[method].percentile.tolist() == pytest.approx(percentile)


# Segment 1 bought type 1 (articles 0 and 1), segment 2 type 2 (article 2), both equally much.
# Articles 3 to 6 have no sale.
SHOP = World(
    purchases=[(day(1), 0, 0), (day(2), 1, 1), (day(3), 2, 2), (day(3), 4, 2)],
    articles=7,
    customers=5,
    article_codes={"product_type_code": [1, 1, 2, 2, 0, 1, 2]},
    customer_codes={"segment_code": [1, 1, 2, 1, 2]},
)


def test_numbers_by_hand() -> None:
    scores = np.zeros((5, 7))
    scores[0, [4, 6]] = 2, 1  # order 4, 6, 3, 5
    scores[2, 5] = 1  # order 5, 3, 4, 6
    week = bought([(0, 0), (0, 3), (0, 6), (1, 1), (2, 3)])
    found = cold_articles(Scores(scores), SHOP.snapshot(), week, k=2)
    assert found.customers.tolist() == [0, 2]
    assert (found.articles, found.k) == (4, 2)
    # Customer 0 is shown 4, 6 and has bought 3, 6; customer 2 is shown 5, 3 and has bought 3.
    # Of the places 0 to 3, customer 0's are 2.5 (level with 5) and 1, customer 2's is 2.
    same(found, "two_tower", recall=[1 / 2, 1], percentile=[(2.5 + 1) / 2 / 3, 2 / 3])
    # Segment 1 buys type 1, then type 2, and an unknown type is nothing: 5, 3 and 6, 4. Segment 2
    # buys type 2, then type 1: 3 and 6, 5, 4.
    same(found, "product_type", recall=[1 / 2, 1], percentile=[1.5 / 3, 0.5 / 3])


def test_equal_scores_go_to_the_lower_index() -> None:
    for article, recall in ((3, 1), (4, 1), (5, 0)):
        week = bought([(3, article)])
        found = cold_articles(Scores(np.ones((5, 7))), SHOP.snapshot(), week, k=2)
        assert found.methods["two_tower"].recall.tolist() == [recall]


def test_fewer_articles_than_places() -> None:
    found = cold_articles(Scores(np.ones((5, 7))), SHOP.snapshot(), bought([(3, 6)]), k=12)
    same(found, "two_tower", recall=[1], percentile=[1 / 2])


@pytest.mark.parametrize("week", [[], [(0, 0), (1, 2)]])
def test_nobody_who_bought_one(week: list[tuple[int, int]]) -> None:
    found = cold_articles(Scores(np.ones((5, 7))), SHOP.snapshot(), bought(week), k=5)
    assert (len(found.customers), found.articles, found.k, found.methods) == (0, 4, 5, {})


def test_no_article_without_a_sale() -> None:
    sold = replace(SHOP, articles=3, article_codes={"product_type_code": [1, 1, 2]})
    found = cold_articles(Scores(np.ones((5, 3))), sold.snapshot(), bought([(0, 0)]), k=5)
    assert (len(found.customers), found.articles, found.k, found.methods) == (0, 0, 5, {})


def with_unsold(seed: int) -> tuple[World, Snapshot, Purchased]:
    """A random shop in which a third of the articles have no sale before the cut-off, and what
    was bought after it."""
    world = random_world(seed)
    unsold = np.arange(world.articles) % 3 == 1
    purchases = [p for p in world.purchases if p[0] >= day(0) or not unsold[p[2]]]
    codes = {**world.article_codes, "product_type_code": [a % 4 for a in range(world.articles)]}
    world = replace(world, purchases=purchases, article_codes=codes)
    return world, world.snapshot(), bought([p[1:] for p in purchases if p[0] >= day(0)])


def slowly(scorer: TwoTowerScorer, snapshot: Snapshot, week: Purchased, k: int) -> dict:
    """All methods, a customer and an article at a time."""
    cold = np.flatnonzero(snapshot.articles["purchases_total"] == 0)
    types, shares = snapshot.articles["product_type_code"], SegmentShares(snapshot)
    row, column = (x.ravel() for x in np.indices((snapshot.n_customers, len(cold))))
    everybody = np.arange(snapshot.n_customers, dtype=np.int32)
    dense = dict(
        zip(
            zip(row, cold[column], strict=True),
            scorer.score(everybody, row, cold[column])[0],
            strict=True,
        )
    )
    soon = first_sale_rates(snapshot).astype(np.float32)
    methods = ("first_sales", "two_tower", "product_type")
    sums: dict[str, list[tuple[float, float]]] = {method: [] for method in methods}
    for c, start, end in zip(week.customers, week.offsets, week.offsets[1:], strict=False):
        wanted = set(week.articles[start:end]) & set(cold)
        if not wanted:
            continue
        segment = shares.of_customer[c]

        def vectors(article, customer=c):
            return dense[customer, article]

        def kind(article, segment=segment):
            same = np.flatnonzero(types == types[article])
            share = shares.mean(np.full(len(same), segment), same).sum()
            return np.float32(share) if types[article] else 0

        for method, value in zip(methods, (soon.__getitem__, vectors, kind), strict=True):
            shown = sorted(cold, key=lambda a, value=value: (-value(a), a))[:k]
            hit = np.array([a in wanted for a in shown])
            values = [value(a) for a in cold]

            def place(article, values=values, mine=value):
                above = sum(v > mine(article) for v in values)
                level = sum(v == mine(article) for v in values)
                return (above + (level - 1) / 2) / (len(values) - 1)

            sums[method].append((hit.sum() / len(wanted), np.mean([*map(place, wanted)])))
    return {method: np.transpose(values) for method, values in sums.items()}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("k", "pairs"), [(1, 1), (3, 30), (12, 1 << 20), (20, 40)])
def test_as_by_the_slow_way_whatever_the_block(
    seed: int, k: int, pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, snapshot, week = with_unsold(seed)
    scorer = recommender_for(world).prepare(snapshot)
    monkeypatch.setattr(module, "PAIRS", pairs)
    found = cold_articles(scorer, snapshot, week, k)
    assert len(found.customers) > 0
    assert set(found.customers) <= set(week.customers)
    for method, (recall, percentile) in slowly(scorer, snapshot, week, k).items():
        same(found, method, recall.tolist(), percentile.tolist())


def test_memory_is_bounded_with_many_articles() -> None:
    n_articles, n = 100_000, 200
    world = World(
        [(day(1), 0, 0)],
        n_articles,
        n,
        article_codes={"product_type_code": (np.arange(n_articles) % 50).tolist()},
        customer_codes={"segment_code": (np.arange(n) % 9).tolist()},
    )
    snapshot, week = world.snapshot(), bought([(c, 99_000 + c) for c in range(n)])
    everyone_the_same = Scores(np.broadcast_to(np.arange(n_articles), (n, n_articles)))
    tracemalloc.start()
    try:
        found = cold_articles(everyone_the_same, snapshot, week)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(found.customers), found.articles) == (n, n_articles - 1)
    assert everyone_the_same.largest <= module.PAIRS
    # The scores of all pairs would be 80 MB, with what is computed from them 300 MB.
    assert peak < 120e6
