"""From tables to feature tables: what the Dagster assets of the group ``features`` call.

Each function stages its inputs, checks for every split that they were known before the cut-off,
binds them to the Hamilton functions and puts the outputs into a table of
``hm_platform.features.catalogue``. The functions are pure: with the encoders of an older model and
today's tables they give that model's view of today.

``cutoffs`` maps splits to the first day that is not known yet, all of them whole weeks away from
the week that is built. Any selection of splits will do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hm_platform.features import catalogue
from hm_platform.features.asof import known_before
from hm_platform.features.attributes import ARTICLE_COLUMNS, CUSTOMER_COLUMNS
from hm_platform.features.encoders import Encoders
from hm_platform.features.errors import FeatureError
from hm_platform.features.graphs import run
from hm_platform.features.training import TrainingCounts
from hm_platform.features.workspace import Rows, Workspace

LONGEST_HISTORY = 1000
"""How many distinct articles a purchase history holds, at most."""

COPURCHASE_WEEKS = 26
"""How many weeks before the cut-off count for co-purchases: half a year, so that what was sold
together last season does not pair up in the next."""

NEIGHBOURS_EACH = 20
LARGEST_BASKET = 200

DAMPING = 10.0
"""Added to the denominator of the cosine. An article must be in about this many baskets before it
counts in full; on the sample's weeks of 2017-11-06 and 2017-12-11, neighbours of purchases of eight
weeks reached a MAP@12 of .027 and .023 without damping, .062 and .056 with 10."""

_SALES = "marts.weekly_article_sales"
_SHOPPING = "marts.weekly_customer_purchases"
_PAIRS = "marts.weekly_customer_article_purchases"


def _check_cutoffs(week: date, cutoffs: Mapping[str, date]) -> None:
    if not cutoffs:
        raise FeatureError("no split to compute features for")
    for split, cutoff in cutoffs.items():
        if (cutoff - week).days % 7:
            raise FeatureError(
                f"the cut-off of the split {split}, {cutoff}, is not a whole number of weeks away "
                f"from the week {week}"
            )


def _table(
    table: str, week: date, split: str, cutoff: date, columns: Mapping[str, Any]
) -> pa.Table:
    """One split of ``features/<table>``: ``columns`` beside the columns that all rows share."""
    schema = catalogue.schema(table)
    n = len(next(iter(columns.values())))
    shared = {"week": week, "split": split, "cutoff": cutoff}
    arrays = []
    for column in schema:
        if column.name in shared:
            arrays.append(pa.repeat(pa.scalar(shared[column.name], column.type), n))
        else:
            arrays.append(pa.chunked_array([columns[column.name]], type=column.type))
    return pa.table(arrays, schema=schema)


def _names(table: str) -> list[str]:
    return [column.name for column in catalogue.features(table)]


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
    articles: Rows,
    weekly_article_sales: Rows,
    encoders: Encoders,
) -> pa.Table:
    """``features/articles``: for each split a row an article, in the order of their indices.

    Raises
    ------
    LeakageError : when a row of sales tells of a day on or after its split's cut-off.
    FeatureError : when a cut-off or an index does not fit, or a feature fails its output check.
    """
    _check_cutoffs(week, cutoffs)
    ordered = article_index.sort_by("article_index")
    parts = []
    with Workspace() as workspace:
        n_articles = workspace.add_index("article", article_index)
        catalogue_rows = workspace.attributes("article", articles, *ARTICLE_COLUMNS)
        workspace.add_purchases("article", _SALES, weekly_article_sales, max(cutoffs.values()))
        for split, cutoff in cutoffs.items():
            sold = known_before(_SALES, workspace.article_sales(cutoff), cutoff, "sold_last_day")
            inputs = sold | {
                "articles": catalogue_rows,
                "encoders": encoders,
                "n_articles": n_articles,
                "cutoff": cutoff,
            }
            found = run("articles", _names("articles"), inputs, f"split {split} of week {week}")
            found["article_index"] = np.arange(n_articles, dtype=np.int32)
            found["article_id"] = _ids(ordered["article_id"])
            parts.append(_table("articles", week, split, cutoff, found))
    return pa.concat_tables(parts)


def customer_features(
    week: date,
    cutoffs: Mapping[str, date],
    customer_index: pa.Table,
    customers: Rows,
    weekly_customer_purchases: Rows,
    encoders: Encoders,
) -> pa.Table:
    """``features/customers``: for each split a row a customer, in the order of their indices.

    Raises
    ------
    LeakageError : when a row of purchases tells of a day on or after its split's cut-off.
    FeatureError : when a cut-off or an index does not fit, or a feature fails its output check.
    """
    _check_cutoffs(week, cutoffs)
    ordered = customer_index.sort_by("customer_index")
    parts = []
    with Workspace() as workspace:
        n_customers = workspace.add_index("customer", customer_index)
        known_customers = workspace.attributes("customer", customers, *CUSTOMER_COLUMNS)
        workspace.add_purchases(
            "customer", _SHOPPING, weekly_customer_purchases, max(cutoffs.values())
        )
        for split, cutoff in cutoffs.items():
            rows = workspace.customer_purchases(cutoff)
            inputs = known_before(_SHOPPING, rows, cutoff, "shopped_last_day") | {
                "customers": known_customers,
                "encoders": encoders,
                "n_customers": n_customers,
                "cutoff": cutoff,
            }
            found = run("customers", _names("customers"), inputs, f"split {split} of week {week}")
            found["customer_index"] = np.arange(n_customers, dtype=np.int32)
            found["customer_id"] = _ids(ordered["customer_id"])
            parts.append(_table("customers", week, split, cutoff, found))
    return pa.concat_tables(parts)


def _ids(column: pa.ChunkedArray) -> pa.Array:
    combined = pc.cast(column, pa.string()).combine_chunks()
    return combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined


def _pairs(
    cutoffs: Mapping[str, date],
    article_index: pa.Table,
    customer_index: pa.Table,
    rows: Rows,
    since: date = date.min,
) -> tuple[Workspace, int]:
    """A workspace that holds the weekly purchases of articles by customers, and how many articles
    there are.

    The leakage check runs for all splits before the first row is given out: whoever reads a
    stream may report an error inside it without its type.
    """
    workspace = Workspace()
    try:
        n_articles = workspace.add_index("article", article_index)
        workspace.add_index("customer", customer_index)
        workspace.add_purchases("pair", _PAIRS, rows, max(cutoffs.values()), since)
        for cutoff in cutoffs.values():
            known_before(_PAIRS, workspace.latest("pair", cutoff), cutoff, "last_day")
    except BaseException:
        workspace.close()
        raise
    return workspace, n_articles


def purchase_histories(
    week: date,
    cutoffs: Mapping[str, date],
    article_index: pa.Table,
    customer_index: pa.Table,
    weekly_customer_article_purchases: Rows,
) -> pa.RecordBatchReader:
    """``features/purchase_histories``: for each split a row a customer who has bought something.

    The input is read before this returns; the output is computed as it is read, a block of
    customers at a time.

    Raises
    ------
    LeakageError : when a row of purchases tells of a day on or after its split's cut-off.
    FeatureError : when a cut-off or an index does not fit, or (while reading) a feature fails its
        output check.
    """
    _check_cutoffs(week, cutoffs)
    rows = weekly_customer_article_purchases
    workspace, _ = _pairs(cutoffs, article_index, customer_index, rows)

    def batches() -> Iterator[pa.RecordBatch]:
        with workspace:
            for split, cutoff in cutoffs.items():
                for bought in workspace.histories(cutoff):
                    inputs = known_before(_PAIRS, bought, cutoff, "bought_last_day") | {
                        "cutoff": cutoff,
                        "longest_history": LONGEST_HISTORY,
                    }
                    what = f"split {split} of week {week}"
                    found = run("purchase_histories", _names("purchase_histories"), inputs, what)
                    part = _table("purchase_histories", week, split, cutoff, found)
                    yield from part.to_batches()

    return pa.RecordBatchReader.from_batches(catalogue.schema("purchase_histories"), batches())


def copurchases(
    week: date,
    cutoffs: Mapping[str, date],
    article_index: pa.Table,
    customer_index: pa.Table,
    weekly_customer_article_purchases: Rows,
    *,
    weeks: int = COPURCHASE_WEEKS,
) -> pa.RecordBatchReader:
    """``features/copurchases``: for each split a row an article that was bought with another one.

    The input is read before this returns; the output is computed as it is read, split by split.

    Parameters
    ----------
    weeks : how many weeks before the cut-off count

    Raises
    ------
    LeakageError : when a row of purchases tells of a day on or after its split's cut-off.
    FeatureError : when a cut-off or an index does not fit, or (while reading) a feature fails its
        output check.
    """
    _check_cutoffs(week, cutoffs)
    since = min(cutoffs.values()) - timedelta(weeks=weeks)
    rows = weekly_customer_article_purchases
    workspace, n_articles = _pairs(cutoffs, article_index, customer_index, rows, since)

    def batches() -> Iterator[pa.RecordBatch]:
        with workspace:
            for split, cutoff in cutoffs.items():
                baskets = workspace.baskets(cutoff, weeks)
                inputs = known_before(_PAIRS, baskets, cutoff, "basket_last_day") | {
                    "n_articles": n_articles,
                    "largest_basket": LARGEST_BASKET,
                    "damping": DAMPING,
                    "neighbours_each": NEIGHBOURS_EACH,
                }
                what = f"split {split} of week {week}"
                found = run("copurchases", _names("copurchases"), inputs, what)
                yield from _table("copurchases", week, split, cutoff, found).to_batches()

    return pa.RecordBatchReader.from_batches(catalogue.schema("copurchases"), batches())
