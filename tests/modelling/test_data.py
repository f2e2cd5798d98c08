"""Batches, against the purchases that they come from."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from hm_platform.modelling.data import TrainingData
from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.examples import Purchases as SplitPurchases
from hm_platform.modelling.inputs import cardinalities
from tests.modelling.worlds import VALIDATION, World, day, pairs_before, random_world


def training_data(world: World, **options) -> TrainingData:
    snapshot = world.snapshot()
    settings = {
        "weeks": None,
        "history_length": 50,
        "epoch_examples": 10_000,
        "batch_size": 8,
        "negatives": 5,
        **options,
    }
    return TrainingData(
        snapshot,
        SplitPurchases.from_table(world.train, VALIDATION),
        article_sizes=cardinalities(snapshot.articles),
        customer_sizes=cardinalities(snapshot.customers),
        **settings,
    )


def test_a_batch_holds_histories_before_its_window_and_targets_in_it():
    world = random_world(2)
    data = training_data(world)
    order = np.flatnonzero(data.examples.window == 1)
    batch = data.batch(order, np.array([0, 1, 2]))
    start = VALIDATION - timedelta(days=14)
    expected = pairs_before(world.purchases, start)
    ids = batch.articles.ids - 1
    assert len(set(ids.tolist())) == len(ids)
    for i, customer in enumerate(data.examples.customers[order]):
        history = ids[batch.history.articles[i][batch.history.known[i]]]
        assert history.tolist() == [pair[0] for pair in expected.get(customer, [])]
        bought = {
            a
            for when, c, a in world.purchases
            if c == customer and start <= when < start + timedelta(days=7)
        }
        targets = batch.target[batch.target_row == i]
        assert set(ids[batch.shared[targets]].tolist()) == bought
        for target in np.flatnonzero(batch.target_row == i):
            article = ids[batch.shared[batch.target[target]]]
            place = batch.target_place[target]
            assert (place >= 0) == (article in history)
            assert place < 0 or history[place] == article
        for column, article in enumerate(history):
            position = batch.history_shared[i, column]
            assert (position >= 0) == (article in ids[batch.shared])
            assert position < 0 or ids[batch.shared[position]] == article


def test_popularity_in_a_batch_is_that_before_its_window():
    world = random_world(2)
    data = training_data(world)
    order = np.flatnonzero(data.examples.window == 0)
    batch = data.batch(order, np.arange(40))
    start = VALIDATION - timedelta(days=7)
    for i, article in enumerate(batch.articles.ids - 1):
        ages = [(start - when).days for when, _, a in world.purchases if a == article]
        week, month = (sum(0 < age <= days for age in ages) for days in (7, 28))
        assert batch.articles.numbers[i, 1] == pytest.approx(np.log1p(week) / 2 - 1, abs=1e-6)
        assert batch.articles.numbers[i, 2] == pytest.approx(np.log1p(month) / 2 - 1, abs=1e-6)
        assert batch.articles.numbers[i, 3] == (month == 0)


def test_log_inclusion_is_how_often_others_or_a_uniform_draw_bring_the_article():
    world = World([(day(d), c, a) for d in (1, 8, 15, 22) for c in range(4) for a in (c, 5)], 10, 4)
    data = training_data(world, negatives=2)
    order = np.flatnonzero(data.examples.window == 0)
    fifth = data.article_ids.to_pylist().index("000005")
    batch = data.batch(order, np.array([3, fifth]))
    known = dict(
        zip(
            (batch.articles.ids[batch.shared] - 1).tolist(),
            np.exp(batch.log_inclusion).tolist(),
            strict=True,
        )
    )
    uniform = 1 - 2 / data.n_articles
    assert known[fifth] == pytest.approx(1)
    assert known[0] == pytest.approx(1 - uniform * (3 / 4) ** 3)


def test_an_epoch_goes_through_every_example_once_in_a_seeded_order():
    data = training_data(random_world(4))

    def plan(seed):
        return [b.tolist() for b in data.plan(np.random.default_rng(seed))]

    assert sorted(i for batch in plan(0) for i in batch) == list(
        range(len(data.examples.customers))
    )
    assert plan(0) == plan(0) != plan(1)
    assert all(len(set(data.examples.window[batch])) == 1 for batch in plan(0))
    assert len(data) == len(plan(3)) == len(list(data.batches(0, 1)))


def test_an_epoch_of_many_examples_takes_a_share_of_each_window_and_others_next_time():
    world = random_world(1)
    everything = training_data(world)
    most = len(everything.examples.window) // 3
    data = training_data(world, epoch_examples=most)

    def taken(seed):
        return np.concatenate(data.plan(np.random.default_rng(seed)))

    first, second = taken(0), taken(1)
    assert most - data.n_windows <= len(first) <= most
    assert len(set(first)) == len(first)
    assert set(first) != set(second)
    of_all = np.bincount(data.examples.window)
    of_taken = np.bincount(data.examples.window[first], minlength=len(of_all))
    assert (abs(of_taken - of_all * most / of_all.sum()) <= 1).all()
    assert len(data) == len(list(data.batches(0, 1)))


def test_a_split_of_another_week_is_refused():
    world = random_world(1)
    purchases = SplitPurchases.from_table(world.train, VALIDATION)
    fewer = random_world(1, articles=20).snapshot()
    with pytest.raises(ModellingError, match="not of one week"):
        TrainingData(
            fewer,
            purchases,
            article_sizes={},
            customer_sizes={},
            weeks=None,
            history_length=5,
            epoch_examples=5,
            batch_size=5,
            negatives=1,
        )


def test_only_who_bought_before_the_cut_off_is_known():
    """Articles and customers of a later week lie between the others in the numbering."""
    world = World([(day(d), c, a) for d in (1, 8, 15, 22) for c in (0, 2) for a in (1, 4)], 6, 4)
    world.purchases += [(day(-1), 1, 0), (day(-2), 3, 5)]
    data = training_data(world, negatives=100)
    assert data.article_ids.to_pylist() == ["000001", "000004"]
    assert data.customer_ids.to_pylist() == ["c0", "c2"]
    for batch in data.batches(0, 1):
        assert set(batch.articles.ids.tolist()) == {1, 2}
        assert set(batch.customers.ids.tolist()) <= {1, 2}


def test_batches_do_not_depend_on_what_only_a_later_week_numbers():
    """The same purchases, under the numbers of a week in which there are more of everything."""
    early = random_world(3)
    late = replace(
        early,
        purchases=[(when, 2 * c + 1, 3 * a + 2) for when, c, a in early.purchases],
        articles=3 * early.articles,
        customers=2 * early.customers,
        article_codes={
            name: np.repeat(codes, 3).tolist() for name, codes in early.article_codes.items()
        },
        customer_codes={
            name: np.repeat(codes, 2).tolist() for name, codes in early.customer_codes.items()
        },
        prices=np.repeat(early.prices, 3).tolist(),
    )
    for one, other in zip(
        training_data(early).batches(0, 1), training_data(late).batches(0, 1), strict=True
    ):
        for name in ("customers", "articles", "history"):
            first, second = vars(getattr(one, name)), vars(getattr(other, name))
            assert all(np.array_equal(first[part], second[part]) for part in first)
        assert np.array_equal(one.target, other.target)
        assert np.array_equal(one.log_inclusion, other.log_inclusion)
