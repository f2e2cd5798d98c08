"""The discount on best sellers: as much as costs nothing, half of it, or none."""

from __future__ import annotations

import numpy as np
import pytest

from hm_platform.modelling.ranker.discount import log_sales, settled_discount
from hm_platform.modelling.ranker.lists import RankingLists
from hm_platform.modelling.ranker.metrics import mean_average_precision
from tests.modelling.worlds import described_world

ARTICLES = 30
SOLD_MOST = ARTICLES - 1
LOGS = np.arange(ARTICLES, dtype=np.float32)


def lists_of(wanted: list[int]) -> RankingLists:
    """A list of all articles for each customer, who buys the one that is named."""
    n = len(wanted)
    hit = np.zeros((n, ARTICLES), dtype=np.bool_)
    hit[np.arange(n), wanted] = True
    return RankingLists(
        np.arange(n + 1, dtype=np.int64) * ARTICLES,
        np.zeros((n * ARTICLES, 1), dtype=np.float32),
        np.tile(np.arange(ARTICLES, dtype=np.int32), n),
        hit.ravel(),
        np.ones(n, dtype=np.int32),
    )


def scores_of(lists: RankingLists, first: int, second: int, lead: float) -> np.ndarray:
    """All lists begin with these articles; the first leads the second by so much."""
    scores = np.full((len(lists), ARTICLES), -100, dtype=np.float32)
    scores[:, first], scores[:, second] = lead, 0
    return scores.ravel()


@pytest.mark.parametrize(
    ("wanted", "lead", "settled"),
    [
        pytest.param(0, 2.0, 0.5, id="the less sold one is what they buy"),
        pytest.param(SOLD_MOST, 100.0, 0.5, id="they buy the best seller, and it stays first"),
        pytest.param(SOLD_MOST, 10.0, 0.25, id="the whole would put the best seller behind"),
        pytest.param(SOLD_MOST, 2.0, 0.0, id="half of it would, too"),
    ],
)
def test_it_is_the_highest_that_costs_nothing(wanted: int, lead: float, settled: float):
    lists = lists_of([wanted] * 20)
    scores = scores_of(lists, SOLD_MOST, 0, lead)
    found = settled_discount(lists, scores, LOGS, 0.5)
    assert found == settled
    kept = scores - (found * LOGS)[lists.articles]
    assert mean_average_precision(lists, kept) >= mean_average_precision(lists, scores)


@pytest.mark.parametrize(("losers", "settled"), [(11, 0.5), (16, 0.0)])
def test_a_loss_within_the_noise_costs_nothing(losers: int, settled: float):
    """With the discount the losers lose half of their precision, and the others gain as much."""
    lists = lists_of([SOLD_MOST] * losers + [0] * (20 - losers))
    assert settled_discount(lists, scores_of(lists, SOLD_MOST, 0, 2.0), LOGS, 0.5) == settled


def test_none_at_most_is_none():
    lists = lists_of([0] * 5)
    assert settled_discount(lists, scores_of(lists, SOLD_MOST, 0, 2.0), LOGS, 0.0) == 0


def test_sales_are_those_that_are_known_before_the_cut_off():
    snapshot = described_world(1).snapshot()
    sales = snapshot.articles["purchases_total"]
    assert sales.max() > 1
    assert np.expm1(log_sales(snapshot)) == pytest.approx(sales, rel=1e-5, abs=1e-5)
