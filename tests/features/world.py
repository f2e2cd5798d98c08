"""A small shop for tests: its purchases, and the tables that the pipeline would make of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb
import numpy as np
import pyarrow as pa

from hm_platform.features.attributes import ARTICLE_COLUMNS, CUSTOMER_COLUMNS
from hm_platform.features.driver import (
    article_features,
    copurchases,
    customer_features,
    fit_encoders,
    purchase_histories,
)
from hm_platform.features.encoders import SCALERS, VOCABULARIES, Encoders, Scaler
from hm_platform.features.loading import FeatureTables

WEEK = date(2020, 9, 16)
CUTOFFS = {
    "validation": WEEK - timedelta(weeks=1),
    "test": WEEK,
    "serving": WEEK + timedelta(weeks=1),
}
RANKING_CUTOFFS = {f"ranking_{i}": WEEK - timedelta(weeks=1 + i) for i in (1, 2)}
NOTHING_FITTED = Encoders(dict.fromkeys(VOCABULARIES, ()), {name: Scaler() for name in SCALERS})

Purchase = tuple[date, str, str, float | None] | tuple[date, str, str, float | None, int]
"""Day, customer, article, price, and channel: 1 a store (also where it is left out), 2 online."""

_NUMBERS = {name for name in ARTICLE_COLUMNS if name.endswith(("_no", "_id"))}
ARTICLE_SCHEMA = pa.schema(
    [("article_id", pa.string())]
    + [(name, pa.int32() if name in _NUMBERS else pa.string()) for name in ARTICLE_COLUMNS]
)
_CUSTOMER_TYPES = {"receives_fashion_news": pa.bool_(), "is_active": pa.bool_(), "age": pa.int16()}
CUSTOMER_SCHEMA = pa.schema(
    [("customer_id", pa.string())]
    + [(name, _CUSTOMER_TYPES.get(name, pa.string())) for name in CUSTOMER_COLUMNS]
)

_DATED = "SELECT *, time_bucket(INTERVAL 7 DAY, t_dat, DATE '2020-09-16')::DATE AS week FROM bought"
_DAYS = "min(t_dat) AS first_day, max(t_dat) AS last_day"
_ONLINE = "count(*) FILTER (sales_channel_id = 2)::INTEGER AS purchases_online"


def days_before(cutoff: date, days: int) -> date:
    """The day that lies ``days`` days before the cut-off."""
    return cutoff - timedelta(days=days)


@dataclass(frozen=True)
class World:
    """The tables of a shop, named as the driver's parameters are."""

    article_index: pa.Table
    customer_index: pa.Table
    articles: pa.Table
    customers: pa.Table
    weekly_article_sales: pa.Table
    weekly_customer_purchases: pa.Table
    weekly_customer_article_purchases: pa.Table
    train: pa.Table

    def fit(self) -> Encoders:
        return fit_encoders(
            CUTOFFS["validation"],
            self.train,
            self.articles,
            self.customers,
            self.article_index,
            self.customer_index,
        )

    def article_features(
        self, encoders: Encoders = NOTHING_FITTED, cutoffs: dict[str, date] = CUTOFFS
    ) -> pa.Table:
        return article_features(
            WEEK,
            cutoffs,
            self.article_index,
            self.customer_index,
            self.articles,
            self.weekly_article_sales,
            self.weekly_customer_article_purchases,
            encoders,
        )

    def customer_features(
        self, encoders: Encoders = NOTHING_FITTED, cutoffs: dict[str, date] = CUTOFFS
    ) -> pa.Table:
        return customer_features(
            WEEK,
            cutoffs,
            self.customer_index,
            self.customers,
            self.weekly_customer_purchases,
            encoders,
        ).read_all()

    def purchase_histories(self, cutoffs: dict[str, date] = CUTOFFS) -> pa.Table:
        return purchase_histories(
            WEEK,
            cutoffs,
            self.article_index,
            self.customer_index,
            self.weekly_customer_article_purchases,
        ).read_all()

    def copurchases(self, cutoffs: dict[str, date] = CUTOFFS, **options: int) -> pa.Table:
        return copurchases(
            WEEK,
            cutoffs,
            self.article_index,
            self.customer_index,
            self.weekly_customer_article_purchases,
            **options,
        ).read_all()

    def feature_tables(
        self, encoders: Encoders = NOTHING_FITTED, cutoffs: dict[str, date] = CUTOFFS
    ) -> FeatureTables:
        return FeatureTables(
            articles=self.article_features(encoders, cutoffs),
            customers=self.customer_features(encoders, cutoffs),
            purchase_histories=self.purchase_histories(cutoffs),
            copurchases=self.copurchases(cutoffs),
            article_index=self.article_index,
            customer_index=self.customer_index,
        )


