"""The recommenders that hm_platform is compared with, by name.

Nothing of the platform is used here, and nothing here by the platform. The libraries that some
need come with the extra ``bench-quality``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.peers.factors import Als, Bpr
from benchmarks.quality.peers.item_models import Ease, ItemKnn
from benchmarks.quality.peers.simple import Popularity, Repurchase, SegmentPopularity
from benchmarks.quality.peers.tifu_knn import TifuKnn
from benchmarks.quality.peers.two_stage.ranker import TwoStage
from benchmarks.quality.peers.up_cf import UpCf
from benchmarks.quality.protocol import History


class Peer(Protocol):
    """A recommender; its ``repr`` names its settings and with them its results."""

    def recommend(
        self, history: History, customers: NDArray[np.int32], k: int
    ) -> NDArray[np.int32]:
        """The k articles for each customer, best first, none twice; shape (customers, k).

        customers : indices, ascending, none twice
        """
        ...


PEERS: Mapping[str, Peer] = {
    "popularity-1-week": Popularity(7),
    "popularity-4-weeks": Popularity(28),
    "segment-popularity": SegmentPopularity(),
    "repurchase-frequency": Repurchase(math.inf),
    "repurchase-decayed": Repurchase(),
    "tifu-knn": TifuKnn(),
    "up-cf": UpCf(),
    "ease": Ease(),
    "ease-repurchase": Ease(repurchase=8.0),
    "item-knn": ItemKnn(),
    "item-knn-repurchase": ItemKnn(repurchase=32.0),
    "als": Als(),
    "bpr": Bpr(),
    "two-stage-lightgbm": TwoStage(),
}
"""By the name that tables and ``--peers`` use."""
