"""Training examples from the training split, and batches of them by index arithmetic.

An example is a customer and a window of days: what is known is the history strictly before the
window, what is to be predicted is every article bought in it. Windows are a week long, as the
weeks that recommendations are published for, end with the split, and do not overlap, so that each
purchase is predicted once and no purchase of the same day can be in its own history. All examples
of a batch are of one window, because an article's recent popularity is that of the window's start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.histories import HistoryBlock, history_block
from hm_platform.modelling.inputs import (
    Entities,
    article_numbers,
    snapshot_articles,
    snapshot_customers,
)
from hm_platform.modelling.purchase_states import PurchaseStates, purchase_states
from hm_platform.modelling.ranking import gather_rows

WINDOW_DAYS = 7
FEWEST_WINDOWS = 4
"""A split too short for this many weeks is cut into shorter windows, down to a day, so that the
later ones still have a history to learn from."""


@dataclass(frozen=True)
class Batch:
    """n examples of one window, with every article that they touch.

    customers : the n customers; their numbers include those on their histories
    articles : the u distinct articles of the batch, as of the window's start
    history : histories; ``history.articles`` are positions among the u
    shared : int64, shape (s,), positions among the u: articles that every example is compared
        with, namely all targets of the batch and uniform negatives
    log_inclusion : float32, shape (s,), log probability that a shared article is among ``shared``
        without this example's doing
    target_row, target : int64, shape (t,), the example that bought, and what it bought as a
        position in ``shared``
    target_place : int64, shape (t,), where the target is in the example's history, or -1
    history_shared : int64, shape (n, length), the position in ``shared`` of an article of the
        history, or -1
    """

    customers: Entities
    articles: Entities
    history: HistoryBlock
    shared: NDArray[np.int64]
    log_inclusion: NDArray[np.float32]
    target_row: NDArray[np.int64]
    target: NDArray[np.int64]
    target_place: NDArray[np.int64]
    history_shared: NDArray[np.int64]


@dataclass(frozen=True)
class Examples:
    """All examples of a training split, in the order of window (latest first), then customer.

    window, customers : int32, shape (examples,)
    starts : int64, shape (windows,), a window's first day; days are counted from the split's first
    offsets : int64, shape (examples + 1,), where an example's targets are
    targets : int32, shape (targets,), article indices, distinct and ascending in an example
    """

    window: NDArray[np.int32]
    customers: NDArray[np.int32]
    starts: NDArray[np.int64]
    offsets: NDArray[np.int64]
    targets: NDArray[np.int32]


@dataclass(frozen=True)
class Purchases:
    """Columns of a split: int64, shape (purchases,); days are counted from ``first_day``."""

    customers: NDArray[np.int64]
    articles: NDArray[np.int64]
    day: NDArray[np.int64]
    first_day: np.datetime64

    @staticmethod
    def from_table(table: pa.Table) -> Purchases:
        """The columns ``t_dat, customer_index, article_index`` of ``datasets/train``."""
        if table.num_rows == 0:
            raise ModellingError("the training split has no purchase: there is nothing to learn")
        dates = table["t_dat"].to_numpy().astype("datetime64[D]")
        first = dates.min()
        return Purchases(
            table["customer_index"].to_numpy().astype(np.int64),
            table["article_index"].to_numpy().astype(np.int64),
            (dates - first).astype(np.int64),
            first,
        )


def window_days(split_days: int) -> int:
    """How long a window is for a training split of so many days."""
    return int(np.clip(split_days // FEWEST_WINDOWS, 1, WINDOW_DAYS))


def make_examples(purchases: Purchases, end: int, weeks: int | None) -> Examples:
    """Examples of the last ``weeks`` weeks (None: of all) before day ``end``."""
    length = window_days(end)
    window = (end - 1 - purchases.day) // length
    used = window < (weeks * 7 // length if weeks else window.max() + 1)
    n_articles = int(purchases.articles.max()) + 1
    n_customers = int(purchases.customers.max()) + 1
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


class TrainingData:
    """The training split as batches.

    snapshot : the validation snapshot; only what does not change with time is read from it
        (attributes, price), everything else is computed from the split as of each window
    weeks : examples come from the last so many weeks of the split (None: from all of it)
    history_length : distinct articles of a history, at most
    batch_size : examples, about
    negatives : uniform negatives a batch
    """

    def __init__(
        self,
        snapshot: Snapshot,
        train: pa.Table,
        *,
        article_sizes: dict[str, int],
        customer_sizes: dict[str, int],
        weeks: int | None,
        history_length: int,
        batch_size: int,
        negatives: int,
    ) -> None:
        purchases = Purchases.from_table(train)
        end = int((np.datetime64(snapshot.cutoff, "D") - purchases.first_day).astype(np.int64))
        if end <= purchases.day.max():
            raise ModellingError(
                f"the training split has purchases on or after {snapshot.cutoff}, the first day "
                "of validation: they would leak into the model"
            )
        self.n_articles = snapshot.training_articles
        self.n_customers = snapshot.training_customers
        for what, known, highest in (
            ("article", self.n_articles, purchases.articles.max()),
            ("customer", self.n_customers, purchases.customers.max()),
        ):
            if highest >= known:
                raise ModellingError(
                    f"the training split has {what} {highest}, but only the first {known} are "
                    f"marked as in training in datasets/{what}_index"
                )
        self.articles = snapshot_articles(
            snapshot, snapshot.article_ids[: self.n_articles], article_sizes
        )
        self.customers = snapshot_customers(
            snapshot, snapshot.customer_ids[: self.n_customers], customer_sizes
        )
        self.examples = make_examples(purchases, end, weeks)
        self.states: PurchaseStates = purchase_states(
            purchases.customers, purchases.articles, purchases.day, self.n_customers
        )
        self.history_length = history_length
        self.batch_size = batch_size
        self.negatives = min(negatives, self.n_articles)
        self._price = np.asarray(snapshot.articles["price_scaled"])
        self._windows = [self._window(purchases, number) for number in range(self.n_windows)]

    @property
    def n_windows(self) -> int:
        return len(self.examples.starts)

    def _window(
        self, purchases: Purchases, number: int
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
        """Of each training article at a window: purchases in the 7 and the 28 days before it, and
        the share of the window's examples that bought it."""
        start = self.examples.starts[number]
        age = start - purchases.day
        week, month = (
            np.bincount(
                purchases.articles[(age > 0) & (age <= days)], minlength=self.n_articles
            ).astype(np.int32)
            for days in (7, 28)
        )
        low, high = np.searchsorted(self.examples.window, [number, number + 1])
        bought = self.examples.targets[self.examples.offsets[low] : self.examples.offsets[high]]
        share = np.bincount(bought, minlength=self.n_articles) / max(high - low, 1)
        return week, month, share.astype(np.float32)

    def plan(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """The examples of each batch of an epoch: windows shuffled within and among each other."""
        batches: list[NDArray[np.int64]] = []
        bounds = np.searchsorted(self.examples.window, np.arange(self.n_windows + 1))
        for low, high in pairwise(bounds):
            if high > low:
                order = low + rng.permutation(high - low)
                batches += np.array_split(order, max(1, round((high - low) / self.batch_size)))
        return [batches[i] for i in rng.permutation(len(batches))]

    def __len__(self) -> int:
        """Batches an epoch."""
        return len(self.plan(np.random.default_rng(0)))

    def batches(self, seed: int, epoch: int) -> Iterator[Batch]:
        """The batches of one epoch; the same ones for the same seed and epoch."""
        rng = np.random.default_rng([seed, epoch])
        for examples in self.plan(rng):
            yield self.batch(examples, rng.choice(self.n_articles, self.negatives, replace=False))

    def batch(self, examples: NDArray[np.int64], negatives: NDArray[np.integer]) -> Batch:
        """A batch of examples, all of one window, and these uniform negatives."""
        n = len(examples)
        number = int(self.examples.window[examples[0]])
        week, month, share = self._windows[number]
        start = np.full(n, self.examples.starts[number])
        customers = self.examples.customers[examples]
        history = history_block(self.states.before(customers, start, self.history_length), n)
        row, entry = gather_rows(self.examples.offsets, examples)
        bought = self.examples.targets[entry]

        shared = np.unique(np.concatenate([bought, negatives]))
        touched = np.unique(np.concatenate([shared, history.articles[history.known]]))
        position = np.full(self.n_articles, -1, dtype=np.int64)
        position[shared] = np.arange(len(shared))
        history_shared = np.where(history.known, position[history.articles], -1)
        target = position[bought]
        place = np.full((n, len(shared)), -1, dtype=np.int64)
        there = np.nonzero(history_shared >= 0)
        place[there[0], history_shared[there]] = there[1]
        # An article is shared because another example of the batch bought it or by a uniform draw.
        absent = (1.0 - share[shared].astype(np.float64)) ** (n - 1)
        inclusion = 1.0 - absent * (1.0 - len(negatives) / self.n_articles)

        ids = np.searchsorted(touched, history.articles)
        who = self.customers.take(customers)
        numbers = article_numbers(self._price[touched], week[touched], month[touched])
        about = self.articles.take(touched)
        return Batch(
            Entities(who.ids, who.codes, np.concatenate([who.numbers, history.customer], axis=1)),
            Entities(about.ids, about.codes, numbers),
            HistoryBlock(
                np.where(history.known, ids, 0), history.known, history.numbers, history.customer
            ),
            np.searchsorted(touched, shared),
            np.log(np.maximum(inclusion, 1e-9)).astype(np.float32),
            row,
            target,
            place[row, target],
            history_shared,
        )
