"""Small made-up shops, as the benchmark's recommenders see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np

from benchmarks.quality.protocol import Catalogue, Dataset, History, day_number

TARGET = date(2020, 3, 2)
CUTOFF = day_number(TARGET)

Purchase = tuple[int, int, int]
"""Customer, article, days after the target week's first day (before it: below zero)."""


def everything(purchases: Sequence[Purchase], customers: int, articles: int) -> History:
    """All these purchases, known a week after the target week's first day."""
    rows = sorted(purchases, key=lambda p: (p[2], p[0], p[1]))
    who, what, when = np.array(rows, dtype=np.int32).reshape(-1, 3).T
    return History(
        CUTOFF + 7,
        who,
        what,
        when + np.int32(CUTOFF),
        np.ones(len(rows), dtype=np.float32),
        Catalogue(
            np.array([f"c{i:04}" for i in range(customers)]),
            np.array([f"a{i:04}" for i in range(articles)]),
            np.arange(articles, dtype=np.int32) % 5,
            np.arange(articles, dtype=np.int32) % 3,
            (np.arange(customers) % 2 * 20 + 20).astype(np.int16),
        ),
    )


def history(purchases: Sequence[Purchase], customers: int, articles: int) -> History:
    """What is known before the target week."""
    return everything(purchases, customers, articles).before(CUTOFF)


def busy_shop(customers: int = 40, articles: int = 60, weeks: int = 10) -> Dataset:
    """Customers with habits of their own, who shop twice a week up to and in the target week."""
    random = np.random.default_rng(7)
    habits = random.integers(0, articles, size=(customers, 8))
    return Dataset(
        everything(
            [
                (customer, int(article), day)
                for customer in range(customers - 1)  # the last one never bought anything
                for day in range(-7 * weeks + customer % 3, 7, 3)
                for article in random.choice(habits[customer], size=4, replace=False)
            ]
            + [(customers - 1, 3, 2)],
            customers,
            articles,
        )
    )
