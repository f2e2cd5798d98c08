"""Features of pairs: what each customer bought, and which articles are bought together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from hm_platform.calendar import WEEK
from hm_platform.datasets.names import ranking_weeks
from hm_platform.datasets.plan import ranking_customers
from hm_platform.features import catalogue
from hm_platform.features.asof import known_before
from hm_platform.features.driver.common import (
    PAIRS,
    check_cutoffs,
    check_staged,
    feature_names,
    rows_of_split,
)
from hm_platform.features.graphs import run
from hm_platform.features.workspace import Rows, Workspace, require

LONGEST_HISTORY = 1000
"""How many distinct articles a purchase history holds, at most."""

COPURCHASE_WEEKS = 26
"""How many weeks before the cut-off count for co-purchases: half a year, so that what was sold
together last season does not pair up in the next."""

NEIGHBOURS_EACH = 20
LARGEST_BASKET = 200

DAMPING = 30.0
"""Added to the denominator of the cosine. An article must be in about this many baskets before it
counts in full; on the sample's weeks of 2017-09-11 and 2017-10-09, neighbours of recent purchases
reached a MAP@12 of .035 and .033 without damping, .057 and .056 with 10, .060 and .062 with 30, and
.057 and .060 with 100."""


def _staged(
    cutoffs: Mapping[str, date],
    article_index: pa.Table,
    customer_index: pa.Table,
    rows: Rows,
    before: date,
    since: date = date.min,
) -> tuple[Workspace, int]:
    """A workspace that holds the weekly purchases of articles by customers, and how many articles
    there are."""
    workspace = Workspace()
    try:
        n_articles = workspace.add_index("article", article_index)
        workspace.add_index("customer", customer_index)
        workspace.add_purchases("pair", PAIRS, rows, before, since)
        check_staged(workspace, "pair", PAIRS, cutoffs)
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

    A ranking split has rows only of customers in training, a sample of them where they are many
    (:func:`ranking_customers`), who bought something in its week, the seven days from the cut-off
    on, or in the week before. Of the first a ranker learns what is
    bought next; of the others it is known what was bought last by everybody. This choice of rows
    is the only thing that is taken from days after the cut-off. Every value in a row is as of the
    cut-off, and passes the same gate as in the other splits.

    The input is read before this returns; the output is computed as it is read, a block of
    customers at a time.

    Raises
    ------
    LeakageError : when a row of purchases tells of a day on or after its split's cut-off.
    FeatureError : when a cut-off or an index does not fit, or (while reading) a feature fails its
        output check.
    """
    check_cutoffs(week, cutoffs)
    require(customer_index, "datasets/customer_index", "in_training")
    some = ranking_customers(pc.sum(customer_index["in_training"]).as_py() or 0)
    chosen = {split: some for split in cutoffs if ranking_weeks(split)}
    before = max(cutoff + WEEK if split in chosen else cutoff for split, cutoff in cutoffs.items())
    rows = weekly_customer_article_purchases
    workspace, _ = _staged(cutoffs, article_index, customer_index, rows, before)
    workspace.make_visits()

    def batches() -> Iterator[pa.RecordBatch]:
        with workspace:
            for split, cutoff in cutoffs.items():
                what = f"split {split} of week {week}"
                for visits in workspace.visits(cutoff, active=chosen.get(split)):
                    inputs = known_before(PAIRS, visits, cutoff, "visit_day") | {
                        "cutoff": cutoff,
                        "longest_history": LONGEST_HISTORY,
                    }
                    names = feature_names("purchase_histories")
                    found = run("purchase_histories", names, inputs, what)
                    part = rows_of_split("purchase_histories", week, split, cutoff, found)
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
    check_cutoffs(week, cutoffs)
    since, before = min(cutoffs.values()) - timedelta(weeks=weeks), max(cutoffs.values())
    rows = weekly_customer_article_purchases
    workspace, n_articles = _staged(cutoffs, article_index, customer_index, rows, before, since)

    def batches() -> Iterator[pa.RecordBatch]:
        with workspace:
            for split, cutoff in cutoffs.items():
                baskets = workspace.baskets(cutoff, weeks)
                inputs = known_before(PAIRS, baskets, cutoff, "basket_last_day") | {
                    "n_articles": n_articles,
                    "largest_basket": LARGEST_BASKET,
                    "damping": DAMPING,
                    "neighbours_each": NEIGHBOURS_EACH,
                }
                what = f"split {split} of week {week}"
                found = run("copurchases", feature_names("copurchases"), inputs, what)
                yield from rows_of_split("copurchases", week, split, cutoff, found).to_batches()

    return pa.RecordBatchReader.from_batches(catalogue.schema("copurchases"), batches())
