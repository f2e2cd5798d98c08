"""Small made-up shops: purchases in, snapshots and splits out, by the slowest obvious means."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from hm_platform.features.decay import HALF_LIVES
from hm_platform.features.snapshot import Histories, Neighbours, Snapshot
from tests.modelling.shop_features import article_numbers, customer_numbers, is_online

WEEK = date(2020, 3, 4)
VALIDATION = WEEK - timedelta(days=7)

ARTICLE_CODES = ("department_code", "product_code", "product_group_code", "product_type_code")
CUSTOMER_CODES = ("age_band_code", "segment_code")
"""Categories that every snapshot has, unknown where a world does not say."""

Purchase = tuple[date, int, int]
"""Day, customer index, article index."""


def day(before: int) -> date:
    """So many days before the validation week starts."""
    return VALIDATION - timedelta(days=before)


@dataclass
class World:
    """A shop. Articles and customers below ``training_*`` were in the training split."""

    purchases: list[Purchase]
    articles: int
    customers: int
    training_articles: int | None = None
    training_customers: int | None = None
    article_codes: dict[str, list[int]] = field(default_factory=dict)
    customer_codes: dict[str, list[int]] = field(default_factory=dict)
    prices: list[float] | None = None
    discounts: list[float] | None = None
    ages: list[float] | None = None
    copurchases: dict[int, list[tuple[int, float]]] = field(default_factory=dict)

    def split(self, start: date, end: date) -> pa.Table:
        """The purchases of [start, end) as ``datasets/*`` have them."""
        rows = sorted(p for p in self.purchases if start <= p[0] < end)
        return pa.table(
            {
                "t_dat": pa.array([p[0] for p in rows], pa.date32()),
                "customer_index": pa.array([p[1] for p in rows], pa.int32()),
                "article_index": pa.array([p[2] for p in rows], pa.int32()),
            }
        )

    def transactions(self, end: date) -> pa.Table:
        """The purchases before ``end`` as ``marts.joined_transactions`` has them."""
        rows = sorted(p for p in self.purchases if p[0] < end)
        return pa.table(
            {
                "week": pa.array([p[0] - (p[0] - WEEK) % timedelta(7) for p in rows], pa.date32()),
                "t_dat": pa.array([p[0] for p in rows], pa.date32()),
                "customer_id": pa.array([f"c{p[1]}" for p in rows], pa.string()),
                "article_id": pa.array([f"0{p[2]:05d}" for p in rows], pa.string()),
                "sales_channel_id": pa.array([1 + is_online(p) for p in rows], pa.int8()),
            }
        )

    @property
    def train(self) -> pa.Table:
        return self.split(date.min, VALIDATION)

    @property
    def validation(self) -> pa.Table:
        return self.split(VALIDATION, WEEK)

    def snapshot(self, cutoff: date = VALIDATION) -> Snapshot:
        """What is known before ``cutoff``."""
        known = [p for p in self.purchases if p[0] < cutoff]
        n, m = self.articles, self.customers
        in_training = [p for p in self.purchases if p[0] < VALIDATION]
        training_articles = 1 + max((p[2] for p in in_training), default=-1)
        training_customers = 1 + max((p[1] for p in in_training), default=-1)
        prices = np.array(self.prices or [np.nan] * n, dtype=np.float32)
        codes = dict.fromkeys(ARTICLE_CODES, [0] * n) | self.article_codes
        customer_codes = dict.fromkeys(CUSTOMER_CODES, [0] * m) | self.customer_codes
        return Snapshot(
            week=WEEK,
            split="validation",
            cutoff=cutoff,
            training_articles=(
                training_articles if self.training_articles is None else self.training_articles
            ),
            training_customers=(
                training_customers if self.training_customers is None else self.training_customers
            ),
            article_ids=pa.array([f"0{i:05d}" for i in range(n)], pa.string()),
            customer_ids=pa.array([f"c{i}" for i in range(m)], pa.string()),
            articles={
                **article_numbers(known, n, cutoff),
                "price_scaled": np.nan_to_num(prices),
                "price_last_week_ratio": np.array(self.discounts or [1] * n, dtype=np.float32),
                **{name: np.array(c, dtype=np.int32) for name, c in codes.items()},
            },
            customers={
                **customer_numbers(known, m, cutoff),
                "age_scaled": np.array(self.ages or [0] * m, dtype=np.float32),
                **{name: np.array(c, dtype=np.int32) for name, c in customer_codes.items()},
            },
            histories=histories(known, m, cutoff),
            copurchases=self._neighbours(),
        )

    def past(self, weeks: int) -> list[Snapshot]:
        """What was known before each of the last weeks of training, oldest first."""
        return [self.snapshot(day(7 * before)) for before in range(weeks, 0, -1)]

    def _neighbours(self) -> Neighbours:
        lists = [self.copurchases.get(a, []) for a in range(self.articles)]
        return Neighbours(
            np.cumsum([0, *map(len, lists)]).astype(np.int64),
            np.array([b for found in lists for b, _ in found], dtype=np.int32),
            np.array([s for found in lists for _, s in found], dtype=np.float32),
        )


def pairs_before(purchases: list[Purchase], cutoff: date) -> dict[int, list[tuple]]:
    """Customer -> (article, purchases, days, since last, since first, decayed, since previous,
    trips since last, trips since first) as in a history."""
    ages: dict[tuple[int, int], list[int]] = defaultdict(list)
    shopped: dict[int, set[int]] = defaultdict(set)
    for when, customer, article in purchases:
        if when < cutoff:
            ages[customer, article].append((cutoff - when).days)
            shopped[customer].add((cutoff - when).days)
    found: dict[int, list[tuple]] = defaultdict(list)
    for (customer, article), all_ages in ages.items():
        trips = set(all_ages)
        decayed = [sum(2 ** (-age / half) for age in trips) for half in HALF_LIVES]
        last, first = min(trips), max(trips)
        previous = sorted(trips)[1] if len(trips) > 1 else -1
        since_last = sum(age < last for age in shopped[customer])
        since_first = sum(age <= first for age in shopped[customer])
        found[customer].append(
            (
                *(article, len(all_ages), len(trips), last, first, decayed),
                *(previous, since_last, since_first),
            )
        )
    for pairs in found.values():
        pairs.sort(key=lambda pair: (pair[3], -pair[1], pair[0]))
    return found


def histories(purchases: list[Purchase], customers: int, cutoff: date) -> Histories:
    found = pairs_before(purchases, cutoff)
    rows = [pair for c in range(customers) for pair in found.get(c, [])]
    columns = [np.array([row[i] for row in rows], dtype=np.int32) for i in (0, 1, 2, 3, 4, 6, 7, 8)]
    decayed = np.array([row[5] for row in rows], dtype=np.float32).reshape(-1, len(HALF_LIVES))
    offsets = np.cumsum([0, *(len(found.get(c, [])) for c in range(customers))]).astype(np.int64)
    return Histories(offsets, *columns, decayed)


def random_world(
    seed: int,
    customers: int = 30,
    articles: int = 40,
    weeks: int = 8,
    habit: float = 0.8,
) -> World:
    """Customers with favourites, to which they return with probability ``habit``; the week after
    the cut-off is included."""
    rng = np.random.default_rng(seed)
    favourites = rng.integers(0, articles, (customers, 3))
    purchases: list[Purchase] = []
    for before in range(-7, weeks * 7):
        for customer in np.flatnonzero(rng.random(customers) < 0.25):
            for _ in range(rng.integers(1, 4)):
                own = rng.random() < habit
                article = rng.choice(favourites[customer]) if own else rng.integers(articles)
                purchases.append((day(before + 1), int(customer), int(article)))
    return World(
        purchases,
        articles,
        customers,
        training_articles=articles,
        training_customers=customers,
        article_codes={
            "department_code": (1 + np.arange(articles) % 5).tolist(),
            "section_code": (1 + np.arange(articles) % 3).tolist(),
        },
        customer_codes={"segment_code": (np.arange(customers) % 3).tolist()},
        prices=rng.normal(size=articles).tolist(),
        copurchases={a: [((a + 1) % articles, 0.5)] for a in range(articles)},
    )


def described_world(seed: int, customers: int = 30, articles: int = 40, **options) -> World:
    """A random world in which every feature says something, and some categories are unknown."""
    world = random_world(seed, customers, articles, **options)
    rng = np.random.default_rng(seed)
    number = np.arange(customers)
    world.article_codes["product_type_code"] = (np.arange(articles) % 4).tolist()
    world.article_codes["product_code"] = (np.arange(articles) // 3).tolist()
    world.customer_codes["age_band_code"] = (number % 4).tolist()
    world.ages = np.where(number % 4, rng.normal(size=customers), 0).tolist()
    world.discounts = rng.uniform(0.5, 1.5, articles).tolist()
    return world
