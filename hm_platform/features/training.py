"""What fitting needs to know of the training split, counted in one pass over its purchases."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hm_platform.features.arrays import Int64s
from hm_platform.features.errors import FeatureError
from hm_platform.features.workspace import Rows, require
from hm_platform.machine import in_memory_config

# Sums of DOUBLE depend on how threads share the rows; sums of DECIMAL do not.
_COUNT = """
SELECT article_index, customer_index, count(*) AS purchases, max(t_dat) AS last_day,
    count(log_price) AS priced,
    coalesce(sum(log_price::DECIMAL(18, 9)), 0)::DOUBLE AS log_price_sum,
    coalesce(sum((log_price * log_price)::DECIMAL(18, 9)), 0)::DOUBLE AS log_price_square_sum
FROM (
    SELECT article_index, customer_index, t_dat,
        CASE WHEN price > 0 AND isfinite(price) THEN ln(price) END AS log_price
    FROM incoming
)
GROUP BY GROUPING SETS ((article_index), (customer_index), ())
"""


@dataclass(frozen=True)
class TrainingCounts:
    """Counts and sums over the purchases of the training split.

    article_purchases : int64, shape (articles,)
    customer_purchases : int64, shape (customers,)
    priced_purchases : purchases with a positive price
    log_price_sum, log_price_square_sum : over those, of the natural logarithm of the price
    days : a table with one row and the column last_day
    """

    article_purchases: Int64s
    customer_purchases: Int64s
    priced_purchases: int
    log_price_sum: float
    log_price_square_sum: float
    days: pa.Table

    @staticmethod
    def of(train: Rows, n_articles: int, n_customers: int) -> TrainingCounts:
        """Count the purchases of ``datasets/train``, a stream that is read once.

        Raises FeatureError when there are none, or an index is out of range.
        """
        require(train, "datasets.train", "t_dat", "article_index", "customer_index", "price")
        with duckdb.connect(config=in_memory_config()) as db:
            db.register("incoming", train)
            groups = db.execute(_COUNT).to_arrow_table()
        articles = groups.filter(groups["article_index"].is_valid())
        customers = groups.filter(groups["customer_index"].is_valid())
        total = groups.filter(
            pc.and_(groups["article_index"].is_null(), groups["customer_index"].is_null())
        )
        purchases = total["purchases"][0].as_py()
        if not purchases:
            raise FeatureError("the training split has no purchases: there is nothing to fit on")
        return TrainingCounts(
            _counts(articles, "article_index", n_articles, purchases),
            _counts(customers, "customer_index", n_customers, purchases),
            total["priced"][0].as_py(),
            total["log_price_sum"][0].as_py(),
            total["log_price_square_sum"][0].as_py(),
            total.select(["last_day"]),
        )


def _counts(groups: pa.Table, number: str, n: int, purchases: int) -> Int64s:
    """The purchases of each of the numbers 0..n-1."""
    numbers = groups[number].to_numpy()
    counts = np.zeros(n, np.int64)
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < n:
        raise FeatureError(
            f"datasets.train has the {number} {numbers.max()}, and datasets.{number} has {n} rows"
        )
    counts[numbers] = groups["purchases"].to_numpy()
    if counts.sum() != purchases:
        raise FeatureError(f"datasets.train has purchases without {number}")
    return counts
