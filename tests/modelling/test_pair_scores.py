"""Scores of given pairs of customers and articles, in two parts."""

from __future__ import annotations

import numpy as np
import pytest

from tests.modelling.networks import HISTORY, everybody, recommender_for
from tests.modelling.worlds import random_world


def test_both_parts_of_given_pairs_sum_up_to_the_scores_of_lists(monkeypatch):
    world = random_world(8)
    snapshot = world.snapshot()
    scorer = recommender_for(world).prepare(snapshot)
    customers = np.array([4, 29, 0, 17, 4], dtype=np.int32)
    found = scorer.top(customers, 40)
    row, column = np.nonzero(found.articles >= 0)
    order = np.random.default_rng(0).permutation(len(row))
    row, column = row[order], column[order]
    articles = found.articles[row, column]
    for customer_block, pair_block in ((256, 16384), (2, 7)):
        monkeypatch.setattr("hm_platform.modelling.two_tower.CUSTOMER_BLOCK", customer_block)
        monkeypatch.setattr("hm_platform.modelling.two_tower.PAIR_BLOCK", pair_block)
        dense, sparse = scorer.score(customers, row, articles)
        assert dense.dtype == sparse.dtype == np.float32
        assert dense + sparse == pytest.approx(found.scores[row, column], abs=1e-4)
        past = [
            snapshot.histories.articles[slice(*snapshot.histories.offsets[c : c + 2])][:HISTORY]
            for c in customers
        ]
        in_history = [a in past[r] for r, a in zip(row, articles, strict=True)]
        assert ((sparse != 0) == in_history).all()


def test_the_scores_of_a_pair_do_not_depend_on_what_else_is_asked_for():
    world = random_world(8)
    scorer = recommender_for(world).prepare(world.snapshot())
    row, articles = (x.ravel() for x in np.indices((30, 40)))
    together = scorer.score(everybody(world), row, articles)
    for pair in (0, 417, 1199):
        alone = scorer.score(
            np.array([row[pair]], np.int32), np.array([0]), articles[pair : pair + 1]
        )
        assert [part[0] for part in alone] == [part[pair] for part in together]


def test_all_pairs_have_the_dense_part_of_given_pairs(monkeypatch):
    world = random_world(8)
    scorer = recommender_for(world).prepare(world.snapshot())
    customers = np.array([4, 29, 0, 17, 4], dtype=np.int32)
    articles = np.array([39, 3, 3, 12], dtype=np.int32)
    row, column = (x.ravel() for x in np.indices((5, 4)))
    expected = scorer.score(customers, row, articles[column])[0].reshape(5, 4)
    for block in (256, 2):
        monkeypatch.setattr("hm_platform.modelling.two_tower.CUSTOMER_BLOCK", block)
        found = scorer.score_all(customers, articles)
        assert found.dtype == np.float32
        assert found == pytest.approx(expected, abs=1e-4)
    nobody = np.zeros(0, dtype=np.int32)
    assert scorer.score_all(nobody, articles).shape == (0, 4)
    assert scorer.score_all(customers, nobody).shape == (5, 0)


def test_no_pair_has_no_score():
    world = random_world(8)
    scorer = recommender_for(world).prepare(world.snapshot())
    nothing = np.zeros(0, dtype=np.int64)
    for customers in (everybody(world), np.zeros(0, dtype=np.int32)):
        dense, sparse = scorer.score(customers, nothing, nothing)
        assert len(dense) == len(sparse) == 0
