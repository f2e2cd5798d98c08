"""Histories inside the training split: what was known on a day, nothing of that day or later."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hm_platform.modelling.histories import history_block, snapshot_entries
from hm_platform.modelling.purchase_states import purchase_states
from tests.modelling.worlds import histories, pairs_before

START = date(2020, 1, 1)
DAYS = 30
CUSTOMERS = 4

purchases_lists = st.lists(
    st.tuples(st.integers(0, DAYS - 1), st.integers(0, CUSTOMERS - 1), st.integers(0, 5)),
    min_size=1,
    max_size=60,
)


def states(purchases):
    days, customers, articles = (np.array(column) for column in zip(*purchases, strict=True))
    return purchase_states(customers, articles, days, CUSTOMERS)


def everybody_on(day):
    return np.arange(CUSTOMERS), np.full(CUSTOMERS, day)


@given(purchases_lists, st.integers(-9, DAYS + 40), st.integers(1, 8))
def test_history_before_a_day_is_what_was_bought_before_it(purchases, day, length):
    found = states(purchases).before(*everybody_on(day), length)
    dated = [(START + timedelta(days=d), c, a) for d, c, a in purchases]
    expected = pairs_before(dated, START + timedelta(days=day))
    for customer in range(CUSTOMERS):
        mine = np.flatnonzero(found.row == customer)
        columns = (
            found.articles,
            found.purchases,
            found.days,
            found.days_since_last,
            found.days_since_first,
        )
        rows = [tuple(int(column[i]) for column in columns) for i in mine]
        pairs = expected.get(customer, [])[:length]
        assert rows == [pair[:5] for pair in pairs]
        for i, pair in zip(mine, pairs, strict=True):
            assert found.decayed[i] == pytest.approx(pair[5], rel=1e-4)


@given(purchases_lists, purchases_lists, st.integers(0, DAYS))
def test_nothing_bought_on_or_after_the_day_can_change_a_history(past, future, day):
    """The same-day rule: purchases from ``day`` on are replaced by other ones, and no history of
    that day differs."""
    past = [p for p in past if p[0] < day]
    later = [(max(d, day), c, a) for d, c, a in future]
    one = states([*past, *later]).before(*everybody_on(day), 100)
    other = states([*past, (day, 0, 5)]).before(*everybody_on(day), 100)
    for name in vars(one):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


@given(purchases_lists, st.integers(1, DAYS), st.integers(1, 8))
def test_training_and_publishing_read_the_same_numbers(purchases, day, length):
    dated = [(START + timedelta(days=d), c, a) for d, c, a in purchases]
    cutoff = START + timedelta(days=day)
    customers, days = everybody_on(day)
    known = histories(dated, CUSTOMERS, cutoff)
    published = history_block(snapshot_entries(known, customers, length), CUSTOMERS, length)
    trained = history_block(states(purchases).before(customers, days, length), CUSTOMERS, length)
    assert np.array_equal(published.articles, trained.articles)
    assert np.array_equal(published.known, trained.known)
    assert published.numbers == pytest.approx(trained.numbers, abs=1e-4)
    assert published.customer == pytest.approx(trained.customer, abs=1e-4)


def test_numbers_stay_small_for_any_history():
    purchases = [(d, 0, 0) for d in range(1000)] + [(d, 1, d) for d in range(900)] + [(0, 2, 1)]
    days, customers, articles = (np.array(column) for column in zip(*purchases, strict=True))
    found = purchase_states(customers, articles, days, 4).before(*everybody_on(2000), 500)
    block = history_block(found, 4)
    for numbers in (block.numbers, block.customer):
        assert np.isfinite(numbers).all()
        assert np.abs(numbers).max() < 10


def test_a_longer_known_past_hardly_moves_the_numbers_of_a_steady_customer():
    """Publishing knows more weeks than training did; the same habit must read the same."""

    def numbers(first: int) -> np.ndarray:
        when = np.repeat(np.arange(first, 1000, 10), 3)
        what = np.tile(np.arange(3), len(when) // 3)
        kept = (what > 0) | (when % 20 == 0)
        when, what = when[kept], what[kept]
        found = purchase_states(np.zeros(len(when), dtype=int), what, when, 1)
        block = history_block(found.before(np.array([0]), np.array([1000]), 10), 1)
        return np.concatenate([block.numbers[0].ravel(), block.customer[0]])

    assert np.abs(numbers(800) - numbers(0)).max() < 0.1
