"""What training examples are: customers and windows of days, from the training split's purchases.

An example is a customer and a window of days: what is known is the history strictly before the
window, what is to be predicted is every article bought in it. Windows are a week long, as the
weeks that recommendations are published for, end with the split, and do not overlap, so that each
purchase is predicted once and no purchase of the same day can be in its own history.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hm_platform.modelling.errors import ModellingError

WINDOW_DAYS = 7
FEWEST_WINDOWS = 4
"""A split too short for this many weeks is cut into shorter windows, down to a day, so that the
later ones still have a history to learn from."""


@dataclass(frozen=True)
class Examples:
    """All examples of a training split, in the order of window (latest first), then customer.

    window, customers : int32, shape (examples,); customers are positions among the known ones
    starts : int64, shape (windows,), a window's first day; days are counted as in Purchases
    offsets : int64, shape (examples + 1,), where an example's targets are
    targets : int32, shape (targets,), positions among the known articles, distinct and ascending
        in an example
    """

    window: NDArray[np.int32]
    customers: NDArray[np.int32]
    starts: NDArray[np.int64]
    offsets: NDArray[np.int64]
    targets: NDArray[np.int32]


@dataclass(frozen=True)
class Purchases:
    """The purchases before a cut-off, and of which articles and customers they are.

    Only these have an id embedding and are drawn as negatives: whoever had no purchase before the
    cut-off is as unknown to the model as it will be when the model is published.

    customers, articles : int64, shape (purchases,), positions among the known ones
    day : int64, shape (purchases,), counted from the first purchase's
    end : the cut-off, counted in the same way
    known_customers, known_articles : int64, the indices of those that were bought by and from,
        ascending
    """

    customers: NDArray[np.int64]
    articles: NDArray[np.int64]
    day: NDArray[np.int64]
    end: int
    known_customers: NDArray[np.int64]
    known_articles: NDArray[np.int64]

    @staticmethod
    def from_table(table: pa.Table, cutoff: date) -> Purchases:
        """From the columns ``t_dat, customer_index, article_index`` of ``datasets/train``.

        Raises ModellingError when there is no purchase, or one on or after ``cutoff``.
        """
        if table.num_rows == 0:
            raise ModellingError(
                "the training split is empty: without a purchase there is nothing to learn"
            )
        dates = table["t_dat"].to_numpy().astype("datetime64[D]")
        first, end = dates.min(), np.datetime64(cutoff, "D")
        if dates.max() >= end:
            raise ModellingError(
                f"the training split has purchases on or after {cutoff}, the first day of "
                "validation: they would leak into the model"
            )
        known_customers, customers = np.unique(
            table["customer_index"].to_numpy().astype(np.int64), return_inverse=True
        )
        known_articles, articles = np.unique(
            table["article_index"].to_numpy().astype(np.int64), return_inverse=True
        )
        return Purchases(
            customers,
            articles,
            (dates - first).astype(np.int64),
            int((end - first).astype(np.int64)),
            known_customers,
            known_articles,
        )


def window_days(split_days: int) -> int:
    """How long a window is for a training split of so many days."""
    return int(np.clip(split_days // FEWEST_WINDOWS, 1, WINDOW_DAYS))


def make_examples(purchases: Purchases, weeks: int | None) -> Examples:
    """Examples of the last ``weeks`` weeks (None: of all) before the cut-off.

    Weeks are counted from the last one with a purchase, so that there are always some.
    """
    end = purchases.end
    length = window_days(end)
    window = (end - 1 - purchases.day) // length
    used = window - window.min() < (weeks * 7 // length if weeks else window.max() + 1)
    n_articles, n_customers = len(purchases.known_articles), len(purchases.known_customers)
    example = window[used] * n_customers + purchases.customers[used]
    pairs = np.unique(example * n_articles + purchases.articles[used])
    example, target = np.divmod(pairs, n_articles)
    distinct, counts = np.unique(example, return_counts=True)
    which, customers = np.divmod(distinct, n_customers)
    return Examples(
        which.astype(np.int32),
        customers.astype(np.int32),
        end - length * (1 + np.arange(int(which.max()) + 1)),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        target.astype(np.int32),
    )
