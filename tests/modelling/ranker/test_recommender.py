"""Both stages as a recommender: whole lists in the network's order, for everybody alike."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from hm_platform.modelling.candidates import CandidateGenerator
from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.fallback import WithFallback
from hm_platform.modelling.ranker.inputs import PairFeatures, feature_groups
from hm_platform.modelling.ranker.network import RankingNetwork, score_pairs
from hm_platform.modelling.ranker.recommender import RankerRecommender
from hm_platform.modelling.ranker.scaling import fit_levels, scale
from hm_platform.modelling.recommenders import SOURCES, popularity_rank
from tests.modelling.networks import everybody, recommender_for
from tests.modelling.worlds import World, described_world

FEATURES = ("due", "buyers", "pair_days_since_last", "two_tower_similarity", "price")
"""Some, and not in the order of all."""


def ranker_for(world: World, seed: int = 0, **options) -> RankerRecommender:
    """A ranker with random weights."""
    two_tower, snapshot = recommender_for(world), world.snapshot()
    retrieval = two_tower.prepare(snapshot)
    pair_features = PairFeatures(snapshot, retrieval)
    found = CandidateGenerator(snapshot, retrieval).candidates(everybody(world))
    columns = [pair_features.names.index(name) for name in FEATURES]
    levels = fit_levels(pair_features.matrix(everybody(world), found)[:, columns])
    torch.manual_seed(seed)
    network = RankingNetwork(len(FEATURES), 16, 0.5).eval()
    return RankerRecommender(two_tower, network, FEATURES, levels, **options)


@pytest.fixture(scope="module")
def world() -> World:
    return described_world(1)


@pytest.fixture(scope="module")
def ranker(world) -> RankerRecommender:
    return ranker_for(world)


def test_a_list_is_the_customers_candidates_in_the_order_of_the_network(world, ranker):
    snapshot = world.snapshot()
    retrieval = ranker.two_tower.prepare(snapshot)
    candidates = CandidateGenerator(snapshot, retrieval).candidates(everybody(world))
    pair_features = PairFeatures(snapshot, retrieval)
    matrix = pair_features.matrix(everybody(world), candidates)
    columns = np.stack([matrix[:, pair_features.names.index(name)] for name in FEATURES], axis=1)
    with torch.no_grad():
        scores = ranker.network(torch.from_numpy(scale(columns, ranker.levels))).numpy()
    found = ranker.prepare(snapshot).top(everybody(world), 12)
    for customer in range(world.customers):
        mine = np.flatnonzero(candidates.row == customer)
        expected = np.sort(scores[mine])[::-1][:12]
        assert found.scores[customer] == pytest.approx(expected, abs=1e-5)
        assert (np.diff(found.scores[customer]) <= 0).all()
        own = dict(zip(candidates.articles[mine].tolist(), mine.tolist(), strict=True))
        for article, score in zip(found.articles[customer], found.scores[customer], strict=True):
            assert scores[own[int(article)]] == pytest.approx(score, abs=1e-5)


def test_an_article_comes_from_the_first_source_that_proposed_it(world, ranker):
    found = ranker.prepare(world.snapshot()).top(everybody(world), 40)
    histories = world.snapshot().histories
    names = np.array(SOURCES)[found.sources]
    for customer in range(world.customers):
        bought = histories.articles[slice(*histories.offsets[customer : customer + 2])]
        own = np.isin(found.articles[customer], bought)
        assert ((names[customer] == "repurchase") == own)[found.articles[customer] >= 0].all()


def test_a_customers_list_does_not_depend_on_who_else_is_asked_for(world, ranker, monkeypatch):
    scorer = ranker.prepare(world.snapshot())
    together = scorer.top(everybody(world), 12)
    for customer in (0, 13, 29):
        alone = scorer.top(np.array([customer, customer], np.int32), 12)
        for name in ("articles", "scores", "sources"):
            mine = getattr(together, name)[customer].tobytes()
            assert [row.tobytes() for row in getattr(alone, name)] == [mine, mine]
    monkeypatch.setattr("hm_platform.modelling.ranker.recommender.BLOCK", 7)
    apart = scorer.top(everybody(world)[::-1], 12)
    for name in ("articles", "scores", "sources"):
        assert getattr(apart, name)[::-1].tobytes() == getattr(together, name).tobytes()


def test_several_threads_find_what_one_finds(world, ranker, monkeypatch):
    monkeypatch.setattr("hm_platform.modelling.ranker.recommender.BLOCK", 3)
    monkeypatch.setattr("hm_platform.modelling.parallel.memory", lambda: 64 << 30)
    scorer = ranker.prepare(world.snapshot())
    alone = scorer.top(everybody(world), 12)
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        for _ in range(5):
            together = scorer.top(everybody(world), 12)
            for name in ("articles", "scores", "sources"):
                assert getattr(together, name).tobytes() == getattr(alone, name).tobytes()
    finally:
        torch.set_num_threads(before)


def test_the_score_of_a_pair_does_not_depend_on_how_many_are_scored(ranker, monkeypatch):
    features = np.random.default_rng(0).normal(size=(100, len(FEATURES))).astype(np.float32)
    together = score_pairs(ranker.network, features)
    for n in (1, 3, 64):
        assert score_pairs(ranker.network, features[:n]).tobytes() == together[:n].tobytes()
    monkeypatch.setattr("hm_platform.modelling.ranker.network.PAIRS_AT_ONCE", 32)
    assert score_pairs(ranker.network, features) == pytest.approx(together, abs=1e-5)
    assert len(score_pairs(ranker.network, features[:0])) == 0


def test_equal_scores_go_to_the_more_popular_article(world):
    ranker = ranker_for(world)
    for parameter in ranker.network.parameters():
        torch.nn.init.zeros_(parameter)
    snapshot = world.snapshot()
    rank = popularity_rank(snapshot)
    scorer = ranker.prepare(snapshot)
    found = scorer.top(everybody(world), 12)
    candidates = scorer.generator.candidates(everybody(world))
    for customer in range(world.customers):
        mine = candidates.articles[candidates.row == customer].tolist()
        assert found.articles[customer].tolist() == sorted(mine, key=rank.__getitem__)[:12]
    assert (found.scores == 0).all()


def test_a_discount_takes_the_logarithm_of_the_sales_off_every_score(world, ranker):
    snapshot = world.snapshot()
    discounted = ranker_for(world, popularity_discount=0.25)
    lists = [one.prepare(snapshot).top(everybody(world), 40) for one in (ranker, discounted)]
    scored = [
        {
            (customer, int(article)): float(score)
            for customer in range(world.customers)
            for article, score in zip(found.articles[customer], found.scores[customer], strict=True)
            if article >= 0
        }
        for found in lists
    ]
    sales = snapshot.articles["purchases_total"]
    shared = scored[0].keys() & scored[1].keys()
    assert len({int(sales[article]) for _, article in shared}) > 5
    for customer, article in shared:
        taken_off = scored[0][customer, article] - scored[1][customer, article]
        assert taken_off == pytest.approx(0.25 * math.log(1 + sales[article]), abs=1e-5)
    assert lists[0].articles.tobytes() != lists[1].articles.tobytes()
    assert (np.diff(lists[1].scores) <= 0).all()


def test_a_row_ends_where_the_candidates_do(world):
    ranker = ranker_for(
        world,
        without_sources=("two_tower", "popularity", "segment_popularity", "new_arrivals"),
    )
    scorer = ranker.prepare(world.snapshot())
    found = scorer.top(everybody(world), 40)
    counts = np.bincount(scorer.generator.candidates(everybody(world)).row, minlength=30)
    assert ((found.articles >= 0).sum(axis=1) == counts).all()
    assert counts.max() < 40
    assert np.isneginf(found.scores[found.articles < 0]).all()


def test_customers_without_a_history_are_ranked_too(world):
    new = World(**vars(world))
    new.purchases = [p for p in world.purchases if p[1] not in (4, 9)]
    ranker = ranker_for(new)
    snapshot = new.snapshot()
    asked = np.array([4, 9], np.int32)
    own = ranker.prepare(snapshot).top(asked, 12)
    published = WithFallback(ranker).prepare(snapshot).top(asked, 12)
    assert not ranker.needs_history
    assert (own.articles >= 0).all()
    assert published.articles.tobytes() == own.articles.tobytes()
    assert published.scores.tobytes() == own.scores.tobytes()


def test_nobody_gets_nothing(world, ranker):
    assert ranker.prepare(world.snapshot()).top(np.zeros(0, np.int32), 12).articles.shape == (0, 12)


def test_features_and_sources_that_do_not_exist_are_named(world, ranker):
    wrong = ("due", "moon_phase", "aura")
    unknown = RankerRecommender(ranker.two_tower, ranker.network, wrong, ranker.levels)
    with pytest.raises(ModellingError, match="no pair feature aura, moon_phase"):
        unknown.prepare(world.snapshot())
    magic = RankerRecommender(
        ranker.two_tower, ranker.network, FEATURES, ranker.levels, without_sources=["magic"]
    )
    with pytest.raises(ModellingError, match="no candidate source magic"):
        magic.prepare(world.snapshot())


def test_later_weeks_are_ranked_with_what_is_known_then(world, ranker):
    """A new article and a new customer have no embeddings, and places in lists all the same."""
    later = described_world(1)
    later.purchases += [(p[0], 30, 40) for p in later.purchases[-50:]]
    later.articles, later.customers = 41, 31
    for codes in (later.article_codes, later.customer_codes):
        for name in codes:
            codes[name] = [*codes[name], 1]
    later.prices, later.ages, later.discounts = (
        [*values, 1.0] for values in (later.prices or [], later.ages or [], later.discounts or [])
    )
    snapshot = replace(later.snapshot(), training_articles=40, training_customers=30)
    found = ranker.prepare(snapshot).top(np.arange(31, dtype=np.int32), 41)
    assert 40 in found.articles[30]
    assert set(FEATURES) < set(feature_groups())
