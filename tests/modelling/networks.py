"""Networks with random weights for small made-up shops."""

from __future__ import annotations

import numpy as np
import torch

from hm_platform.modelling.inputs import cardinalities
from hm_platform.modelling.network import NetworkShape, TwoTower
from hm_platform.modelling.two_tower import TwoTowerRecommender
from tests.modelling.worlds import World

HISTORY = 20


def network_for(world: World, seed: int = 0, **sizes) -> TwoTower:
    snapshot = world.snapshot()
    torch.manual_seed(seed)
    shape = NetworkShape(
        articles=snapshot.training_articles,
        customers=snapshot.training_customers,
        article_sizes=cardinalities(snapshot.articles),
        customer_sizes=cardinalities(snapshot.customers),
        customer_numbers=1,
        dimension=8,
        hidden=16,
        **sizes,
    )
    return TwoTower(shape).eval()


def recommender_for(world: World, seed: int = 0) -> TwoTowerRecommender:
    snapshot = world.snapshot()
    return TwoTowerRecommender(
        network_for(world, seed),
        snapshot.article_ids[: snapshot.training_articles],
        snapshot.customer_ids[: snapshot.training_customers],
        HISTORY,
    )


def everybody(world: World) -> np.ndarray:
    return np.arange(world.customers, dtype=np.int32)
