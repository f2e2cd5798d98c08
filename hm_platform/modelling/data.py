"""The training split as batches, put together by index arithmetic.

All examples of a batch are of one window, because an article's recent popularity is that of the
window's start.
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
from hm_platform.modelling.examples import Examples, Purchases, make_examples
from hm_platform.modelling.histories import HistoryBlock, history_block
from hm_platform.modelling.inputs import (
    Entities,
    article_numbers,
    snapshot_articles,
    snapshot_customers,
)
from hm_platform.modelling.purchase_states import PurchaseStates, purchase_states
from hm_platform.modelling.ranking import gather_rows


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


class TrainingData:
    """The purchases before a cut-off as batches.

    snapshot : as of the cut-off; only what does not change with time is read from it (attributes,
        price), everything else is computed from the purchases as of each window
    weeks : examples come from the last so many weeks before the cut-off (None: from all)
    history_length : distinct articles of a history, at most
    epoch_examples : examples of an epoch, at most
    batch_size : examples, about
    negatives : uniform negatives a batch

    Articles and customers are numbered here by their position among the known ones.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        purchases: Purchases,
        *,
        article_sizes: dict[str, int],
        customer_sizes: dict[str, int],
        weeks: int | None,
        history_length: int,
        epoch_examples: int,
        batch_size: int,
        negatives: int,
    ) -> None:
        known_articles, known_customers = purchases.known_articles, purchases.known_customers
        for what, known, there in (
            ("article", known_articles, snapshot.n_articles),
            ("customer", known_customers, snapshot.n_customers),
        ):
            if known[-1] >= there:
                raise ModellingError(
                    f"the training split has {what} {known[-1]}, but the snapshot has only "
                    f"{there}: they are not of one week"
                )
        self.article_ids = snapshot.article_ids.take(pa.array(known_articles))
        self.customer_ids = snapshot.customer_ids.take(pa.array(known_customers))
        self.n_articles = len(known_articles)
        self.articles = snapshot_articles(snapshot, self.article_ids, article_sizes).take(
            known_articles
        )
        self.customers = snapshot_customers(snapshot, self.customer_ids, customer_sizes).take(
            known_customers
        )
        self.examples: Examples = make_examples(purchases, weeks)
        self.states: PurchaseStates = purchase_states(
            purchases.customers, purchases.articles, purchases.day, len(known_customers)
        )
        self.history_length = history_length
        self.epoch_examples = epoch_examples
        self.batch_size = batch_size
        self.negatives = min(negatives, self.n_articles)
        self._price = np.asarray(snapshot.articles["price_scaled"])[known_articles]
        self._windows = [self._window(purchases, number) for number in range(self.n_windows)]

    @property
    def n_windows(self) -> int:
        return len(self.examples.starts)

    def _window(
        self, purchases: Purchases, number: int
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
        """Of each known article at a window: purchases in the 7 and the 28 days before it, and
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
        """The examples of each batch of an epoch: windows shuffled within and among each other.

        Of more than ``epoch_examples`` each window gives the same share.
        """
        batches: list[NDArray[np.int64]] = []
        bounds = np.searchsorted(self.examples.window, np.arange(self.n_windows + 1))
        share = min(1.0, self.epoch_examples / max(len(self.examples.window), 1))
        for low, high in pairwise(bounds):
            taken = max(1, int((high - low) * share))
            if high > low:
                order = low + rng.permutation(high - low)[:taken]
                batches += np.array_split(order, max(1, round(taken / self.batch_size)))
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
