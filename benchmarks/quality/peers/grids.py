"""What ``--tune`` tries of each peer, its chosen settings among them.

Small on purpose: a few values around what the papers and others' runs on this data suggest. The
settings of ``tifu-knn``, ``repurchase-decayed``, ``ease-repurchase``, ``item-knn-repurchase`` and
``two-stage-lightgbm`` were chosen on the target weeks 2017-09-11 and 2017-09-25.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from benchmarks.quality.peers import PEERS, Peer
from benchmarks.quality.peers.factors import Als, Bpr
from benchmarks.quality.peers.item_models import Ease, ItemKnn
from benchmarks.quality.peers.simple import Repurchase
from benchmarks.quality.peers.tifu_knn import TifuKnn
from benchmarks.quality.peers.two_stage.ranker import TwoStage
from benchmarks.quality.peers.up_cf import UpCf

GRIDS: Mapping[str, Sequence[Peer]] = {
    "repurchase-decayed": [Repurchase(days) for days in (15.0, 30.0, 60.0, 120.0)],
    "tifu-knn": [
        TifuKnn(between=between, own=own) for between in (0.85, 0.7) for own in (0.3, 0.5, 0.7)
    ],
    "up-cf": [UpCf(locality=q, half_life=days) for q in (1.0, 3.0, 5.0) for days in (30.0, 60.0)],
    "ease": [Ease(penalty=penalty) for penalty in (300.0, 1000.0, 3000.0)],
    "ease-repurchase": [Ease(repurchase=weight) for weight in (2.0, 4.0, 8.0, 16.0)],
    "item-knn": [ItemKnn(neighbours=n) for n in (20, 50, 200)],
    "item-knn-repurchase": [ItemKnn(repurchase=weight) for weight in (8.0, 16.0, 32.0, 64.0)],
    "als": [Als(factors=n, alpha=alpha) for n in (64, 128) for alpha in (1.0, 10.0)],
    "bpr": [Bpr(learning_rate=rate) for rate in (0.01, 0.05)],
    "two-stage-lightgbm": [
        replace(TwoStage(), **changed)
        for changed in (
            {},
            {"leaves": 31, "trees": 200},
            {"trees": 200},
            {"learning_rate": 0.03},
            {"label_weeks": 8},
        )
    ],
}
"""By the name in PEERS; a peer that is not here has nothing to choose."""


def alternatives(name: str) -> Sequence[Peer]:
    """The settings to compare, the chosen ones first."""
    chosen = PEERS[name]
    return [chosen, *(peer for peer in GRIDS.get(name, ()) if peer != chosen)]
