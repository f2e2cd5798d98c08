"""Examples and batches, against the purchases that they come from."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from hm_platform.modelling.data import Purchases as SplitPurchases
from hm_platform.modelling.data import TrainingData, make_examples, window_days
from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.inputs import cardinalities
from tests.modelling.worlds import VALIDATION, World, day, pairs_before, random_world


def training_data(world: World, **options) -> TrainingData:
    snapshot = world.snapshot()
    settings = {"weeks": None, "history_length": 50, "batch_size": 8, "negatives": 5, **options}
    return TrainingData(
        snapshot,
        world.train,
        article_sizes=cardinalities(snapshot.articles),
        customer_sizes=cardinalities(snapshot.customers),
        **settings,
    )


def test_every_purchase_is_predicted_once_from_the_window_it_lies_in():
    world = random_world(1)
    purchases = SplitPurchases.from_table(world.train)
    end = int((np.datetime64(VALIDATION) - purchases.first_day).astype(int))
    examples = make_examples(purchases, end, None)
    found = {
        (int(examples.starts[examples.window[i]]), int(examples.customers[i]), int(article))
        for i in range(len(examples.customers))
        for article in examples.targets[examples.offsets[i] : examples.offsets[i + 1]]
    }
    expected = {
        (end - 7 * (1 + (end - 1 - int(d)) // 7), int(c), int(a))
        for d, c, a in zip(purchases.day, purchases.customers, purchases.articles, strict=True)
    }
    assert found == expected


def test_examples_may_come_from_the_last_weeks_alone():
    purchases = SplitPurchases.from_table(random_world(1).train)
    end = int(purchases.day.max()) + 1
    examples = make_examples(purchases, end, 2)
    assert examples.starts.tolist() == [end - 7, end - 14]
    everything = make_examples(purchases, end, None)
    assert len(everything.starts) > 2
    assert (everything.customers[everything.window < 2] == examples.customers).all()


def test_windows_shrink_to_fit_a_short_split():
    assert [window_days(n) for n in (1, 3, 8, 27, 28, 400)] == [1, 1, 2, 6, 7, 7]


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
    batch = data.batch(order, np.array([3, 5]))
    known = dict(
        zip(
            (batch.articles.ids[batch.shared] - 1).tolist(),
            np.exp(batch.log_inclusion).tolist(),
            strict=True,
        )
    )
    uniform = 1 - 2 / data.n_articles
    assert known[5] == pytest.approx(1)
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


def test_an_empty_training_split_is_an_error():
    world = World([(VALIDATION, 0, 0)], 1, 1, training_articles=1, training_customers=1)
    with pytest.raises(ModellingError, match="no purchase"):
        training_data(world)


def test_purchases_of_the_validation_week_in_the_training_split_are_refused():
    world = random_world(1)
    leaking = world.split(day(100), VALIDATION + timedelta(days=1))
    snapshot = world.snapshot()
    with pytest.raises(ModellingError, match="leak"):
        TrainingData(
            snapshot,
            leaking,
            article_sizes={},
            customer_sizes={},
            weeks=None,
            history_length=5,
            batch_size=5,
            negatives=1,
        )


def test_purchases_that_the_index_does_not_call_training_are_refused():
    world = random_world(1)
    world.training_articles = 3
    with pytest.raises(ModellingError, match="article_index"):
        training_data(world)
