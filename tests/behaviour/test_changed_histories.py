"""The changes that are made to histories: these entries, and no others."""

from __future__ import annotations

import numpy as np

from hm_platform.behaviour.stability import _shuffled_days
from hm_platform.features.snapshot import Histories


def of(*customers: list[tuple[int, int]]) -> Histories:
    """Histories of (article, days since it was bought), each entry with numbers of its own."""
    entries = [entry for customer in customers for entry in customer]
    articles, days = (np.array([e[i] for e in entries], dtype=np.int32) for i in (0, 1))
    offsets = np.cumsum([0, *map(len, customers)]).astype(np.int64)
    own = np.arange(len(entries), dtype=np.int32)
    return Histories(
        offsets, articles, own, own + 100, days, days, own + 200, own + 300, own + 400,
        decayed=np.stack([own, own, own], axis=1).astype(np.float32),
    )  # fmt: skip


def by_customer(known: Histories) -> list[list[int]]:
    return [part.tolist() for part in np.split(known.articles, known.offsets[1:-1])]


KNOWN = of([(1, 1), (2, 1), (3, 5)], [(4, 2)], [], [(5, 2), (6, 2), (7, 2), (8, 9)])


def test_days_stay_in_order_and_hold_the_same_articles() -> None:
    asked = np.array([3, 0, 1, 2], dtype=np.int32)
    orders = set()
    for seed in range(20):
        found, moved = _shuffled_days(KNOWN, asked, np.random.default_rng(seed))
        first, second, third, last = by_customer(found)
        assert (sorted(first[:2]), first[2:]) == ([1, 2], [3])
        assert (second, third) == ([4], [])
        assert (sorted(last[:3]), last[3:]) == ([5, 6, 7], [8])
        np.testing.assert_array_equal(found.days_since_last, KNOWN.days_since_last)
        np.testing.assert_array_equal(found.offsets, KNOWN.offsets)
        # An entry keeps what is known of it.
        np.testing.assert_array_equal(found.purchases, found.articles - 1)
        assert moved.tolist() == [last != [5, 6, 7, 8], first != [1, 2, 3], False, False]
        orders.add(tuple(last))
    assert len(orders) > 2


def test_customers_who_are_not_asked_keep_their_order() -> None:
    for seed in range(10):
        found, moved = _shuffled_days(KNOWN, np.array([0], np.int32), np.random.default_rng(seed))
        assert by_customer(found)[1:] == by_customer(KNOWN)[1:]
        assert moved.shape == (1,)
