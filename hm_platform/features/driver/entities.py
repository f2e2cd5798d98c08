"""Features of articles and of customers, and what is fitted for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hm_platform.features import catalogue
from hm_platform.features.asof import known_before
from hm_platform.features.attributes import ARTICLE_COLUMNS, CUSTOMER_COLUMNS
from hm_platform.features.driver.common import (
    PAIRS,
    SALES,
    SHOPPING,
    check_cutoffs,
    check_staged,
    feature_names,
    rows_of_split,
)
from hm_platform.features.encoders import Encoders
from hm_platform.features.graphs import run
from hm_platform.features.training import TrainingCounts
from hm_platform.features.workspace import Rows, Workspace


def fit_encoders(
    cutoff: date,
    train: Rows,
    articles: Rows,
    customers: Rows,
    article_index: pa.Table,
    customer_index: pa.Table,
) -> Encoders:
    """Fit category codes and scales on the training split.

    Parameters
    ----------
    cutoff : the first day after the training split
    train : ``datasets/train``; t_dat, article_index, customer_index and price are read
    articles, customers : ``staging/stg_articles`` and ``staging/stg_customers``

    Raises
    ------
    LeakageError : when a purchase lies on or after the cut-off.
    FeatureError : when the split is empty, or an index does not fit.
    """
    with Workspace() as workspace:
        n_articles = workspace.add_index("article", article_index)
        n_customers = workspace.add_index("customer", customer_index)
        counts = TrainingCounts.of(train, n_articles, n_customers)
        known_before("datasets.train", counts.days, cutoff, "last_day")
        inputs = {
            "articles": workspace.attributes("article", articles, *ARTICLE_COLUMNS),
            "customers": workspace.attributes("customer", customers, *CUSTOMER_COLUMNS),
            "article_purchases": counts.article_purchases,
            "customer_purchases": counts.customer_purchases,
            "priced_purchases": counts.priced_purchases,
            "log_price_sum": counts.log_price_sum,
            "log_price_square_sum": counts.log_price_square_sum,
        }
        return run("encoders", ["encoders"], inputs, f"training split before {cutoff}")["encoders"]


def article_features(
    week: date,
    cutoffs: Mapping[str, date],
    article_index: pa.Table,
    customer_index: pa.Table,
    articles: Rows,
    weekly_article_sales: Rows,
    weekly_customer_article_purchases: Rows,
    encoders: Encoders,
) -> pa.Table:
    """``features/articles``: for each split a row an article, in the order of their indices.

    Purchases by customers that are not in the index count for sales, and not for buyers.

    Raises
    ------
    LeakageError : when a row of sales or purchases tells of a day on or after its split's cut-off.
    FeatureError : when a cut-off or an index does not fit, or a feature fails its output check.
    """
    check_cutoffs(week, cutoffs)
    ordered = article_index.sort_by("article_index")
    parts = []
    with Workspace() as workspace:
        n_articles = workspace.add_index("article", article_index)
        catalogue_rows = workspace.attributes("article", articles, *ARTICLE_COLUMNS)
        workspace.add_index("customer", customer_index)
        end = max(cutoffs.values())
        workspace.add_purchases("article", SALES, weekly_article_sales, end)
        workspace.add_purchases("pair", PAIRS, weekly_customer_article_purchases, end)
        workspace.make_buyers()
        for split, cutoff in cutoffs.items():
            sold = known_before(SALES, workspace.article_sales(cutoff), cutoff, "sold_last_day")
            buyers = workspace.article_buyers(cutoff)
            bought = known_before(PAIRS, buyers, cutoff, "bought_last_day")
            inputs = (
                sold
                | bought
                | {
                    "articles": catalogue_rows,
                    "encoders": encoders,
                    "n_articles": n_articles,
                    "cutoff": cutoff,
                }
            )
            found = run(
                "articles", feature_names("articles"), inputs, f"split {split} of week {week}"
            )
            found["article_index"] = np.arange(n_articles, dtype=np.int32)
            found["article_id"] = _ids(ordered["article_id"])
            parts.append(rows_of_split("articles", week, split, cutoff, found))
    return pa.concat_tables(parts)


def customer_features(
    week: date,
    cutoffs: Mapping[str, date],
    customer_index: pa.Table,
    customers: Rows,
    weekly_customer_purchases: Rows,
    encoders: Encoders,
) -> pa.RecordBatchReader:
    """``features/customers``: for each split a row a customer, in the order of their indices.

    The input is read before this returns; the output is computed as it is read, a block of
    customers at a time: all splits of H&M's customers would take gigabytes.

    Raises
    ------
    LeakageError : when a row of purchases tells of a day on or after its split's cut-off.
    FeatureError : when a cut-off or an index does not fit, or (while reading) a feature fails its
        output check.
    """
    check_cutoffs(week, cutoffs)
    ids = _ids(customer_index.sort_by("customer_index")["customer_id"])
    workspace = Workspace()
    try:
        workspace.add_index("customer", customer_index)
        known_customers = workspace.attributes("customer", customers, *CUSTOMER_COLUMNS)
        workspace.add_purchases(
            "customer", SHOPPING, weekly_customer_purchases, max(cutoffs.values())
        )
        check_staged(workspace, "customer", SHOPPING, cutoffs)
        workspace.sort_customers()
    except BaseException:
        workspace.close()
        raise

    def batches() -> Iterator[pa.RecordBatch]:
        with workspace:
            for split, cutoff in cutoffs.items():
                what = f"split {split} of week {week}"
                for block, rows in workspace.customer_purchases(cutoff):
                    shopped = known_before(SHOPPING, rows, cutoff, "shopped_last_day")
                    inputs = shopped | {
                        # A block is a shop of its own, whose customers are counted from 0.
                        "shopped_customer": shopped["shopped_customer"] - np.int32(block.start),
                        "customers": known_customers.slice(block.start, len(block)),
                        "encoders": encoders,
                        "n_customers": len(block),
                        "cutoff": cutoff,
                    }
                    found = run("customers", feature_names("customers"), inputs, what)
                    found["customer_index"] = np.arange(block.start, block.stop, dtype=np.int32)
                    found["customer_id"] = ids.slice(block.start, len(block))
                    yield from rows_of_split("customers", week, split, cutoff, found).to_batches()

    return pa.RecordBatchReader.from_batches(catalogue.schema("customers"), batches())


def _ids(column: pa.ChunkedArray) -> pa.Array:
    combined = pc.cast(column, pa.string()).combine_chunks()
    return combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined
