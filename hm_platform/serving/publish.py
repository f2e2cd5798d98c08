"""The published recommendations: every customer's twelve, in streaming batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from hm_platform.errors import PlatformError
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.fallback import WithFallback
from hm_platform.modelling.recommenders import SOURCES, Recommendations, Recommender

K = 12
BATCH_CUSTOMERS = 8192

SCHEMA = pa.schema(
    [
        ("week", pa.date32()),
        ("customer_id", pa.string()),
        ("rank", pa.int8()),
        ("article_id", pa.string()),
        ("score", pa.float32()),
        ("source", pa.string()),
        ("model_version", pa.string()),
    ]
)


class PublishingError(PlatformError):
    """Recommendations that cannot be published."""


def publish(
    recommender: Recommender, snapshot: Snapshot, model_version: str, k: int = K
) -> pa.RecordBatchReader:
    """The ``k`` best articles of every customer of a snapshot, a row an article.

    Customers come in the order of their indices, each one's articles in the order of their ranks.
    A customer gets fewer than ``k`` only when fewer articles than that have ever been sold.

    Raises PublishingError when there is nobody to recommend to or nothing to recommend.
    """
    if snapshot.n_customers == 0 or not (snapshot.articles["purchases_total"] > 0).any():
        raise PublishingError(
            f"week {snapshot.week} has {snapshot.n_customers} customers and no article that was "
            f"ever sold: there is nothing to publish"
        )
    scorer = WithFallback(recommender).prepare(snapshot)

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, snapshot.n_customers, BATCH_CUSTOMERS):
            end = min(start + BATCH_CUSTOMERS, snapshot.n_customers)
            customers = np.arange(start, end, dtype=np.int32)
            yield _batch(snapshot, customers, scorer.top(customers, k), model_version)

    return pa.RecordBatchReader.from_batches(SCHEMA, batches())


def _batch(
    snapshot: Snapshot, customers: np.ndarray, found: Recommendations, model_version: str
) -> pa.RecordBatch:
    row, rank = np.nonzero(found.articles >= 0)
    n = len(row)
    sources = pa.DictionaryArray.from_arrays(
        pa.array(found.sources[row, rank]), pa.array(SOURCES)
    ).cast(pa.string())
    return pa.RecordBatch.from_arrays(
        [
            pa.repeat(pa.scalar(snapshot.week, pa.date32()), n),
            snapshot.customer_ids.take(pa.array(customers[row])),
            pa.array((rank + 1).astype(np.int8)),
            snapshot.article_ids.take(pa.array(found.articles[row, rank])),
            pa.array(found.scores[row, rank]),
            sources,
            pa.repeat(model_version, n),
        ],
        schema=SCHEMA,
    )
