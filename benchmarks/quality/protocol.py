"""What every recommender of this benchmark is given, and what it is judged on.

For a target week everything before its first day is known and nothing else: a :class:`History` is
cut there before anybody sees it. Scored are all customers who bought in the week, on the distinct
articles they bought, the full catalogue being allowed. No recommender and no metric is here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hm_platform.modelling.metrics import Purchased, purchased
from hm_platform.storage.warehouse import connect

BACKTEST = tuple(date(2017, 11, 6) + timedelta(weeks=i) for i in range(8))
"""The weeks that are reported. No setting of a peer was chosen on them; the page says which of the
platform's own were."""
VALIDATION = (date(2017, 9, 11), date(2017, 9, 25))
"""The weeks on which settings were chosen; they end before the first reported one."""
WEEK = 7
EPOCH = date(1970, 1, 1)


def day_number(day: date) -> int:
    """Days since 1970-01-01, as the arrays here count them."""
    return (day - EPOCH).days


@dataclass(frozen=True)
class Catalogue:
    """The identifiers behind the indices, and what is known of an article from the start.

    customer_ids, article_ids : str, sorted; a position is the index used everywhere else
    product_types, departments : int32, shape (articles,), a code from 0 on
    ages : int16, shape (customers,), -1 where it is not known
    """

    customer_ids: NDArray[np.str_]
    article_ids: NDArray[np.str_]
    product_types: NDArray[np.int32]
    departments: NDArray[np.int32]
    ages: NDArray[np.int16]


@dataclass(frozen=True)
class History:
    """All purchases before a cut-off, a row each, sorted by day.

    cutoff : the first day that is not known, as a day number; the first day of the target week
    customers, articles : int32, shape (purchases,), indices
    days : int32, shape (purchases,), day numbers, all below ``cutoff``
    prices : float32, shape (purchases,)
    """

    cutoff: int
    customers: NDArray[np.int32]
    articles: NDArray[np.int32]
    days: NDArray[np.int32]
    prices: NDArray[np.float32]
    catalogue: Catalogue

    @property
    def n_customers(self) -> int:
        return len(self.catalogue.customer_ids)

    @property
    def n_articles(self) -> int:
        return len(self.catalogue.article_ids)

    @cached_property
    def sold(self) -> NDArray[np.int32]:
        """The articles sold before the cut-off, ascending."""
        return np.unique(self.articles)

    def between(self, first: int, cutoff: int) -> History:
        """The purchases from day ``first`` on, as known at ``cutoff``, which is not later."""
        if cutoff > self.cutoff:
            raise ValueError("a history cannot be extended past its cut-off")
        rows = slice(*np.searchsorted(self.days, [first, cutoff]))
        return History(
            cutoff,
            self.customers[rows],
            self.articles[rows],
            self.days[rows],
            self.prices[rows],
            self.catalogue,
        )

    def before(self, cutoff: int) -> History:
        """This history as it was known at an earlier day."""
        return self.between(int(self.days[0]) if len(self.days) else cutoff, cutoff)

    def last(self, days: int) -> History:
        """The purchases of the last days before the cut-off."""
        return self.between(self.cutoff - days, self.cutoff)


@dataclass(frozen=True)
class TargetWeek:
    """A week to recommend for: what is known before it and what was bought in it."""

    first_day: date
    history: History
    bought: Purchased


@dataclass(frozen=True)
class Dataset:
    """All purchases, the future included; only :meth:`target` gives parts of it away."""

    _everything: History

    def target(self, first_day: date) -> TargetWeek:
        """The target week that starts on this day. Raises ValueError when nobody bought in it."""
        start = day_number(first_day)
        if not self._everything.days.size or start + WEEK > self._everything.cutoff:
            raise ValueError(f"the week of {first_day} is not whole in this data")
        week = self._everything.between(start, start + WEEK)
        if not week.days.size:
            raise ValueError(f"nobody bought in the week of {first_day}")
        return TargetWeek(
            first_day, self._everything.before(start), purchased(week.customers, week.articles)
        )


# Some articles are sold without being in the list of articles: they can be recommended too.
_INDICES = """
    CREATE TEMP TABLE customers AS
    SELECT *, row_number() OVER (ORDER BY customer_id) - 1 AS customer
    FROM (SELECT DISTINCT customer_id FROM raw.transactions
          UNION SELECT customer_id FROM raw.customers)
    LEFT JOIN raw.customers USING (customer_id);
    CREATE TEMP TABLE articles AS
    SELECT *, row_number() OVER (ORDER BY article_id) - 1 AS article
    FROM (SELECT DISTINCT article_id FROM raw.transactions
          UNION SELECT article_id FROM raw.articles)
    LEFT JOIN raw.articles USING (article_id);
"""
_PURCHASES = """
    SELECT customer, article, t_dat - DATE '1970-01-01' AS day, coalesce(price, 0) AS price
    FROM raw.transactions JOIN customers USING (customer_id) JOIN articles USING (article_id)
    ORDER BY day, customer, article, price
"""
_ARTICLES = """
    SELECT article_id, dense_rank() OVER (ORDER BY kind) - 1 AS product_type,
           dense_rank() OVER (ORDER BY department) - 1 AS department
    FROM (SELECT *, coalesce(product_type_name::VARCHAR, '') AS kind,
                 coalesce(department_name::VARCHAR, '') AS department
          FROM articles)
    ORDER BY article
"""
_CUSTOMERS = "SELECT customer_id, coalesce(age, -1) AS age FROM customers ORDER BY customer"


def read_dataset(warehouse: Path) -> Dataset:
    """The data set from the platform's warehouse, where all its weeks are loaded."""
    with connect(warehouse, read_only=True) as connection:
        connection.execute(_INDICES)
        rows = connection.execute(_PURCHASES).fetchnumpy()
        articles = connection.execute(_ARTICLES).fetchnumpy()
        customers = connection.execute(_CUSTOMERS).fetchnumpy()
    days = rows["day"].astype(np.int32)
    catalogue = Catalogue(
        customers["customer_id"].astype(str),
        articles["article_id"].astype(str),
        articles["product_type"].astype(np.int32),
        articles["department"].astype(np.int32),
        customers["age"].astype(np.int16),
    )
    return Dataset(
        History(
            int(days[-1]) + 1 if len(days) else 0,
            rows["customer"].astype(np.int32),
            rows["article"].astype(np.int32),
            days,
            rows["price"].astype(np.float32),
            catalogue,
        )
    )
