"""A snapshot and candidates are bound to the right features, whoever else is asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hm_platform.features.errors import FeatureError
from hm_platform.modelling.candidates import CandidateGenerator, Candidates
from hm_platform.modelling.ranker.inputs import PairFeatures, feature_groups
from tests.modelling.networks import everybody, recommender_for
from tests.modelling.ranker.slow_features import SlowFeatures
from tests.modelling.worlds import VALIDATION, World, day, described_world

OF_ARTICLES = {
    "buyers": "buyers_total",
    "buyers_last_week": "buyers_last_week",
    "buyers_last_4_weeks": "buyers_last_4_weeks",
    "days_per_buyer": "days_per_buyer",
    "repeat_buyers_share": "repeat_buyers_share",
    "mean_gap_days": "mean_gap_days",
    "repurchase_rate": "repurchase_rate_4_weeks",
    "days_on_sale": "days_since_first_sale",
    "days_since_sale": "days_since_last_sale",
    "price": "price_scaled",
    "price_last_week": "price_last_week_ratio",
}
OF_CUSTOMERS = {
    "customer_trips": "shopping_days_total",
    "customer_trips_last_4_weeks": "shopping_days_last_4_weeks",
    "customer_recency": "days_since_last_purchase",
}
HISTORY = {"recency", "frequency", "share", "rhythm"}
"""Groups of features that speak of what the customer bought of the article."""


def prepared(world: World, cutoff=VALIDATION):
    snapshot = world.snapshot(cutoff)
    two_tower = recommender_for(world).prepare(snapshot)
    return snapshot, two_tower, PairFeatures(snapshot, two_tower)


def pairs(world: World, customers: list[int]) -> Candidates:
    """Every customer with every article; two sources that made up their scores."""
    row, article = (x.ravel() for x in np.indices((len(customers), world.articles)))
    made_up = np.where(article % 3 == 0, np.nan, row + article / 100)
    return Candidates(
        ("co_purchase", "popularity"),
        row,
        article.astype(np.int32),
        np.stack([made_up, -made_up], axis=1).astype(np.float32),
    )


@pytest.mark.parametrize(("seed", "cutoff"), [(1, VALIDATION), (2, day(7))])
def test_every_feature_of_every_pair_is_what_its_docstring_says(seed, cutoff):
    world = described_world(seed, customers=12)
    snapshot, two_tower, features = prepared(world, cutoff)
    slow = SlowFeatures(world, cutoff)
    customers = [7, 0, 11, 3, 5]
    candidates = pairs(world, customers)
    found = features.matrix(np.array(customers, np.int32), candidates)
    assert found.dtype == np.float32
    assert found.shape == (len(candidates.row), len(features.names))
    dense, repeat = two_tower.score(
        np.array(customers, np.int32), candidates.row, candidates.articles
    )
    rows = []
    for row, article in zip(candidates.row.tolist(), candidates.articles.tolist(), strict=True):
        customer = customers[row]
        expected = slow.of(customer, article)
        of_article = {name: values[article] for name, values in snapshot.articles.items()}
        expected |= {name: of_article[column] for name, column in OF_ARTICLES.items()}
        expected |= {n: snapshot.customers[c][customer] for n, c in OF_CUSTOMERS.items()}
        recent = expected["buyers_last_4_weeks"] / 4
        expected["trend"] = (expected["buyers_last_week"] + 1) / (recent + 1)
        since = expected["pair_days_since_last"]
        expected["due_by_article"] = since / max(of_article["mean_gap_days"], 1)
        online = snapshot.customers["online_share"][customer]
        expected["channel_against_habit"] = abs(online - of_article["online_share_last_4_weeks"])
        expected["two_tower_similarity"] = dense[len(rows)]
        expected["two_tower_repetition"] = np.nan if np.isnan(since) else repeat[len(rows)]
        expected["co_purchase_score"] = candidates.scores[len(rows), 0]
        expected["new_arrivals_score"] = np.nan
        assert set(expected) == set(features.names)
        rows.append([expected[name] for name in features.names])
    for column, name in enumerate(features.names):
        np.testing.assert_allclose(
            found[:, column], [row[column] for row in rows], rtol=1e-4, atol=1e-5, err_msg=name
        )


def test_the_world_of_that_test_has_something_to_say_in_every_feature():
    """Else the comparison proves nothing: each feature takes several values."""
    world = described_world(1, customers=12)
    _, _, features = prepared(world)
    found = features.matrix(everybody(world), pairs(world, list(range(12))))
    for column, name in enumerate(features.names):
        values = np.unique(found[:, column][~np.isnan(found[:, column])])
        assert len(values) > 1 or name == "new_arrivals_score", name


def test_every_feature_has_a_group_and_the_columns_their_order():
    groups = feature_groups()
    _, _, features = prepared(described_world(1))
    assert list(features.names) == list(groups) == sorted(groups)
    assert set(groups.values()) == {
        *HISTORY,
        "kind",
        "popularity",
        "returning",
        "novelty",
        "price",
        "customer",
        "affinity",
        "collaborative",
        "two_tower",
    }


def test_what_is_not_in_the_history_does_not_apply():
    world = described_world(1)
    snapshot, _, features = prepared(world)
    candidates = pairs(world, list(range(30)))
    found = features.matrix(everybody(world), candidates)
    histories = snapshot.histories
    bought = {
        (c, int(a))
        for c in range(30)
        for a in histories.articles[histories.offsets[c] : histories.offsets[c + 1]]
    }
    known = np.array(
        [pair in bought for pair in zip(candidates.row, candidates.articles, strict=True)]
    )
    assert 0 < known.sum() < len(known)
    groups = feature_groups()
    own = [i for i, name in enumerate(features.names) if groups[name] in HISTORY]
    assert np.isnan(found[~known][:, own]).all()
    always = [features.names.index(n) for n in ("pair_days_since_last", "pair_shopping_days")]
    assert not np.isnan(found[known][:, always]).any()


def test_a_customer_without_a_history_has_features_all_the_same():
    world = described_world(1)
    world.purchases = [p for p in world.purchases if p[1] != 4]
    _, _, features = prepared(world)
    matrix = features.matrix(np.array([4], np.int32), pairs(world, [4]))
    found = dict(zip(features.names, matrix.T, strict=True))
    for name in ("customer_articles", "customer_trips"):
        assert (found[name] == 0).all()
    for name in (
        "customer_repeats",
        "price_against_habit",
        "type_articles",
        "due",
        "channel_against_habit",
    ):
        assert np.isnan(found[name]).all()
    assert (found["customer_recency"] == -1).all()
    assert not np.isnan(found["two_tower_similarity"]).any()


def test_unknown_kinds_are_not_one_kind():
    world = described_world(1)
    world.article_codes["product_code"] = [0] * world.articles
    _, _, features = prepared(world)
    found = features.matrix(everybody(world), pairs(world, list(range(30))))
    for name in ("product_days_since_last", "product_articles", "share_of_product"):
        assert np.isnan(found[:, features.names.index(name)]).all()


def test_a_pair_has_the_same_features_whoever_else_is_asked_for():
    world = described_world(1)
    snapshot, two_tower, features = prepared(world)
    generator = CandidateGenerator(snapshot, two_tower)
    together = generator.candidates(everybody(world))
    found = features.matrix(everybody(world), together)
    for customers in ([17], [29, 3, 3]):
        some = generator.candidates(np.array(customers, np.int32))
        mine = features.matrix(np.array(customers, np.int32), some)
        for place, customer in enumerate(customers):
            assert mine[some.row == place].tobytes() == found[together.row == customer].tobytes()


def test_no_pair_has_no_features():
    world = described_world(1)
    _, _, features = prepared(world)
    nothing = np.zeros(0, np.int32)
    for customers in (everybody(world), nothing):
        none = Candidates(("popularity",), nothing.astype(np.int64), nothing, np.zeros((0, 1)))
        assert features.matrix(customers, none).shape == (0, len(features.names))


def test_a_number_that_cannot_be_says_of_which_feature_it_is():
    world = described_world(1)
    snapshot, two_tower, _ = prepared(world)
    broken = np.full(world.articles, -1, np.float32)
    wrong = replace(snapshot, articles={**snapshot.articles, "mean_gap_days": broken})
    with pytest.raises(FeatureError, match=r"pair features before 2020-02-26.*lie outside"):
        PairFeatures(wrong, two_tower).matrix(everybody(world), pairs(world, list(range(30))))
