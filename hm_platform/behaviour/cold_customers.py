"""How good the lists would be for the test week's buyers if they were new.

In one test week few customers buy for the first time, often too few to measure anything by. Here
the past of the others is hidden.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.baselines.popularity import Popularity, SegmentPopularity
from hm_platform.modelling.fallback import WithFallback
from hm_platform.modelling.metrics import K, Purchased, measure
from hm_platform.modelling.recommenders import Recommender, eligible_articles

FOLDS = 4
"""With half of the buyers hidden at a time, the best sellers of segments lose too much of what they
are made from; on the sample, more folds than these change nothing."""
REFERENCE = SegmentPopularity.name
"""What a shop can do for a new customer without a model."""


@dataclass(frozen=True)
class AsIfNew:
    """What the buyers with a history would have been served without it.

    customers : int32, shape (n,), indices, in the order of the test customers; there may be none
    average_precision : recommender -> float64, shape (n,), over the first k articles
    """

    customers: NDArray[np.int32]
    k: int = K
    average_precision: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


def compared(models: Sequence[Recommender], published: Recommender) -> list[Recommender]:
    """Who is measured, each once: models and what is published, as they serve; best sellers."""
    served = {recommender.name: WithFallback(recommender) for recommender in (*models, published)}
    best_sellers = (SegmentPopularity(), Popularity())
    return [*served.values(), *(r for r in best_sellers if r.name not in served)]


def as_if_new(
    recommenders: Sequence[Recommender], snapshot: Snapshot, bought: Purchased, k: int = K
) -> AsIfNew:
    """Ask recommenders for buyers whose past is hidden from them.

    Hidden is the past of one in FOLDS buyers at a time (:meth:`Snapshot.as_if_new`). Those who have
    no history anyway are left out.

    recommenders : asked as they are, so one that needs a history has to bring its fallback
    snapshot : what is known at the cut-off
    bought : the week after the cut-off
    """
    bought = bought.of(snapshot.histories.lengths()[bought.customers] > 0)
    n = len(bought.customers)
    found = {recommender.name: np.empty(n) for recommender in recommenders}
    for fold in range(min(FOLDS, n)):
        asked = np.arange(n) % FOLDS == fold
        part = bought.of(asked)
        known = snapshot.as_if_new(part.customers)
        eligible = eligible_articles(known)
        for recommender in recommenders:
            scored = measure(recommender.prepare(known), part, eligible, k)
            found[recommender.name][asked] = scored.per_customer.map
    return AsIfNew(bought.customers, k, found)