def index(entity: str, ids: Sequence[str], in_training: int) -> pa.Table:
    """``datasets/<entity>_index``: the first ``in_training`` ids were in training."""
    return pa.table(
        {
            "week": pa.array([WEEK] * len(ids), pa.date32()),
            f"{entity}_index": pa.array(np.arange(len(ids)), pa.int32()),
            f"{entity}_id": pa.array(ids, pa.string()),
            "in_training": pa.array([i < in_training for i in range(len(ids))], pa.bool_()),
        }
    )


def catalogue_rows(schema: pa.Schema, rows: Sequence[dict[str, object]]) -> pa.Table:
    """Rows of the catalogue; what a row does not say is null."""
    return pa.Table.from_pylist([dict.fromkeys(schema.names) | row for row in rows], schema)


def world(
    purchases: Sequence[Purchase],
    articles: Sequence[str] = ("a", "b", "c"),
    customers: Sequence[str] = ("x", "y"),
    article_rows: Sequence[dict[str, object]] = (),
    customer_rows: Sequence[dict[str, object]] = (),
) -> World:
    """The shop with these purchases; the training split is all before the validation week."""
    article_index = index("article", articles, len(articles))
    customer_index = index("customer", customers, len(customers))
    with duckdb.connect() as db:
        db.execute(
            "CREATE TABLE bought "
            "(t_dat DATE, customer_id VARCHAR, article_id VARCHAR, price DOUBLE, "
            "sales_channel_id TINYINT)"
        )
        if purchases:
            rows = [[*p, 1][:5] for p in purchases]
            db.executemany("INSERT INTO bought VALUES (?, ?, ?, ?, ?)", rows)

        def fetch(sql: str) -> pa.Table:
            return db.execute(sql).to_arrow_table()

        pairs = fetch(
            "SELECT week, customer_id, article_id, count(*)::INTEGER AS purchases, "
            f"count(DISTINCT t_dat)::INTEGER AS days, sum(price) AS spend, {_DAYS} "
            f"FROM ({_DATED}) GROUP BY ALL ORDER BY ALL"
        )
        sales = fetch(
            "SELECT week, article_id, count(*)::INTEGER AS purchases, avg(price) AS mean_price, "
            f"{_ONLINE}, {_DAYS} FROM ({_DATED}) GROUP BY ALL ORDER BY ALL"
        )
        shopping = fetch(
            "SELECT week, customer_id, count(*)::INTEGER AS purchases, "
            f"{_ONLINE}, count(DISTINCT t_dat)::INTEGER AS days, {_DAYS} "
            f"FROM ({_DATED}) GROUP BY ALL ORDER BY ALL"
        )
        db.register("article_index", article_index)
        db.register("customer_index", customer_index)
        train = fetch(
            "SELECT t_dat, article_index, customer_index, price FROM bought "
            "JOIN article_index USING (article_id) JOIN customer_index USING (customer_id) "
            f"WHERE t_dat < DATE '{CUTOFFS['validation']}' ORDER BY ALL"
        )
    return World(
        article_index,
        customer_index,
        catalogue_rows(ARTICLE_SCHEMA, article_rows),
        catalogue_rows(CUSTOMER_SCHEMA, customer_rows),
        sales,
        shopping,
        pairs,
        train,
    )


def of_split(table: pa.Table, split: str) -> list[dict[str, object]]:
    """The rows of one split, as dictionaries."""
    return [row for row in table.to_pylist() if row["split"] == split]
