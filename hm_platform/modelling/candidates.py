"""The first stage: for each customer a few hundred articles that are worth ranking.

Every source is a recommender, asked for its own best articles only, without what it fills up
with. The candidates of a customer are the union. Nothing here is fitted to the union: which source
an article came from, and with what score, is for the second stage to weigh.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.baselines.co_purchase import CoPurchase
from hm_platform.modelling.baselines.new_arrivals import NewArrivals
from hm_platform.modelling.baselines.popularity import Popularity, SegmentPopularity
from hm_platform.modelling.baselines.repurchase import Repurchase
from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.metrics import Purchased
from hm_platform.modelling.ranking import gather_rows
from hm_platform.modelling.recommenders import SOURCES, Recommender, Scorer

CANDIDATES_EACH = {
    "repurchase": 120,
    "co_purchase": 40,
    "new_arrivals": 20,
    "two_tower": 40,
    "segment_popularity": 24,
    "popularity": 24,
}
"""Source -> how many articles it proposes to a customer, at most. An article that several sources
propose is published as coming from the first of them in this order."""


@dataclass(frozen=True)
class Candidates:
    """The candidates of n customers, in the order of customer, then article.

    sources : the names of the columns of ``scores``
    row : int64, shape (pairs,), which of the customers
    articles : int32, shape (pairs,), article indices, distinct and ascending within a customer
    scores : float32, shape (pairs, sources), each source's own score, NaN where it did not propose
        the article
    """

    sources: Sequence[str]
    row: NDArray[np.int64]
    articles: NDArray[np.int32]
    scores: NDArray[np.float32]

    def first_source(self) -> NDArray[np.int8]:
        """The first source that proposed each pair, as a position in SOURCES; shape (pairs,)."""
        positions = np.array([SOURCES.index(name) for name in self.sources], dtype=np.int8)
        proposed = ~np.isnan(self.scores)
        return positions[np.argmax(proposed, axis=1)]


def sources_without(without: Sequence[str]) -> tuple[str, ...]:
    """The candidate sources that are left; ModellingError where one of these does not exist, or
    none is left."""
    if unknown := sorted(set(without) - set(CANDIDATES_EACH)):
        raise ModellingError(
            f"there is no candidate source {', '.join(unknown)}: know {', '.join(CANDIDATES_EACH)}"
        )
    sources = tuple(name for name in CANDIDATES_EACH if name not in without)
    if not sources:
        raise ModellingError("no candidate source is left")
    return sources


class CandidateGenerator:
    """All sources, ready for one snapshot.

    two_tower : the retrieval model, prepared for the snapshot
    without : sources to leave out, for ablation

    Raises ModellingError for a source that does not exist, or when none is left.
    """

    def __init__(self, snapshot: Snapshot, two_tower: Scorer, without: Sequence[str] = ()) -> None:
        self.sources = sources_without(without)
        self.n_articles = snapshot.n_articles
        others: Sequence[Recommender] = (
            Repurchase(),
            CoPurchase(),
            NewArrivals(),
            SegmentPopularity(),
            Popularity(),
        )
        prepared = {
            other.name: other.prepare(snapshot) for other in others if other.name in self.sources
        }
        self._scorers: Mapping[str, Scorer] = {**prepared, "two_tower": two_tower}

    def candidates(self, customers: NDArray[np.int32]) -> Candidates:
        """The candidates of these customers; those of one do not depend on the others."""
        keys, values = [], []
        for name in self.sources:
            found = self._scorers[name].top(customers, CANDIDATES_EACH[name])
            own = (found.articles >= 0) & (found.sources == SOURCES.index(name))
            row, place = np.nonzero(own)
            keys.append(row * self.n_articles + found.articles[row, place])
            values.append(found.scores[row, place])
        # Sorting whole numbers is several times as fast as numpy's unique.
        pairs = np.sort(np.concatenate(keys))
        pairs = pairs[np.diff(pairs, prepend=-1) > 0]
        scores = np.full((len(pairs), len(self.sources)), np.nan, dtype=np.float32)
        for column, (key, value) in enumerate(zip(keys, values, strict=True)):
            scores[np.searchsorted(pairs, key), column] = value
        row, article = np.divmod(pairs, self.n_articles)
        return Candidates(self.sources, row, article.astype(np.int32), scores)


@dataclass(frozen=True)
class CandidateRecall:
    """How much of what customers bought was among their candidates.

    recall : mean over customers of the share of what they bought
    only : the part of it that no other source has
    candidates : mean number a customer
    """

    recall: float
    only: float
    candidates: float


class RecallCounter:
    """Counts recall by source over blocks of customers.

    ``union`` in the result stands for all sources together.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        self._sources = sources
        self._sums = np.zeros((len(sources) + 1, 3))
        self._customers = 0

    def add(self, candidates: Candidates, wanted: NDArray[np.bool_], bought: NDArray) -> None:
        """Take a block.

        wanted : shape (pairs,), which candidates were bought
        bought : shape (n,), how many articles each customer of the block bought, 1 or more
        """
        proposed = ~np.isnan(candidates.scores)
        share = wanted / bought[candidates.row]
        alone = proposed.sum(axis=1) == 1
        for column in range(len(self._sources)):
            mine = proposed[:, column]
            self._sums[column] += share[mine].sum(), share[mine & alone].sum(), mine.sum()
        self._sums[-1] += share.sum(), share.sum(), len(share)
        self._customers += len(bought)

    def result(self) -> dict[str, CandidateRecall]:
        means = self._sums / max(self._customers, 1)
        return {
            name: CandidateRecall(*map(float, values))
            for name, values in zip((*self._sources, "union"), means, strict=True)
        }


def bought_among(
    candidates: Candidates, bought: Purchased, rows: NDArray[np.integer]
) -> NDArray[np.bool_]:
    """Which candidates were bought; shape (pairs,).

    rows : int, shape (n,), where the customers of the candidates are in ``bought.customers``
    """
    owner, entry = gather_rows(bought.offsets, rows)
    base = 1 + max(int(candidates.articles.max(initial=0)), int(bought.articles.max(initial=0)))
    return np.isin(
        candidates.row * base + candidates.articles, owner * base + bought.articles[entry]
    )
