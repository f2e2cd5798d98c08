"""What would be known if some customers had not made their last purchase.

The purchases of these customers are summed up by week again, the last one left out, and go through
the functions that make everybody's features. Everybody else's purchases are not looked at.
"""

from __future__ import annotations

from dataclasses import replace

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hm_platform.features.asof import known_before
from hm_platform.features.driver import purchase_histories
from hm_platform.features.driver.common import SHOPPING
from hm_platform.features.graphs import run
from hm_platform.features.snapshot import Snapshot
from hm_platform.features.sparse import load_histories
from hm_platform.features.workspace import Workspace
from hm_platform.machine import in_memory_config

_KEPT = """
CREATE TABLE kept AS
SELECT week, t_dat, customer_id, article_id, sales_channel_id FROM purchases
QUALIFY row_number() OVER (
    PARTITION BY customer_id ORDER BY t_dat DESC, article_id, sales_channel_id
) > 1
"""
_WEEKLY = (
    "count(*)::INTEGER AS purchases, count(DISTINCT t_dat)::INTEGER AS days, "
    "min(t_dat) AS first_day, max(t_dat) AS last_day"
)
# As dbt/models/marts/weekly_customer_article_purchases.sql and weekly_customer_purchases.sql.
_PAIRS = f"SELECT week, customer_id, article_id, {_WEEKLY} FROM kept GROUP BY ALL"
_SHOPPING = (
    f"SELECT week, customer_id, {_WEEKLY}, "
    "count(*) FILTER (sales_channel_id = 2)::INTEGER AS purchases_online FROM kept GROUP BY ALL"
)


def without_last_purchase(
    snapshot: Snapshot, customers: NDArray[np.int32], purchases: pa.Table
) -> Snapshot:
    """The same, had each of these customers made one purchase less: the last, one piece of one
    article. Of several on the customer's last day it is that of the lowest article id, of several
    of that article the one in the lowest sales channel.

    Histories and what customer features say of purchases are computed again. Features of articles
    and co-purchases stay: they are sums over everybody, which one purchase a customer hardly moves.
    All of these customers forget at once, and nobody else does.

    customers : indices, distinct
    purchases : all that these customers bought before the cut-off, a row a piece as in
        marts.joined_transactions: week, t_dat, customer_id, article_id, sales_channel_id; those of
        others are left out

    Raises LeakageError when a purchase is of the cut-off's day or a later one, FeatureError when
    one is of an article that the snapshot does not have.
    """
    customers = np.sort(customers)
    with duckdb.connect(config=in_memory_config()) as db:
        db.register("purchases", purchases)
        db.execute(_KEPT)
        pairs, shopping = (db.execute(sql).to_arrow_table() for sql in (_PAIRS, _SHOPPING))
    asked = _index("customer", snapshot.customer_ids.take(pa.array(customers)))
    rows = purchase_histories(
        snapshot.week,
        {snapshot.split: snapshot.cutoff},
        _index("article", snapshot.article_ids),
        asked,
        pairs,
    )
    histories = load_histories(
        rows,
        snapshot.week,
        snapshot.split,
        snapshot.cutoff,
        len(customers),
        snapshot.n_articles,
    )
    features = dict(snapshot.customers)
    for name, values in _customer_features(snapshot, asked, shopping).items():
        features[name] = features[name].copy()
        features[name][customers] = values
    return replace(
        snapshot,
        customers=features,
        histories=snapshot.histories.replacing(customers, histories),
    )


def _customer_features(
    snapshot: Snapshot, asked: pa.Table, shopping: pa.Table
) -> dict[str, NDArray]:
    """What the snapshot's customer features say of these purchases; each of shape (asked,)."""
    cutoff = snapshot.cutoff
    with Workspace() as workspace:
        n = workspace.add_index("customer", asked)
        workspace.add_purchases("customer", SHOPPING, shopping, cutoff)
        rows = pa.concat_tables(rows for _, rows in workspace.customer_purchases(cutoff))
    inputs = known_before(SHOPPING, rows, cutoff, "shopped_last_day") | {
        "n_customers": n,
        "cutoff": cutoff,
    }
    names = [feature.name for feature in snapshot.purchase_features()]
    return run("customers", names, inputs, "without the last purchase")


def _index(entity: str, ids: pa.StringArray) -> pa.Table:
    """An index as ``datasets/<entity>_index`` has it, in the order of the ids."""
    return pa.table(
        {
            f"{entity}_index": pa.array(np.arange(len(ids), dtype=np.int32)),
            f"{entity}_id": ids,
            "in_training": pa.array(np.ones(len(ids), dtype=bool)),
        }
    )
