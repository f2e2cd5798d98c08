"""The network as a recommender: exact lists, new articles and customers, any snapshot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.histories import history_block, snapshot_entries
from hm_platform.modelling.two_tower import TwoTowerRecommender
from tests.modelling.networks import HISTORY, everybody, network_for, recommender_for
from tests.modelling.worlds import WEEK, World, day, random_world


def slow_scores(recommender: TwoTowerRecommender, snapshot, customer: int) -> np.ndarray:
    """The formula of the network module, for one customer and every article."""
    network, scorer = recommender.network, recommender.prepare(snapshot)
    block = history_block(
        snapshot_entries(snapshot.histories, np.array([customer]), HISTORY), 1, HISTORY
    )
    who = scorer.customers.take(np.array([customer]))
    with torch.no_grad():
        vector, repeats = network.customers(
            torch.from_numpy(who.ids),
            torch.from_numpy(who.codes),
            torch.from_numpy(np.concatenate([who.numbers, block.customer], axis=1)),
            scorer.articles.take(torch.from_numpy(block.articles)),
            torch.from_numpy(block.numbers),
            torch.from_numpy(block.known),
        )
        scores = network.score(vector, scorer.articles)[0].numpy().copy()
    for place in np.flatnonzero(block.known[0]):
        scores[block.articles[0, place]] += repeats[0, place].item()
    return scores


def test_lists_are_the_best_of_all_eligible_articles():
    world = random_world(1)
    recommender, snapshot = recommender_for(world), world.snapshot()
    found = recommender.prepare(snapshot).top(everybody(world), 12)
    eligible = snapshot.articles["purchases_total"] > 0
    for customer in (0, 11, 29):
        scores = slow_scores(recommender, snapshot, customer)
        expected = np.sort(scores[eligible])[::-1][:12]
        assert found.scores[customer] == pytest.approx(expected, abs=1e-4)
        assert scores[found.articles[customer]] == pytest.approx(expected, abs=1e-4)
        assert eligible[found.articles[customer]].all()


def test_a_customers_list_does_not_depend_on_who_else_is_asked_for():
    world = random_world(2)
    scorer = recommender_for(world).prepare(world.snapshot())
    together = scorer.top(everybody(world), 12)
    for customer in (0, 13, 29):
        alone = scorer.top(np.array([customer], dtype=np.int32), 12)
        assert (alone.articles[0] == together.articles[customer]).all()
        assert (alone.scores[0] == together.scores[customer]).all()


def test_more_customers_than_a_block_are_answered_in_their_order(monkeypatch):
    world = random_world(2)
    scorer = recommender_for(world).prepare(world.snapshot())
    together = scorer.top(everybody(world), 5)
    monkeypatch.setattr("hm_platform.modelling.two_tower.CUSTOMER_BLOCK", 7)
    apart = scorer.top(everybody(world), 5)
    assert (apart.articles == together.articles).all()


def test_articles_that_are_alike_are_ordered_by_index():
    """Two articles that training never saw, with equal attributes and sales, have one vector."""
    world = random_world(3)
    for _ in range(2):
        world.articles += 1
        world.purchases.append((day(1), 0, world.articles - 1))
    new = [40, 41]
    world.article_codes = {name: [*codes, 1, 1] for name, codes in world.article_codes.items()}
    world.prices = [*world.prices, 0.0, 0.0]
    scorer = recommender_for(world).prepare(world.snapshot())
    assert torch.equal(scorer.articles.dense[40], scorer.articles.dense[41])
    found = scorer.top(np.array([9], dtype=np.int32), 42)
    places = [found.articles[0].tolist().index(a) for a in new]
    scores = found.scores[0, places]
    assert scores[0] == scores[1]
    assert places[1] == places[0] + 1


def test_new_articles_and_customers_have_vectors_of_their_attributes_and_history():
    world = random_world(4)
    world.articles, world.customers = 42, 32
    world.article_codes = {name: [*codes, 1, 2] for name, codes in world.article_codes.items()}
    world.customer_codes = {"segment_code": [*world.customer_codes["segment_code"], 1, 1]}
    world.prices = [*world.prices, 0.0, 0.0]
    world.purchases += [(day(1), 30, 40), (day(2), 30, 5), (day(3), 31, 41)]
    snapshot = world.snapshot()
    assert (snapshot.training_articles, snapshot.training_customers) == (40, 30)
    scorer = recommender_for(world).prepare(snapshot)
    dense = scorer.articles.dense
    assert dense[40:].norm(dim=1).numpy() == pytest.approx(1, abs=1e-5)
    assert not torch.allclose(dense[40], dense[41])
    found = scorer.top(np.array([30, 31], dtype=np.int32), 12)
    assert (found.articles >= 0).all()
    assert found.articles[0].tolist() != found.articles[1].tolist()


def test_ids_find_their_embeddings_in_any_later_week():
    """The same articles under other indices, with a new one among them, keep their vectors."""
    world = random_world(5)
    recommender, snapshot = recommender_for(world), world.snapshot()
    order = np.random.default_rng(0).permutation(40)
    later = replace(
        snapshot,
        training_articles=0,
        article_ids=snapshot.article_ids.take(pa.array(order)),
        articles={name: values[order] for name, values in snapshot.articles.items()},
    )
    before = recommender.prepare(snapshot).articles.dense.numpy()
    after = recommender.prepare(later).articles.dense.numpy()
    assert after == pytest.approx(before[order], abs=1e-6)


def test_a_category_that_training_did_not_know_is_read_as_unknown():
    world = random_world(6)
    recommender, snapshot = recommender_for(world), world.snapshot()

    def dense(code: int) -> np.ndarray:
        codes = snapshot.articles["department_code"].copy()
        codes[0] = code
        changed = replace(snapshot, articles={**snapshot.articles, "department_code": codes})
        return recommender.prepare(changed).articles.dense[0].numpy()

    assert (dense(99) == dense(0)).all()
    assert (dense(1) != dense(0)).any()
    without = {k: v for k, v in snapshot.articles.items() if k != "department_code"}
    with pytest.raises(ModellingError, match="department_code"):
        recommender.prepare(replace(snapshot, articles=without))


def test_what_is_bought_after_the_cut_off_changes_nothing():
    world = random_world(7)
    other = replace(world, purchases=[p for p in world.purchases if p[0] < day(0)])
    recommender = recommender_for(world)
    lists = [recommender.prepare(w.snapshot()).top(everybody(w), 12) for w in (world, other)]
    assert len(world.purchases) > len(other.purchases)
    assert (lists[0].articles == lists[1].articles).all()
    later = recommender.prepare(world.snapshot(WEEK)).top(everybody(world), 12)
    assert (later.articles != lists[0].articles).any()


def test_fewer_articles_than_asked_for_leave_the_rest_empty():
    world = World([(day(d), 0, a) for d in range(1, 9) for a in range(3)], 5, 2)
    found = recommender_for(world).prepare(world.snapshot()).top(np.array([0, 1], np.int32), 12)
    for row in (0, 1):
        assert sorted(found.articles[row].tolist()) == [-1] * 9 + [0, 1, 2]
        assert np.isneginf(found.scores[row, 3:]).all()


def test_before_the_first_sale_nothing_is_recommended():
    world = World([], 3, 2, training_articles=3, training_customers=2)
    found = recommender_for(world).prepare(world.snapshot()).top(np.array([0, 1], np.int32), 12)
    assert (found.articles == -1).all()


def test_vocabularies_must_fit_the_embeddings():
    world = random_world(1)
    with pytest.raises(ModellingError, match="2 article ids for 40"):
        TwoTowerRecommender(network_for(world), pa.array(["a", "b"]), pa.array(["c"]), HISTORY)


def test_gradients_touch_only_the_ids_of_the_batch():
    network = network_for(random_world(1)).train()
    ids = torch.tensor([3, 3, 7])
    codes = torch.zeros(3, len(network.shape.article_sizes), dtype=torch.int64)
    network.articles(ids, codes, torch.zeros(3, 4)).dense.sum().backward()
    gradient = network.articles.embeddings.id.weight.grad
    assert gradient is not None
    assert gradient.is_sparse
    assert set(gradient.coalesce().indices()[0].tolist()) == {3, 7}


def test_sparse_and_dense_parameters_are_all_parameters_once():
    network = network_for(random_world(1))
    split = [*network.sparse_parameters(), *network.dense_parameters()]
    assert sorted(map(id, split)) == sorted(map(id, network.parameters()))
