"""Both stages as a recommender: candidates, ranked by the trained network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.candidates import CandidateGenerator
from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.ranker.discount import log_sales
from hm_platform.modelling.ranker.inputs import PairFeatures
from hm_platform.modelling.ranker.network import RankingNetwork, score_pairs
from hm_platform.modelling.ranker.scaling import scale
from hm_platform.modelling.ranking import best, in_blocks
from hm_platform.modelling.recommenders import Recommendations, popularity_rank
from hm_platform.modelling.two_tower import TwoTowerRecommender

BLOCK = 1024


@dataclass(frozen=True)
class RankerScorer:
    """The ranker at one cut-off."""

    generator: CandidateGenerator
    pair_features: PairFeatures
    columns: NDArray[np.int64]
    levels: NDArray[np.float32]
    network: RankingNetwork
    discount: NDArray[np.float32]
    rank: NDArray[np.int32]

    def top(self, customers: NDArray[np.int32], k: int) -> Recommendations:
        return in_blocks(customers, k, BLOCK, lambda block: self._top(block, k))

    def _top(self, customers: NDArray[np.int32], k: int) -> Recommendations:
        found = self.generator.candidates(customers)
        features = self.pair_features.matrix(customers, found).T[self.columns].T
        scores = score_pairs(self.network, scale(features, self.levels))
        return best(
            found.row,
            found.articles,
            scores - self.discount[found.articles],
            self.rank[found.articles],
            len(customers),
            k,
            found.first_source(),
        )


class RankerRecommender:
    """The candidates of all sources, in the order of a network trained on past weeks.

    Equal scores go to the more popular article. It answers for customers without a history too:
    their candidates are best sellers and what the retrieval model makes of their attributes.

    two_tower : the retrieval model, a source of candidates and of features
    network : in evaluation mode
    features : the pair features that the network reads, in their order
    levels : float32, shape (features, LEVELS), their quantiles (see ``scaling``)
    popularity_discount : what the logarithm of an article's sales takes off its score (see
        ``discount``)
    without_sources : candidate sources that are left out
    """

    name = "ranker"
    needs_history = False

    def __init__(
        self,
        two_tower: TwoTowerRecommender,
        network: RankingNetwork,
        features: Sequence[str],
        levels: NDArray[np.float32],
        *,
        popularity_discount: float = 0.0,
        without_sources: Sequence[str] = (),
    ) -> None:
        self.two_tower = two_tower
        self.network = network
        self.features = tuple(features)
        self.levels = levels
        self.popularity_discount = popularity_discount
        self.without_sources = tuple(without_sources)

    def prepare(self, snapshot: Snapshot) -> RankerScorer:
        """Prepare every source once.

        Raises ModellingError when the network reads a feature that this version does not have.
        """
        retrieval = self.two_tower.prepare(snapshot)
        pair_features = PairFeatures(snapshot, retrieval)
        if missing := sorted(set(self.features) - set(pair_features.names)):
            raise ModellingError(f"this version has no pair feature {', '.join(missing)}")
        return RankerScorer(
            CandidateGenerator(snapshot, retrieval, self.without_sources),
            pair_features,
            np.array([pair_features.names.index(name) for name in self.features]),
            self.levels,
            self.network,
            self.popularity_discount * log_sales(snapshot),
            popularity_rank(snapshot),
        )
