from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.quality.lists import best_sellers, top_of
from benchmarks.quality.pairs import pairs
from benchmarks.quality.peers import PEERS
from benchmarks.quality.peers.grids import GRIDS, alternatives
from benchmarks.quality.peers.item_models import Ease
from benchmarks.quality.peers.simple import Popularity, Repurchase, SegmentPopularity
from tests.benchmarks.quality.shops import TARGET, busy_shop, history

NEEDS = {
    "item-knn": "implicit",
    "item-knn-repurchase": "implicit",
    "als": "implicit",
    "bpr": "implicit",
    "two-stage-lightgbm": "lightgbm",
}
K = 12


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_gives_distinct_known_articles_and_the_same_ones_again(name: str) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    target = busy_shop().target(TARGET)
    customers = target.bought.customers
    lists = PEERS[name].recommend(target.history, customers, K)
    assert lists.shape == (len(customers), K)
    assert lists.dtype == np.int32
    assert np.isin(lists, target.history.sold).all()
    assert (np.diff(np.sort(lists, axis=1), axis=1) > 0).all()
    np.testing.assert_array_equal(PEERS[name].recommend(target.history, customers, K), lists)


def test_popularity_is_the_same_for_all() -> None:
    known = history([(0, 0, -1), (1, 0, -2), (0, 1, -1), (0, 2, -20), (1, 2, -20)], 2, 3)
    who = np.array([0, 1], dtype=np.int32)
    assert Popularity(7).recommend(known, who, 3).tolist() == [[0, 1, 2]] * 2


def test_repurchase_counts_days_or_lets_them_decay() -> None:
    known = history([(0, 0, -200), (0, 0, -201), (0, 0, -201), (0, 1, -1)], 1, 2)
    who = np.array([0], dtype=np.int32)
    assert Repurchase(math.inf).recommend(known, who, 2).tolist() == [[0, 1]]
    assert Repurchase(60).recommend(known, who, 2).tolist() == [[1, 0]]


def test_a_large_segment_has_best_sellers_of_its_own() -> None:
    # Even customers are 20, odd ones 40 years old.
    bought = [(c, 0 if c % 2 else 1, -1) for c in range(400)] + [(1, 0, -2)]
    known = history(bought, 400, 2)
    lists = SegmentPopularity().recommend(known, np.array([0, 1], dtype=np.int32), 1)
    assert lists.tolist() == [[1], [0]]


@pytest.mark.parametrize("name", GRIDS)
def test_the_chosen_settings_are_compared_with_others(name: str) -> None:
    tried = alternatives(name)
    assert tried[0] == PEERS[name]
    assert len(tried) == len(set(tried)) > 1


def test_ease_over_customers_is_that_of_the_paper_over_articles() -> None:
    target = busy_shop(customers=12, articles=9).target(TARGET)
    found = pairs(target.history)
    X = np.log1p(found.matrix(found.days()).toarray())
    P = np.linalg.inv(X.T @ X + 5 * np.eye(X.shape[1]))
    B = -P / np.diag(P)
    np.fill_diagonal(B, 0)
    customers = target.bought.customers
    wanted = top_of((X @ B)[customers], 4, best_sellers(target.history))
    found_lists = Ease(penalty=5).recommend(target.history, customers, 4)
    np.testing.assert_array_equal(found_lists, wanted)
