"""Candidates of past weeks with their features and labels: what the ranker learns from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.candidates import (
    CandidateGenerator,
    CandidateRecall,
    Candidates,
    RecallCounter,
    bought_among,
)
from hm_platform.modelling.metrics import Purchased
from hm_platform.modelling.parallel import in_parallel
from hm_platform.modelling.ranker.inputs import PairFeatures
from hm_platform.modelling.ranking import gather_rows
from hm_platform.modelling.two_tower import TwoTowerRecommender

BLOCK = 1024


@dataclass(frozen=True)
class LabelledWeek:
    """A past week: what was known before it, and what was bought in it."""

    snapshot: Snapshot
    bought: Purchased


@dataclass(frozen=True)
class RankingLists:
    """n lists of candidates in compressed sparse rows.

    offsets : int64, shape (n + 1,)
    features : float32 or, once scaled, float16, shape (pairs, features)
    articles : int32, shape (pairs,)
    wanted : bool, shape (pairs,), whether the candidate was bought
    bought : int32, shape (n,), how many articles the customer bought, candidates or not
    """

    offsets: NDArray[np.int64]
    features: NDArray[np.floating]
    articles: NDArray[np.int32]
    wanted: NDArray[np.bool_]
    bought: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.bought)

    def with_features(self, features: NDArray[np.floating]) -> RankingLists:
        """The same lists with other features."""
        return RankingLists(self.offsets, features, self.articles, self.wanted, self.bought)

    def first(self, n: int) -> RankingLists:
        """The first n lists, without a copy."""
        end = self.offsets[n]
        return RankingLists(
            self.offsets[: n + 1],
            self.features[:end],
            self.articles[:end],
            self.wanted[:end],
            self.bought[:n],
        )

    def learnable(self, rows: NDArray[np.int64] | None = None) -> RankingLists:
        """The lists in which something was bought and something was not.

        rows : of these lists alone, ascending; None: of all
        """
        row = np.repeat(np.arange(len(self)), np.diff(self.offsets))
        hits = np.bincount(row, self.wanted, minlength=len(self))
        learnable = (hits > 0) & (hits < np.diff(self.offsets))
        chosen = np.flatnonzero(learnable) if rows is None else rows[learnable[rows]]
        kept, entry = gather_rows(self.offsets, chosen)
        return RankingLists(
            np.concatenate([[0], np.cumsum(np.bincount(kept, minlength=len(chosen)))]),
            self.features[entry],
            self.articles[entry],
            self.wanted[entry],
            self.bought[chosen],
        )


def concatenate(parts: Sequence[RankingLists]) -> RankingLists:
    """All lists, one part after the other."""
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    return RankingLists(
        np.concatenate([[0], np.cumsum(lengths)]),
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.articles for part in parts]),
        np.concatenate([part.wanted for part in parts]),
        np.concatenate([part.bought for part in parts]),
    )


def some(n: int, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """All numbers below n, ascending; where they are too many, a random choice of them."""
    everything = np.arange(n)
    return everything if n <= most else np.sort(rng.choice(everything, most, replace=False))


def make_lists(
    week: LabelledWeek,
    two_tower: TwoTowerRecommender,
    without_sources: Sequence[str],
    most: int,
    rng: np.random.Generator,
    kept: Callable[[NDArray[np.float32]], NDArray[np.floating]] = np.ascontiguousarray,
) -> tuple[RankingLists, dict[str, CandidateRecall]]:
    """The lists of a week's buyers, and how much of what they bought the sources found.

    most : how many buyers, at most; of more, a random choice
    kept : what is kept of the features of a block's pairs
    """
    chosen = some(len(week.bought.customers), most, rng)
    retrieval = two_tower.prepare(week.snapshot)
    generator = CandidateGenerator(week.snapshot, retrieval, without_sources)
    pair_features = PairFeatures(week.snapshot, retrieval)

    def lists(start: int) -> tuple[Candidates, RankingLists]:
        rows = chosen[start : start + BLOCK]
        customers = week.bought.customers[rows]
        found = generator.candidates(customers)
        lengths = np.bincount(found.row, minlength=len(rows))
        return found, RankingLists(
            np.concatenate([[0], np.cumsum(lengths)]),
            kept(pair_features.matrix(customers, found)),
            found.articles,
            bought_among(found, week.bought, rows),
            np.diff(week.bought.offsets)[rows].astype(np.int32),
        )

    recall = RecallCounter(generator.sources)
    parts = []
    # At least one block, so that a week in which nobody bought has features too, of no pairs.
    with closing(in_parallel(lists, range(0, max(len(chosen), 1), BLOCK))) as made:
        for found, part in made:
            recall.add(found, part.wanted, part.bought)
            parts.append(part)
    return concatenate(parts), recall.result()


@dataclass(frozen=True)
class ListBatch:
    """n lists, padded to one length.

    features : float32, shape (n, length, features); known : bool, (n, length)
    row, column : int64, shape (positives,), where bought candidates are
    bought : float32, shape (n,)
    """

    features: NDArray[np.float32]
    known: NDArray[np.bool_]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    bought: NDArray[np.float32]


class ListBatches:
    """Batches of lists, shuffled anew each time they are gone through.

    seed : the same seed gives the same batches
    """

    def __init__(self, lists: RankingLists, size: int, seed: int) -> None:
        self._lists = lists
        self._size = size
        self._seed = seed
        self._epoch = 0

    def __len__(self) -> int:
        return -(-len(self._lists) // self._size)

    def __iter__(self) -> Iterator[ListBatch]:
        self._epoch += 1
        order = np.random.default_rng([self._seed, self._epoch]).permutation(len(self._lists))
        for start in range(0, len(order), self._size):
            yield padded(self._lists, order[start : start + self._size])


class Whole:
    """All lists as a single batch, as they are: what the validation goes through."""

    def __init__(self, lists: RankingLists) -> None:
        self._lists = lists

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[RankingLists]:
        yield self._lists


def padded(lists: RankingLists, chosen: NDArray[np.integer]) -> ListBatch:
    """These lists as a batch."""
    row, entry = gather_rows(lists.offsets, chosen)
    lengths = np.bincount(row, minlength=len(chosen))
    column = np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    shape = (len(chosen), int(lengths.max(initial=0)))
    features = np.zeros((*shape, lists.features.shape[1]), dtype=np.float32)
    features[row, column] = lists.features[entry]
    known = np.zeros(shape, dtype=np.bool_)
    known[row, column] = True
    wanted = lists.wanted[entry]
    return ListBatch(
        features, known, row[wanted], column[wanted], lists.bought[chosen].astype(np.float32)
    )
