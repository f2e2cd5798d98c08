"""What the towers read about articles and customers: ids, codes of categories, and numbers.

One set of functions for training, validation and publishing. Everything here is a function of what
was known at a cut-off; which cut-off, the caller decides. Numbers are squeezed to a few units
around zero by fixed functions, so that nothing here is fitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hm_platform.features.encoders import Encoders
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.errors import ModellingError

Features = Mapping[str, NDArray]
ARTICLE_NUMBERS = 4
"""Numbers on an article: see :func:`article_numbers`."""


@dataclass(frozen=True)
class Entities:
    """Articles or customers as a tower reads them.

    ids : int64, shape (n,), row of the id embedding: 1 + position among the training ids, or 0
    codes : int64, shape (n, attributes), a column a category
    numbers : float32, shape (n, numbers)
    """

    ids: NDArray[np.int64]
    codes: NDArray[np.int64]
    numbers: NDArray[np.float32]

    def take(self, rows: NDArray[np.integer]) -> Entities:
        """Some of them, in the given order."""
        return Entities(self.ids[rows], self.codes[rows], self.numbers[rows])


def cardinalities(features: Features, encoders: Encoders | None = None) -> dict[str, int]:
    """How many codes each ``*_code`` feature takes, 0 included, by name in a fixed order.

    encoders : say how many a feature *can* take; without them it is what the features show
    """
    names = sorted(name for name in features if name.endswith("_code"))
    if encoders is not None:
        return {name: encoders.size(name) for name in names}
    return {name: int(features[name].max(initial=0)) + 1 for name in names}


def id_rows(ids: pa.Array, training_ids: pa.Array) -> NDArray[np.int64]:
    """The row of each id's embedding: 1 + its position in ``training_ids``, 0 where unknown."""
    position = pc.fill_null(pc.index_in(ids, value_set=training_ids), -1)
    return position.to_numpy(zero_copy_only=False).astype(np.int64) + 1


def coded(features: Features, sizes: Mapping[str, int], n: int) -> NDArray[np.int64]:
    """The codes that a tower was built for, side by side; shape (n, len(sizes)).

    sizes : feature -> how many codes the tower knows. A code beyond them is a category that nobody
        had when the model was trained (codes of fixed lists, such as age bands, need not all
        occur): it is as unknown as code 0, and read as that.

    Raises ModellingError when a feature is missing or a code is negative.
    """
    result = np.zeros((n, len(sizes)), dtype=np.int64)
    for column, (name, size) in enumerate(sizes.items()):
        if name not in features:
            raise ModellingError(f"the features lack {name}, which the model reads")
        codes = features[name]
        if codes.min(initial=0) < 0:
            raise ModellingError(f"feature {name} holds the code {codes.min()}; codes start at 0")
        result[:, column] = np.where(codes < size, codes, 0)
    return result


def article_numbers(
    price_scaled: NDArray[np.floating],
    last_week: NDArray[np.integer],
    last_4_weeks: NDArray[np.integer],
) -> NDArray[np.float32]:
    """Price and recent popularity of articles; shape (n, ARTICLE_NUMBERS).

    last_week, last_4_weeks : purchases in the 7 and 28 days before the cut-off
    """
    return np.stack(
        [
            np.nan_to_num(price_scaled),
            np.log1p(last_week) / 2 - 1,
            np.log1p(last_4_weeks) / 2 - 1,
            last_4_weeks == 0,
        ],
        axis=1,
    ).astype(np.float32)


def customer_numbers(features: Features, n: int) -> NDArray[np.float32]:
    """The customers' ``*_scaled`` features side by side, 0 where unknown.

    Only attributes: what depends on purchases is read from histories, which training has as of
    each example's own moment.
    """
    names = sorted(name for name in features if name.endswith("_scaled"))
    columns = [np.nan_to_num(features[name]).astype(np.float32) for name in names]
    return np.stack(columns, axis=1) if columns else np.zeros((n, 0), dtype=np.float32)


def snapshot_articles(
    snapshot: Snapshot, training_ids: pa.Array, sizes: Mapping[str, int]
) -> Entities:
    """All articles of a snapshot, described as of its cut-off."""
    features = snapshot.articles
    return Entities(
        id_rows(snapshot.article_ids, training_ids),
        coded(features, sizes, snapshot.n_articles),
        article_numbers(
            features["price_scaled"],
            features["purchases_last_week"],
            features["purchases_last_4_weeks"],
        ),
    )


def snapshot_customers(
    snapshot: Snapshot, training_ids: pa.Array, sizes: Mapping[str, int]
) -> Entities:
    """All customers of a snapshot, without their histories."""
    return Entities(
        id_rows(snapshot.customer_ids, training_ids),
        coded(snapshot.customers, sizes, snapshot.n_customers),
        customer_numbers(snapshot.customers, snapshot.n_customers),
    )
