"""Customers whose last purchase is forgotten, against a shop in which it was not made."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hm_platform.features.errors import LeakageError
from hm_platform.features.forgetting import without_last_purchase
from hm_platform.features.loading import load_snapshot
from hm_platform.features.snapshot import Histories, Snapshot
from tests.features.world import WEEK, World, days_before, world

CUSTOMERS = "wxyz"
ARTICLES = "abc"
Bought = list[tuple[int, str, str, int]]
"""Days before the cut-off, customer, article, channel."""


def shop(bought: Bought) -> World:
    purchases = [(days_before(WEEK, day), who, what, 1.0, how) for day, who, what, how in bought]
    return world(purchases, ARTICLES, CUSTOMERS)


ENCODERS = shop([(20, "w", "a", 1)]).fit()


def snapshot(bought: Bought) -> Snapshot:
    """The test snapshot of a shop with these purchases."""
    return load_snapshot(WEEK, "test", shop(bought).feature_tables(ENCODERS))


def transactions(bought: Bought) -> pa.Table:
    """As ``marts.joined_transactions`` has them."""
    rows = [
        (days_before(WEEK, -(-day // 7) * 7), days_before(WEEK, day), who, what, how)
        for day, who, what, how in bought
    ]
    names = ["week", "t_dat", "customer_id", "article_id", "sales_channel_id"]
    types = [pa.date32(), pa.date32(), pa.string(), pa.string(), pa.int8()]
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pa.table([pa.array(c, t) for c, t in zip(columns, types, strict=True)], names=names)


def last(bought: Bought, customer: str) -> tuple[int, str, str, int]:
    """The purchase that is to be forgotten."""
    mine = [row for row in bought if row[1] == customer]
    return min(mine, key=lambda row: (row[0], row[2], row[3]))


def same_customers(found: Snapshot, wanted: Snapshot) -> None:
    for name, values in wanted.customers.items():
        np.testing.assert_array_equal(found.customers[name], values, name, strict=True)
    for name, values in vars(wanted.histories).items():
        np.testing.assert_array_equal(getattr(found.histories, name), values, name, strict=True)


purchases = st.lists(
    st.tuples(
        st.integers(1, 40),
        st.sampled_from(CUSTOMERS),
        st.sampled_from(ARTICLES),
        st.sampled_from([1, 2]),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=15)
@given(bought=purchases, chosen=st.sets(st.sampled_from(CUSTOMERS)))
def test_as_in_a_shop_where_it_was_not_made(bought: Bought, chosen: set[str]) -> None:
    asked = chosen & {row[1] for row in bought}
    without = bought.copy()
    for customer in asked:
        without.remove(last(bought, customer))
    known = snapshot(bought)
    # In no order of their own, and with purchases of people who are not asked.
    indices = np.array([CUSTOMERS.index(who) for who in sorted(asked, reverse=True)], np.int32)

    found = without_last_purchase(known, indices, transactions(bought[::-1]))

    same_customers(found, snapshot(without))
    assert found.articles is known.articles
    assert found.copurchases is known.copurchases


def test_an_article_that_was_bought_before_keeps_its_earlier_purchases() -> None:
    bought = [(2, "w", "a", 2), (9, "w", "a", 1), (30, "w", "a", 1), (9, "w", "b", 1)]
    known = snapshot(bought)
    before = known.histories.purchases.copy()

    found = without_last_purchase(known, np.array([0], np.int32), transactions(bought))

    assert found.histories.articles.tolist() == [0, 1]
    assert found.histories.purchases.tolist() == [2, 1]
    assert found.histories.days_since_last.tolist() == [9, 9]
    assert found.histories.days_since_previous.tolist() == [30, -1]
    assert found.customers["purchases_total"].tolist() == [3, 0, 0, 0]
    assert found.customers["days_since_last_purchase"].tolist() == [9, -1, -1, -1]
    assert found.customers["online_share"][0] == 0
    np.testing.assert_array_equal(known.histories.purchases, before)


def test_one_piece_of_two_is_forgotten() -> None:
    bought = [(2, "w", "b", 1), (2, "w", "a", 2), (2, "w", "a", 1), (9, "w", "c", 1)]

    found = without_last_purchase(snapshot(bought), np.array([0], np.int32), transactions(bought))

    assert found.histories.articles.tolist() == [0, 1, 2]
    assert found.histories.purchases.tolist() == [1, 1, 1]
    # The piece that was bought in the store.
    assert found.customers["online_share"][0] == np.float32(1 / 3)


def test_a_purchase_after_the_cut_off_is_a_leak() -> None:
    bought = [(2, "w", "a", 1), (9, "w", "a", 1)]
    late = transactions(bought).set_column(1, "t_dat", pa.array([WEEK, WEEK], pa.date32()))

    with pytest.raises(LeakageError):
        without_last_purchase(snapshot(bought), np.array([0], np.int32), late)


rows = st.lists(st.lists(st.integers(0, 9), max_size=4), min_size=1, max_size=6)


@given(rows, st.data())
def test_histories_replacing_some(mine: list[list[int]], data: st.DataObject) -> None:
    def histories(lists: list[list[int]]) -> Histories:
        entries = np.array([article for one in lists for article in one], dtype=np.int32)
        return Histories(
            np.cumsum([0, *map(len, lists)], dtype=np.int64),
            *(entries + i for i in range(8)),
            decayed=np.stack([entries, -entries, entries * 2], axis=1).astype(np.float32),
        )

    changed = sorted(data.draw(st.sets(st.integers(0, len(mine) - 1))))
    others = [data.draw(st.lists(st.integers(10, 19), max_size=4)) for _ in changed]
    wanted = mine.copy()
    for row, other in zip(changed, others, strict=True):
        wanted[row] = other

    found = histories(mine).replacing(np.array(changed, dtype=np.int32), histories(others))

    for name, values in vars(histories(wanted)).items():
        np.testing.assert_array_equal(getattr(found, name), values, name, strict=True)
