"""Recommendations for lists of articles alone, without a known customer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.two_tower import TwoTowerScorer
from tests.modelling.networks import recommender_for
from tests.modelling.worlds import VALIDATION, World, day, pairs_before, random_world


def articles_scorer(world: World, seed: int = 0) -> TwoTowerScorer:
    """Of a network that was trained a little: all weights of the sequence layer say something."""
    recommender = recommender_for(world, seed)
    torch.manual_seed(seed)
    for parameter in recommender.network.customers.sequence.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return recommender.prepare(world.snapshot())


def test_a_list_of_articles_alone_is_turned_into_recommendations():
    scorer = articles_scorer(random_world(1))
    found = scorer.top_for_articles([np.array([3, 4, 5]), np.array([7]), np.array([], int)], 12)
    for row in found.articles:
        assert len(set(row.tolist())) == 12
    assert (np.diff(found.scores, axis=1) <= 0).all()
    assert (found.scores[0] != found.scores[1]).any()
    assert len(scorer.top_for_articles([], 12).articles) == 0


def test_the_order_and_the_ages_of_a_list_matter():
    scorer = articles_scorer(random_world(1))
    there, back = np.array([3, 4, 5, 20]), np.array([20, 5, 4, 3])
    ages = np.array([90, 60, 30, 1])
    found = scorer.top_for_articles([there, back], 40)
    assert (found.scores[0] != found.scores[1]).any()
    aged = scorer.top_for_articles([there], 40, [ages])
    assert (aged.scores[0] != found.scores[0]).any()
    # The ages say the order where they differ.
    told = scorer.top_for_articles([back], 40, [ages[::-1]])
    assert (told.articles == aged.articles).all()
    assert (told.scores == aged.scores).all()


def test_a_list_of_articles_is_what_a_new_customer_with_this_history_gets():
    world = random_world(1)
    recommender = recommender_for(world)
    world.customers += 1
    world.customer_codes = {"segment_code": [*world.customer_codes["segment_code"], 0]}
    bought = [(9, 3), (5, 8), (5, 8), (2, 3), (1, 30)]
    world.purchases += [(day(age), 30, article) for age, article in bought]
    snapshot = world.snapshot()
    exact = [row[5] for c in range(31) for row in pairs_before(world.purchases, VALIDATION)[c]]
    object.__setattr__(snapshot.histories, "decayed", np.array(exact, dtype=np.float32))
    scorer = recommender.prepare(snapshot)
    ages, articles = (np.array(column) for column in zip(*bought, strict=True))
    listed = scorer.top_for_articles([articles], 12, [ages])
    known = scorer.top(np.array([30], np.int32), 12)
    assert (listed.articles == known.articles).all()
    assert listed.scores == pytest.approx(known.scores, abs=1e-4)


def test_a_list_does_not_depend_on_the_others_beside_it():
    scorer = articles_scorer(random_world(2))
    lists = [np.arange(i % 7, 7 + i % 30) for i in range(300)]
    together = scorer.top_for_articles(lists, 12)
    for i in (0, 255, 299):
        alone = scorer.top_for_articles([lists[i]], 12)
        assert (alone.articles[0] == together.articles[i]).all()
        assert (alone.scores[0] == together.scores[i]).all()


def test_lists_that_make_no_sense_are_refused():
    scorer = articles_scorer(random_world(2))
    for wrong in (-1, 40):
        with pytest.raises(ModellingError, match="0 to 39"):
            scorer.top_for_articles([np.array([1, wrong])], 12)
    for ages in ([np.array([1])], [np.array([1, 0])], []):
        with pytest.raises(ModellingError, match="ages"):
            scorer.top_for_articles([np.array([1, 2])], 12, ages)
