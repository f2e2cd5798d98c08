"""The splits of a week and its integer indices, from joined purchases and weekly aggregates.

Plain functions from Arrow to Arrow; DuckDB in memory does the work, so nothing passes through
Python rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
from blake3 import blake3

from hm_platform.datasets.fingerprint import fingerprint
from hm_platform.datasets.plan import DatasetError, SplitPlan
from hm_platform.machine import in_memory_config
from hm_platform.storage.tables import BATCH_ROWS

PURCHASE_COLUMNS = ("t_dat", "customer_id", "article_id", "price", "sales_channel_id")
"""What a split is made of."""

_NUMBERS = "t_dat, customer_index, article_index, price, sales_channel_id"
_ENTITIES = ("customer", "article")


@dataclass(frozen=True)
class Split:
    """A split's rows, how many there are, and the fingerprint of their content."""

    rows: pa.RecordBatchReader
    count: int
    fingerprint: str


def article_index(plan: SplitPlan, sold: pa.Table, catalogue: pa.RecordBatchReader) -> pa.Table:
    """Every article known by the end of the week, numbered from 0.

    Articles sold in the training weeks come first, in the order of their ids: ``in_training`` is
    true for them. The others follow: sold outside those weeks, or only in the catalogue.

    sold : article_id, of what was sold before the end of the week, and ``within``: whether it was
        in the training weeks
    catalogue : article_id
    """
    return _index(plan, "article", sold, catalogue, in_sample="true")


def customer_index(plan: SplitPlan, buyers: pa.Table, customers: pa.RecordBatchReader) -> pa.Table:
    """Every customer known by the end of the week, numbered like the articles.

    Customers outside the plan's sample are known, but not ``in_training``.

    buyers : customer_id, of who bought before the end of the week, and ``within``: whether in the
        training weeks
    customers : customer_id
    """
    return _index(plan, "customer", buyers, customers, in_sample=plan.sampled("customer_id"))


def _index(
    plan: SplitPlan, entity: str, bought: pa.Table, known: pa.RecordBatchReader, in_sample: str
) -> pa.Table:
    with duckdb.connect(config=in_memory_config()) as db:
        db.register("bought", bought)
        db.register("known", known)
        return db.execute(
            f"""
            WITH seen AS (
                SELECT {entity}_id, within AND {in_sample} AS in_training FROM bought
                UNION ALL
                SELECT {entity}_id, false FROM known
            ),
            entities AS (
                SELECT {entity}_id, bool_or(in_training) AS in_training FROM seen GROUP BY ALL
            )
            SELECT DATE '{plan.week}' AS week,
                (row_number() OVER (ORDER BY in_training DESC, {entity}_id) - 1)::INTEGER
                    AS {entity}_index,
                {entity}_id,
                in_training
            FROM entities ORDER BY {entity}_index
            """
        ).to_arrow_table()


def build_split(
    name: str,
    plan: SplitPlan,
    purchases: pa.RecordBatchReader,
    articles: pa.Table,
    customers: pa.Table,
) -> Split:
    """The purchases of one split with their indices, ordered by day, customer, article and price.

    purchases : PURCHASE_COLUMNS; more days than the split's do no harm
    articles, customers : the week's indices

    Raises DatasetError when the training split is empty, or when a purchase names an article or a
    customer that the indices do not have.
    """
    start, end = plan.bounds[name]
    db = duckdb.connect(config=in_memory_config())
    db.register("purchases", purchases)
    db.register("article_index", articles)
    db.register("customer_index", customers)
    # Without the ids, which are most of the bytes, half a year is put in order in half the time.
    db.execute(
        f"""
        CREATE TABLE split AS
        SELECT {_NUMBERS},
            CASE WHEN customer_index IS NULL OR article_index IS NULL
                THEN {{'customer': customer_id, 'article': article_id}} END AS unknown
        FROM purchases
        LEFT JOIN (SELECT article_id, article_index FROM article_index) USING (article_id)
        LEFT JOIN (SELECT customer_id, customer_index FROM customer_index) USING (customer_id)
        WHERE t_dat >= DATE '{start}' AND t_dat < DATE '{end}' AND {plan.sampled("customer_id")}
        ORDER BY {_NUMBERS}
        """
    )
    unindexed = db.execute(
        "SELECT unknown.customer, unknown.article FROM split WHERE unknown IS NOT NULL LIMIT 1"
    ).fetchone()
    if unindexed:
        raise DatasetError(
            f"a purchase of article {unindexed[1]} by customer {unindexed[0]} is not in the "
            f"indices of week {plan.week}: build datasets/article_index and "
            f"datasets/customer_index again, they are older than the purchases"
        )
    counted = db.execute("SELECT count(*) FROM split").fetchone()
    count = counted[0] if counted else 0
    if name == "train" and not count:
        raise DatasetError(
            f"no purchases in the training weeks {start} to {end} of week {plan.week}: load them "
            f"first, or build a later week"
        )
    # First, since a connection has one result at a time.
    digest = _fingerprint(db, plan)
    ids = {
        "customer": _ids(customers, "customer"),
        "article": _ids(articles, "article"),
    }
    return Split(_rows(db, plan, ids), count, digest)


def _fingerprint(db: duckdb.DuckDBPyConnection, plan: SplitPlan) -> str:
    """Of the week, of the rows' numbers in their order, and of the ids that these stand for."""
    parts = [f"SELECT {_NUMBERS} FROM split"]
    for entity in _ENTITIES:
        number = f"{entity}_index"
        parts.append(
            f"SELECT {number}, {entity}_id FROM {entity}_index "
            f"WHERE {number} IN (SELECT {number} FROM split) ORDER BY {number}"
        )
    whole = blake3(str(plan.week).encode())
    for part in parts:
        rows = db.execute(part).to_arrow_reader(BATCH_ROWS)
        whole.update(fingerprint(rows.schema, rows).encode())
    return whole.hexdigest()


def _ids(index: pa.Table, entity: str) -> pa.Array:
    """The ids of an index, each at the place that is its number."""
    numbers = index[f"{entity}_index"].to_numpy()
    # They lie there in this order: to see that is quicker than to sort a million ids.
    if (numbers[1:] < numbers[:-1]).any():
        index = index.take(np.argsort(numbers))
    return index[f"{entity}_id"].combine_chunks()


def _rows(
    db: duckdb.DuckDBPyConnection, plan: SplitPlan, ids: Mapping[str, pa.Array]
) -> pa.RecordBatchReader:
    """The rows of the table ``split`` with their week and ids; ``db`` closes when they end."""
    numbers = db.execute(f"SELECT {_NUMBERS} FROM split").to_arrow_reader(BATCH_ROWS)
    day, *others = numbers.schema
    schema = pa.schema(
        [
            pa.field("week", pa.date32()),
            day,
            *(pa.field(f"{entity}_id", ids[entity].type) for entity in _ENTITIES),
            *others,
        ]
    )

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            for batch in numbers:
                day, *others = batch.columns
                week = pa.repeat(pa.scalar(plan.week, pa.date32()), batch.num_rows)
                named = [ids[e].take(batch.column(f"{e}_index")) for e in _ENTITIES]
                yield pa.record_batch([week, day, *named, *others], schema)
        finally:
            numbers.close()
            db.close()

    return pa.RecordBatchReader.from_batches(schema, batches())
