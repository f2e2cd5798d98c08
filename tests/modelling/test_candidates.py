"""The first stage: who proposes what, and how much of what was bought is among it."""

from __future__ import annotations

import numpy as np
import pytest

from hm_platform.modelling.candidates import (
    CANDIDATES_EACH,
    CandidateGenerator,
    CandidateRecall,
    Candidates,
    RecallCounter,
    bought_among,
)
from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.metrics import Purchased, purchased
from hm_platform.modelling.recommenders import SOURCES
from tests.modelling.networks import everybody, recommender_for
from tests.modelling.worlds import World, day, described_world

NAN = np.nan


def generator(world: World, without: tuple[str, ...] = ()) -> CandidateGenerator:
    snapshot = world.snapshot()
    return CandidateGenerator(snapshot, recommender_for(world).prepare(snapshot), without)


def by_pair(found: Candidates, source: str) -> dict[tuple[int, int], float]:
    """The scores of a source where it proposed something."""
    column = found.scores[:, list(found.sources).index(source)]
    return {
        (int(row), int(article)): float(score)
        for row, article, score in zip(found.row, found.articles, column, strict=True)
        if not np.isnan(score)
    }


def small_shop() -> World:
    """Customer 0 bought 0 and 1; customer 1 only 2; customer 2 nothing. Article 3 goes with 0,
    article 4 is new and in the department of 0; nobody ever bought 5."""
    purchases = [(day(40), 0, 0), (day(2), 0, 1), (day(40), 1, 2), (day(3), 1, 2)]
    purchases += [(day(40), 3, 1), (day(40), 3, 3), (day(1), 3, 4)]
    return World(
        purchases,
        articles=6,
        customers=4,
        article_codes={"department_code": [1, 2, 2, 2, 1, 1]},
        customer_codes={"segment_code": [0, 1, 1, 0]},
        copurchases={0: [(3, 0.5)]},
    )


def test_each_source_proposes_its_own_articles_only():
    found = generator(small_shop()).candidates(np.array([0, 1, 2], np.int32))
    own = {name: set(by_pair(found, name)) for name in CANDIDATES_EACH}
    assert own["repurchase"] == {(0, 0), (0, 1), (1, 2)}
    assert own["co_purchase"] == {(0, 3)}
    assert own["new_arrivals"] == {(0, 4)}
    # Of segment 1, customer 1 alone bought something last week; segment 0 is no segment.
    assert own["segment_popularity"] == {(1, 2), (2, 2)}
    everything = {(customer, article) for customer in range(3) for article in range(5)}
    assert own["popularity"] == own["two_tower"] == everything


def test_scores_are_those_of_the_source():
    found = generator(small_shop()).candidates(np.array([0, 1], np.int32))
    repurchase = by_pair(found, "repurchase")
    assert repurchase[0, 0] == pytest.approx(2 ** (-40 / 60))
    assert repurchase[1, 2] == pytest.approx(2 ** (-40 / 60) + 2 ** (-3 / 60))
    assert by_pair(found, "co_purchase")[0, 3] == pytest.approx(0.5 * 2 ** (-40 / 30))
    assert by_pair(found, "popularity")[0, 1] == 1
    assert by_pair(found, "popularity")[0, 0] == 0


def test_the_union_is_distinct_and_in_order_and_every_pair_has_a_source():
    found = generator(described_world(3)).candidates(everybody(described_world(3)))
    keys = found.row * 1000 + found.articles
    assert (np.diff(keys) > 0).all()
    assert (~np.isnan(found.scores)).any(axis=1).all()
    assert found.articles.dtype == np.int32
    assert found.scores.dtype == np.float32
    assert tuple(found.sources) == tuple(CANDIDATES_EACH)


def test_no_source_proposes_more_than_its_share(monkeypatch):
    limits = {"repurchase": 2, "two_tower": 3, "popularity": 1}
    for name, most in limits.items():
        monkeypatch.setitem(CANDIDATES_EACH, name, most)
    world = described_world(3)
    found = generator(world).candidates(everybody(world))
    for name, most in limits.items():
        column = found.scores[:, list(found.sources).index(name)]
        counts = np.bincount(found.row[~np.isnan(column)], minlength=world.customers)
        assert counts.max() == most


def test_only_articles_that_were_sold_are_proposed():
    found = generator(small_shop()).candidates(np.arange(4, dtype=np.int32))
    assert set(found.articles.tolist()) == {0, 1, 2, 3, 4}


