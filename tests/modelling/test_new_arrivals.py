"""New articles near a customer's taste, by numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hm_platform.modelling.baselines.new_arrivals import NewArrivals
from hm_platform.modelling.recommenders import SOURCES
from tests.modelling.networks import everybody
from tests.modelling.worlds import World, day, described_world


def shop(**options) -> World:
    """Customer 0 bought 0 sixty days ago and 1 a hundred and twenty, customer 1 nothing; others
    bought the new articles 2 (three times), 3 (once) and 4 (once)."""
    purchases = [(day(60), 0, 0), (day(120), 0, 1)]
    purchases += [(day(age), 2, 2) for age in (1, 2, 3)] + [(day(3), 2, 3), (day(3), 2, 4)]
    fields = {
        "purchases": purchases,
        "articles": 5,
        "customers": 3,
        "article_codes": {
            "product_type_code": [1, 2, 1, 1, 2],
            "department_code": [1, 2, 1, 2, 3],
        },
    }
    return World(**(fields | options))


def lists(world: World, k: int = 4, **options):
    return NewArrivals(**options).prepare(world.snapshot()).top(everybody(world), k)


def test_the_score_is_taste_times_first_sales():
    found = lists(shop())
    # A purchase of 60 days counts a half, one of 120 a quarter: two thirds and one third.
    assert found.articles[0].tolist() == [2, 3, 4, -1]
    expected = [
        (2 / 3 + 2 / 3) * math.log(4),  # type 1 and department 1
        (2 / 3 + 1 / 3) * math.log(2),  # type 1, department 2
        (1 / 3 + 0) * math.log(2),  # type 2, nobody's department
    ]
    assert found.scores[0, :3] == pytest.approx(expected, rel=1e-6)
    assert np.isneginf(found.scores[0, 3])
    assert {SOURCES[place] for place in found.sources[0, :3]} == {"new_arrivals"}


def test_without_a_history_there_is_no_taste():
    assert (lists(shop()).articles[1] == -1).all()


def test_a_shorter_half_life_forgets_faster():
    found = lists(shop(), half_life=30.0)
    assert found.scores[0, 2] == pytest.approx(1 / 5 * math.log(2), rel=1e-6)


def test_what_is_older_or_does_not_sell_is_not_new():
    world = shop()
    world.purchases += [(day(28), 2, 3), (day(29), 2, 2)]
    assert lists(world).articles[0].tolist() == [3, 4, -1, -1]
    assert lists(world, days=29).articles[0].tolist() == [2, 3, 4, -1]
    assert (lists(world, days=2).articles[0] == -1).all()
    stale = shop(purchases=[(day(60), 0, 0), (day(8), 2, 2), (day(7), 2, 3)])
    assert lists(stale).articles[0].tolist() == [3, -1, -1, -1]


def test_the_best_sellers_among_many_are_looked_at():
    world = shop()
    world.purchases += [(day(3), 2, 4)] * 4
    assert lists(world, most=1).articles[0].tolist() == [4, -1, -1, -1]
    assert lists(world, most=2).articles[0].tolist() == [2, 4, -1, -1]
    assert lists(shop(), k=1).articles[0].tolist() == [2]


def test_ties_go_to_the_more_popular_article():
    world = shop()
    world.article_codes = {"product_type_code": [1, 2, 1, 1, 1], "department_code": [1] * 5}
    assert lists(world).articles[0].tolist() == [2, 3, 4, -1]
    # Bought again before last week: the same score, but more sales in four weeks.
    world.purchases.append((day(10), 2, 4))
    assert lists(world).articles[0].tolist() == [2, 4, 3, -1]


def test_unknown_categories_are_nothing_to_have_in_common():
    world = shop(article_codes={"product_type_code": [0] * 5, "department_code": [0] * 5})
    assert (lists(world).articles == -1).all()
    # What is unknown in the history still counts as a purchase of something else.
    world = shop()
    world.article_codes["product_type_code"][1] = 0
    assert lists(world).scores[0, 0] == pytest.approx(4 / 3 * math.log(4), rel=1e-6)


def test_a_shop_without_new_articles_proposes_none():
    old = shop(purchases=[(day(60), 0, 0), (day(50), 1, 1)])
    assert (lists(old).articles == -1).all()


def test_a_customers_list_does_not_depend_on_who_else_is_asked_for(monkeypatch):
    world = described_world(5)
    # Half of the articles appear a month before the cut-off.
    world.purchases = [p for p in world.purchases if p[2] % 2 or p[0] > day(28)]
    scorer = NewArrivals().prepare(world.snapshot())
    together = scorer.top(everybody(world), 12)
    assert (together.articles[:, 0] >= 0).sum() > 20
    monkeypatch.setattr("hm_platform.modelling.baselines.new_arrivals.BLOCK", 7)
    apart = scorer.top(everybody(world), 12)
    for name in ("articles", "scores", "sources"):
        assert getattr(apart, name).tobytes() == getattr(together, name).tobytes()
