"""Examples, against the purchases that they come from."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.examples import Purchases, make_examples, window_days
from tests.modelling.worlds import VALIDATION, World, day, random_world


def test_every_purchase_is_predicted_once_from_the_window_it_lies_in():
    world = random_world(1)
    purchases = Purchases.from_table(world.train, VALIDATION)
    end = purchases.end
    examples = make_examples(purchases, None)
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
    purchases = Purchases.from_table(random_world(1).train, VALIDATION)
    end = purchases.end
    examples = make_examples(purchases, 2)
    assert examples.starts.tolist() == [end - 7, end - 14]
    everything = make_examples(purchases, None)
    assert len(everything.starts) > 2
    assert (everything.customers[everything.window < 2] == examples.customers).all()


def test_the_last_weeks_are_those_that_had_purchases():
    """A shop that was closed for longer than examples reach back has some all the same."""
    world = random_world(1)
    world.purchases = [p for p in world.purchases if p[0] < day(21)]
    purchases = Purchases.from_table(world.train, VALIDATION)
    end = purchases.end
    examples = make_examples(purchases, 2)
    assert sorted({int(examples.starts[w]) for w in examples.window}) == [end - 35, end - 28]


def test_windows_shrink_to_fit_a_short_split():
    assert [window_days(n) for n in (1, 3, 8, 27, 28, 400)] == [1, 1, 2, 6, 7, 7]


def test_an_empty_training_split_is_an_error():
    with pytest.raises(ModellingError, match="training split is empty"):
        Purchases.from_table(World([(VALIDATION, 0, 0)], 1, 1).train, VALIDATION)


def test_purchases_of_the_validation_week_in_the_training_split_are_refused():
    leaking = random_world(1).split(day(100), VALIDATION + timedelta(days=1))
    with pytest.raises(ModellingError, match="leak"):
        Purchases.from_table(leaking, VALIDATION)
