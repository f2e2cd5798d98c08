"""What must hold of published recommendations, counted where it does not."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import pyarrow as pa

from hm_platform.machine import in_memory_config


@dataclass(frozen=True)
class ListFaults:
    """Customers whose published list is wrong.

    length : of each known customer's list, the articles there are to recommend up to k
    wrong_length : customers with a shorter or longer list, those without any included
    repeated : customers who are shown an article twice
    misranked : customers whose ranks are not 1, 2, …
    unknown : customers with a list whom the week's index does not have
    """

    length: int
    wrong_length: int
    repeated: int
    misranked: int
    unknown: int

    @property
    def count(self) -> int:
        return self.wrong_length + self.repeated + self.misranked + self.unknown


def list_faults(
    recommendations: pa.RecordBatchReader,
    customers: pa.RecordBatchReader,
    articles: pa.RecordBatchReader,
    k: int,
) -> ListFaults:
    """Count the customers whose list of a week is not as promised.

    recommendations : customer_id, rank, article_id
    customers : customer_id of everyone who is known
    articles : purchases_total by the end of the week; an article that was sold can be recommended
    """
    with duckdb.connect(config=in_memory_config()) as db:
        db.register("recommendations", recommendations)
        db.register("customers", customers)
        db.register("articles", articles)
        found = db.execute(
            """
            WITH sold AS (
                SELECT least(count(*), $k) AS length FROM articles WHERE purchases_total > 0
            ),
            lists AS (
                SELECT customer_id, count(*) AS length, count(DISTINCT article_id) AS distinct_ids,
                    count(DISTINCT rank) AS ranks, min(rank) AS first, max(rank) AS last
                FROM recommendations GROUP BY customer_id
            ),
            known AS (SELECT customer_id, true AS known FROM customers)
            SELECT any_value(sold.length),
                count(*) FILTER (known AND coalesce(lists.length, 0) <> sold.length),
                count(*) FILTER (distinct_ids < lists.length),
                count(*) FILTER (first <> 1 OR last <> lists.length OR ranks <> lists.length),
                count(*) FILTER (known IS NULL)
            FROM lists FULL JOIN known USING (customer_id) CROSS JOIN sold
            """,
            {"k": k},
        ).fetchone()
    length, *counts = found or (0, 0, 0, 0, 0)
    return ListFaults(length or 0, *counts)
