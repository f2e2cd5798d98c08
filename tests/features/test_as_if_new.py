"""Customers whose past is hidden, against a shop in which they never bought."""

from __future__ import annotations

from random import Random

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from hm_platform.features import catalogue
from hm_platform.features.loading import load_snapshot
from hm_platform.features.snapshot import Histories, Snapshot
from hm_platform.modelling.inputs import id_rows
from tests.features.world import WEEK, World, days_before, world

CUSTOMERS = "vwxyz"
ARTICLES = "abcd"
PEOPLE = [
    {
        "customer_id": customer,
        "age": 20 + 9 * i,
        "club_member_status": "ACTIVE" if i % 2 else None,
        "is_active": True,
        "receives_fashion_news": False,
    }
    for i, customer in enumerate(CUSTOMERS)
]
Bought = list[tuple[int, str, str]]
"""Days before the cut-off, customer, article."""


def shop(bought: Bought) -> World:
    purchases = [(days_before(WEEK, day), who, what, 1.0) for day, who, what in bought]
    return world(purchases, ARTICLES, CUSTOMERS, customer_rows=PEOPLE)


SHOP = shop([(20, "v", "a"), (9, "y", "b"), (30, "y", "a"), (2, "z", "d")])
ENCODERS = SHOP.fit()


def snapshot(known: World) -> Snapshot:
    """A shop's test snapshot."""
    return load_snapshot(WEEK, "test", known.feature_tables(ENCODERS))


purchases = st.lists(
    st.tuples(st.integers(1, 60), st.sampled_from(CUSTOMERS), st.sampled_from(ARTICLES)),
    max_size=30,
)


@settings(max_examples=10)
@given(bought=purchases, hidden=st.sets(st.sampled_from(CUSTOMERS)))
def test_as_in_a_shop_where_they_never_bought(bought: Bought, hidden: set[str]) -> None:
    known = snapshot(shop(bought))
    without = snapshot(shop([row for row in bought if row[1] not in hidden]))

    found = known.as_if_new(np.array([CUSTOMERS.index(who) for who in hidden], dtype=np.int32))

    assert set(found.customers) == {feature.name for feature in catalogue.features("customers")}
    for name, values in without.customers.items():
        np.testing.assert_array_equal(found.customers[name], values, name, strict=True)
    for name, values in vars(without.histories).items():
        np.testing.assert_array_equal(getattr(found.histories, name), values, name, strict=True)
    np.testing.assert_equal(found.articles, known.articles)
    assert found.copurchases is known.copurchases


def test_no_model_knows_their_ids_and_the_others_keep_theirs() -> None:
    known = snapshot(SHOP)
    ids = known.customer_ids

    found = known.as_if_new(np.array([3, 0], dtype=np.int32))

    assert found.customer_ids.type == pa.string()
    assert found.customer_ids.to_pylist() == [None, "w", "x", None, "z"]
    assert id_rows(found.customer_ids, ids).tolist() == [0, 2, 3, 0, 5]
    assert known.customer_ids.to_pylist() == [*CUSTOMERS]


def test_what_is_known_of_them_otherwise_stays() -> None:
    known = snapshot(SHOP)

    found = known.as_if_new(np.arange(5))

    attributes = [name for name in known.customers if name.endswith(("_code", "_scaled"))]
    assert "segment_code" in attributes
    for name in attributes:
        assert found.customers[name] is known.customers[name]
    assert found.customers["days_since_last_purchase"].tolist() == [-1] * 5
    assert known.customers["days_since_last_purchase"].tolist() == [20, -1, -1, 9, 2]


def test_every_customer_feature_says_whether_it_comes_from_purchases() -> None:
    units = {feature.tags["unit"] for feature in catalogue.features("customers")}

    assert units == {"purchases", "days", "share", "code", "standard deviations"}


@given(
    st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 9), max_size=4)), max_size=8),
)
def test_histories_without_some_customers(rows: list[tuple[bool, list[int]]]) -> None:
    def histories(lists: list[list[int]]) -> Histories:
        entries = np.array([article for one in lists for article in one], dtype=np.int32)
        return Histories(
            np.cumsum([0, *map(len, lists)], dtype=np.int64),
            *(entries + i for i in range(8)),
            decayed=np.stack([entries, -entries, entries * 2], axis=1).astype(np.float32),
        )

    hidden = np.array([gone for gone, _ in rows], dtype=bool)

    found = histories([articles for _, articles in rows]).without(hidden)

    wanted = histories([[] if gone else articles for gone, articles in rows])
    for name, values in vars(wanted).items():
        np.testing.assert_array_equal(getattr(found, name), values, name, strict=True)


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), min_size=1, max_size=6), st.randoms())
def test_histories_taking_some_entries(rows: list[list[int]], random: Random) -> None:
    entries = np.array([article for one in rows for article in one], dtype=np.int32)
    n = len(entries)
    known = Histories(
        np.cumsum([0, *map(len, rows)], dtype=np.int64),
        *(entries + i for i in range(8)),
        decayed=np.stack([entries, -entries, entries * 2], axis=1).astype(np.float32),
    )
    where = np.array(random.sample(range(n), random.randint(0, n)), dtype=np.int64)
    offsets = np.array([0, len(where) // 2, len(where)], dtype=np.int64)

    found = known.taking(offsets, where)

    assert found.offsets is offsets
    assert found.lengths().tolist() == [len(where) // 2, len(where) - len(where) // 2]
    for name, values in vars(known).items():
        if name != "offsets":
            np.testing.assert_array_equal(getattr(found, name), values[where], name, strict=True)


def test_histories_taking_everything_are_the_same() -> None:
    known = Histories(
        np.array([0, 2, 3], np.int64), *(np.arange(3, dtype=np.int32) + i for i in range(8)),
        decayed=np.zeros((3, 3), np.float32),
    )  # fmt: skip
    found = known.taking(known.offsets, np.arange(3))
    for name, values in vars(known).items():
        np.testing.assert_array_equal(getattr(found, name), values, name, strict=True)
