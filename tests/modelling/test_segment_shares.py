"""How much of an article a segment bought, against counting purchases one at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hm_platform.modelling.baselines.popularity import SegmentShares
from tests.modelling.worlds import VALIDATION, World, day, random_world

worlds = st.builds(random_world, st.integers(0, 10_000), st.just(8), st.integers(1, 14), st.just(3))


@given(worlds, st.sampled_from([0.5, 20.0]))
def test_shares_are_shrunk_towards_those_of_all_buyers(world, prior):
    shares = SegmentShares(world.snapshot(), prior)
    segments = world.customer_codes["segment_code"]
    lately = {(c, a) for when, c, a in world.purchases if day(7) <= when < VALIDATION}
    buyers = {c for c, _ in lately}
    pairs = [(s, a) for s in range(shares.n_segments) for a in range(world.articles)]
    segment, article = (np.array(column) for column in zip(*pairs, strict=True))
    bought, mean = shares.bought(segment, article), shares.mean(segment, article)
    for place, (s, a) in enumerate(pairs):
        peers = {c for c in buyers if segments[c] == s} if s > 0 else set()
        count = sum(customer in peers and other == a for customer, other in lately)
        overall = sum(other == a for _, other in lately) / max(len(buyers), 1)
        assert bought[place] == count
        assert mean[place] == pytest.approx((count + prior * overall) / (len(peers) + prior))
    assert shares.share == pytest.approx(
        [sum(b == a for _, b in lately) / max(len(buyers), 1) for a in range(world.articles)]
    )


def test_pairs_may_come_in_any_order_and_twice():
    world = World(
        [(day(1), 0, 2), (day(1), 1, 2), (day(1), 1, 0), (day(9), 2, 1)],
        articles=3,
        customers=3,
        customer_codes={"segment_code": [1, 2, 1]},
    )
    shares = SegmentShares(world.snapshot(), prior=2.0)
    segment, article = np.array([2, 0, 2, 1, 1]), np.array([0, 2, 0, 2, 1], np.int32)
    assert shares.bought(segment, article).tolist() == [1, 0, 1, 1, 0]
    assert shares.mean(segment, article) == pytest.approx(
        [(1 + 2 / 2) / 3, 1.0, (1 + 2 / 2) / 3, (1 + 2) / 3, 0.0]
    )


def test_a_week_without_sales_has_no_shares():
    world = World([(day(9), 0, 0)], articles=2, customers=1)
    shares = SegmentShares(world.snapshot())
    assert shares.mean(np.array([0, 0]), np.array([0, 1])).tolist() == [0, 0]
    assert shares.bought(np.array([0, 0]), np.array([0, 1])).tolist() == [0, 0]