def test_the_first_source_is_the_first_in_the_order_of_the_candidates():
    scores = np.array(
        [[1, NAN, 1], [NAN, 0, 1], [NAN, NAN, -1], [0, 0, 0]],
        dtype=np.float32,
    )
    candidates = Candidates(
        ("repurchase", "popularity", "two_tower"),
        np.zeros(4, np.int64),
        np.arange(4, dtype=np.int32),
        scores,
    )
    names = [SOURCES[place] for place in candidates.first_source()]
    assert names == ["repurchase", "popularity", "two_tower", "repurchase"]
    assert set(CANDIDATES_EACH) == set(SOURCES)


def test_a_customers_candidates_do_not_depend_on_who_else_is_asked_for():
    world = described_world(5)
    sources = generator(world)
    together = sources.candidates(everybody(world))
    for customers in ([17], [29, 3, 3]):
        some = sources.candidates(np.array(customers, np.int32))
        for place, customer in enumerate(customers):
            mine, all_mine = some.row == place, together.row == customer
            assert (some.articles[mine] == together.articles[all_mine]).all()
            assert some.scores[mine].tobytes() == together.scores[all_mine].tobytes()


def test_nobody_has_no_candidates():
    found = generator(described_world(5)).candidates(np.zeros(0, np.int32))
    assert len(found.row) == len(found.articles) == len(found.first_source()) == 0
    assert found.scores.shape == (0, len(CANDIDATES_EACH))


@pytest.mark.parametrize("name", CANDIDATES_EACH)
def test_a_source_can_be_left_out_and_the_others_stay_as_they_are(name):
    world = described_world(5)
    whole = generator(world).candidates(everybody(world))
    found = generator(world, (name,)).candidates(everybody(world))
    assert name not in found.sources
    for other in found.sources:
        assert by_pair(found, other) == by_pair(whole, other)


def test_an_unknown_source_is_named():
    with pytest.raises(ModellingError, match="no candidate source magic: know repurchase"):
        generator(small_shop(), ("popularity", "magic"))


def test_some_source_must_be_left():
    with pytest.raises(ModellingError, match="no candidate source is left"):
        generator(small_shop(), tuple(CANDIDATES_EACH))


def two_customers() -> Candidates:
    """Customer 0: article 1 from both sources, 2 from the first alone. Customer 1: 1 and 3 from
    the second alone."""
    return Candidates(
        ("repurchase", "popularity"),
        np.array([0, 0, 1, 1]),
        np.array([1, 2, 1, 3], np.int32),
        np.array([[0.5, 9], [0.4, NAN], [NAN, 9], [NAN, 0]], np.float32),
    )


def test_bought_candidates_are_found_by_customer_and_article():
    # Customers 4, 5 and 8 bought; asked are 8 and 4. Article 9 is no candidate.
    bought = purchased(np.array([4, 4, 5, 8, 8]), np.array([3, 9, 1, 2, 1]))
    wanted = bought_among(two_customers(), bought, np.array([2, 0]))
    assert wanted.tolist() == [True, True, False, True]
    assert bought_among(two_customers(), bought, np.array([1, 1])).tolist() == [1, 0, 1, 0]


def test_nothing_is_wanted_where_nothing_was_bought():
    nothing = Purchased(np.array([0, 1], np.int32), np.zeros(3, np.int64), np.zeros(0, np.int32))
    assert not bought_among(two_customers(), nothing, np.array([0, 1])).any()


def test_recall_is_a_mean_over_customers():
    counter = RecallCounter(["repurchase", "popularity"])
    # Customer 0 bought its candidates 1 and 2 and two other things, customer 1 its candidate 3.
    counter.add(two_customers(), np.array([True, True, False, True]), np.array([4, 1]))
    # A third customer, in a block of its own, bought two things and one of one candidate.
    third = Candidates(
        ("repurchase", "popularity"),
        np.array([0]),
        np.array([5], np.int32),
        np.array([[1, NAN]], np.float32),
    )
    counter.add(third, np.array([True]), np.array([2]))
    found = counter.result()
    assert found["repurchase"] == CandidateRecall(
        pytest.approx((2 / 4 + 1 / 2) / 3), pytest.approx((1 / 4 + 1 / 2) / 3), pytest.approx(1)
    )
    assert found["popularity"] == CandidateRecall(
        pytest.approx((1 / 4 + 1) / 3), pytest.approx(1 / 3), pytest.approx(1)
    )
    assert found["union"].recall == pytest.approx((2 / 4 + 1 + 1 / 2) / 3)
    assert found["union"].candidates == pytest.approx(5 / 3)


def test_recall_of_nobody_is_zero():
    counter = RecallCounter(["repurchase"])
    assert counter.result() == {
        "repurchase": CandidateRecall(0, 0, 0),
        "union": CandidateRecall(0, 0, 0),
    }
