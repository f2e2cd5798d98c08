"""Baselines, against slow ones that look at purchases one at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hm_platform.features.decay import HALF_LIVES
from hm_platform.modelling.baselines.co_purchase import CoPurchase
from hm_platform.modelling.baselines.popularity import Popularity, SegmentPopularity
from hm_platform.modelling.baselines.repurchase import Repurchase
from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.recommenders import SOURCES, popularity_rank
from hm_platform.modelling.selection import baselines
from tests.modelling.worlds import VALIDATION, World, day, pairs_before, random_world

worlds = st.builds(random_world, st.integers(0, 10_000), st.just(8), st.integers(1, 14), st.just(3))


def slow_best_sellers(world: World) -> list[int]:
    known = [p for p in world.purchases if p[0] < VALIDATION]

    def key(article: int) -> tuple:
        ages = [(VALIDATION - when).days for when, _, a in known if a == article]
        return (-sum(a <= 7 for a in ages), -sum(a <= 28 for a in ages), -len(ages), article)

    return sorted({article for _, _, article in known}, key=key)


def named(sources: np.ndarray) -> list[str]:
    return [SOURCES[s] for s in sources]


@given(worlds)
def test_popularity_is_last_weeks_best_sellers(world):
    expected = slow_best_sellers(world)[:5]
    found = Popularity().prepare(world.snapshot()).top(np.array([3, 0], dtype=np.int32), 5)
    for row in (0, 1):
        assert [a for a in found.articles[row] if a >= 0] == expected
    assert set(named(found.sources[0, : len(expected)])) == {"popularity"}


@given(worlds)
def test_repurchase_is_own_articles_by_decayed_days_then_best_sellers(world):
    snapshot = world.snapshot()
    rank = popularity_rank(snapshot)
    found = Repurchase().prepare(snapshot).top(np.arange(8, dtype=np.int32), 6)
    pairs = pairs_before(world.purchases, VALIDATION)
    histories = snapshot.histories
    for customer in range(8):
        mine = slice(histories.offsets[customer], histories.offsets[customer + 1])
        score = dict(
            zip(
                histories.articles[mine].tolist(),
                histories.decayed[mine, HALF_LIVES.index(60)].tolist(),
                strict=True,
            )
        )
        own = sorted(
            (pair[0] for pair in pairs.get(customer, [])), key=lambda a: (-score[a], rank[a])
        )[:6]
        rest = [a for a in slow_best_sellers(world) if a not in own]
        expected = (own + rest)[:6]
        row = found.articles[customer]
        assert [a for a in row if a >= 0] == expected
        assert (
            named(found.sources[customer, : len(expected)])
            == (["repurchase"] * len(own) + ["popularity"] * 6)[: len(expected)]
        )


def test_repurchase_knows_the_half_lives_that_histories_have():
    with pytest.raises(ModellingError, match="14, 60, 180: 30"):
        Repurchase(half_life=30)


def test_repurchase_prefers_the_recent_and_the_frequent():
    often = [(day(age), 0, 7) for age in (20, 27, 34)]
    world = World([*often, (day(2), 0, 3), (day(150), 0, 9)], articles=10, customers=1)
    found = Repurchase().prepare(world.snapshot()).top(np.array([0], dtype=np.int32), 3)
    assert found.articles[0].tolist() == [7, 3, 9]


@given(worlds)
def test_co_purchase_adds_up_weighted_neighbours(world):
    snapshot = world.snapshot()
    eligible = set(slow_best_sellers(world))
    recommender = CoPurchase(half_life=30, recent=2)
    found = recommender.prepare(snapshot).top(np.arange(8, dtype=np.int32), 4)
    rank = popularity_rank(snapshot)
    pairs = pairs_before(world.purchases, VALIDATION)
    for customer in range(8):
        scores: dict[int, float] = {}
        for article, _, _, since, *_ in pairs.get(customer, [])[:2]:
            for other, cosine in world.copurchases[article]:
                if other in eligible:
                    scores[other] = scores.get(other, 0) + cosine * 2 ** (-since / 30)
        own = sorted(scores, key=lambda a: (-np.float32(scores[a]), rank[a]))[:4]
        rest = [a for a in slow_best_sellers(world) if a not in own]
        expected = (own + rest)[:4]
        assert [a for a in found.articles[customer] if a >= 0] == expected
        assert (
            named(found.sources[customer, : len(expected)])
            == (["co_purchase"] * len(own) + ["popularity"] * 4)[: len(expected)]
        )


@given(worlds, st.sampled_from([0.5, 20.0]))
def test_segment_popularity_is_a_shrunk_share_of_the_segments_buyers(world, prior):
    snapshot = world.snapshot()
    found = SegmentPopularity(prior).prepare(snapshot).top(np.arange(8, dtype=np.int32), 5)
    segments = snapshot.customers["segment_code"]
    lately = {(c, a) for when, c, a in world.purchases if day(7) <= when < VALIDATION}
    buyers = {c for c, _ in lately}
    rank = popularity_rank(snapshot)
    for customer in range(8):
        segment = segments[customer]
        peers = {c for c in buyers if segments[c] == segment and segment > 0}

        def score(article: int, peers: set[int] = peers, segment: int = segment) -> float:
            overall = sum(a == article for _, a in lately) / max(len(buyers), 1)
            own = sum(a == article and c in peers for c, a in lately)
            size = len([c for c in buyers if segments[c] == segment])
            return np.float32((own + prior * overall) / (size + prior))

        ordered = sorted(slow_best_sellers(world), key=lambda a: (-score(a), rank[a]))[:5]
        assert [a for a in found.articles[customer] if a >= 0] == ordered
        for article, source in zip(ordered, named(found.sources[customer]), strict=False):
            bought_here = any(a == article and c in peers for c, a in lately)
            assert source == ("segment_popularity" if bought_here else "popularity")


def test_a_large_segment_gets_its_own_list_and_a_small_one_everybodys():
    purchases = [(day(1), c, 0) for c in range(60)] + [(day(1), c, 1) for c in range(60, 100)]
    purchases += [(day(1), 100, 2)]
    codes = [1] * 60 + [2] * 40 + [3] + [0]
    world = World(purchases, 3, 102, customer_codes={"segment_code": codes})
    scorer = SegmentPopularity(prior=10).prepare(world.snapshot())
    lists = scorer.top(np.array([0, 60, 100, 101], dtype=np.int32), 1).articles[:, 0]
    assert lists.tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize("recommender", baselines(), ids=lambda r: r.name)
def test_a_customers_list_does_not_depend_on_who_else_is_asked_for(recommender):
    scorer = recommender.prepare(random_world(5).snapshot())
    together = scorer.top(np.arange(30, dtype=np.int32), 12)
    for customer in (0, 17, 29):
        alone = scorer.top(np.array([customer], dtype=np.int32), 12)
        for name in ("articles", "scores", "sources"):
            assert (getattr(alone, name)[0] == getattr(together, name)[customer]).all()


@settings(max_examples=25)
@given(worlds)
def test_only_articles_sold_before_the_cut_off_are_recommended(world):
    eligible = set(slow_best_sellers(world))
    for recommender in baselines():
        found = recommender.prepare(world.snapshot()).top(np.arange(8, dtype=np.int32), 12)
        for row, scores in zip(found.articles, found.scores, strict=True):
            articles = row[row >= 0].tolist()
            assert set(articles) == eligible if len(eligible) <= 12 else len(articles) == 12
            assert len(set(articles)) == len(articles)
            assert set(articles) <= eligible
            assert (np.diff(scores[: len(articles)]) <= 0).all()
