"""Everybody gets k articles."""

from __future__ import annotations

import numpy as np
import pytest

from hm_platform.modelling.fallback import WithFallback
from hm_platform.modelling.ranking import empty
from hm_platform.modelling.recommenders import SOURCES
from hm_platform.modelling.selection import baselines
from tests.modelling.worlds import World, day

WORLD = World(
    [(day(1 + a % 5), c, a) for c in range(4) for a in range(c, 15)],
    articles=16,
    customers=6,
    customer_codes={"segment_code": [1, 1, 2, 2, 1, 0]},
)


class Shy:
    """Recommends one article, to anybody."""

    name = "shy"
    needs_history = True

    def prepare(self, snapshot):
        return self

    def top(self, customers, k):
        result = empty(len(customers), k)
        result.articles[:, 0] = 7
        result.scores[:, 0] = 0.5
        return result


@pytest.mark.parametrize("recommender", [Shy(), *baselines()], ids=lambda r: r.name)
def test_every_customer_gets_twelve_distinct_articles(recommender):
    wrapped = WithFallback(recommender)
    found = wrapped.prepare(WORLD.snapshot()).top(np.arange(6, dtype=np.int32), 12)
    assert wrapped.name == recommender.name
    for row in found.articles:
        assert len(set(row.tolist()) - {-1}) == 12
    assert (np.diff(found.scores, axis=1) <= 0).all()


def test_customers_without_history_get_their_segments_best_sellers():
    found = WithFallback(Shy()).prepare(WORLD.snapshot()).top(np.array([4, 5, 0], np.int32), 12)
    sources = [{SOURCES[s] for s in row} for row in found.sources]
    assert found.articles[0, 0] != 7
    assert sources[0] == {"segment_popularity"}
    assert sources[1] == {"popularity"}
    assert found.articles[2, 0] == 7


def test_a_recommender_that_needs_no_history_is_asked_for_customers_without_one():
    bold = Shy()
    bold.needs_history = False
    found = WithFallback(bold).prepare(WORLD.snapshot()).top(np.array([4, 5], np.int32), 12)
    assert found.articles[:, 0].tolist() == [7, 7]
    for row in found.articles:
        assert len(set(row.tolist()) - {-1}) == 12


def test_three_articles_make_a_list_of_three():
    world = World([(day(1), 0, a) for a in range(3)], articles=5, customers=2)
    for recommender in baselines():
        scorer = WithFallback(recommender).prepare(world.snapshot())
        found = scorer.top(np.array([0, 1], dtype=np.int32), 12)
        for row in (0, 1):
            assert sorted(found.articles[row].tolist()) == [-1] * 9 + [0, 1, 2]
            assert np.isneginf(found.scores[row, 3:]).all()
