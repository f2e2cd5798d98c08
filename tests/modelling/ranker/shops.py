"""A made-up shop with a rule to learn, and rankers that are trained on it quickly."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np

from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.metrics import Purchased
from hm_platform.modelling.parameters import RankingParams
from hm_platform.modelling.pipeline import bought_in
from hm_platform.modelling.ranker.lists import LabelledWeek
from hm_platform.modelling.ranker.training import TrainedRanker, train_ranker
from tests.modelling.networks import recommender_for
from tests.modelling.worlds import World, day, described_world

QUICK = RankingParams(hidden=16, fewest_lists=5, batch_size=16, epochs=2, fewest_steps=1)


def due_world(seed: int = 0, customers: int = 50, articles: int = 40, weeks: int = 20) -> World:
    """Every customer buys eight articles again and again, each exactly when it is due."""
    world = described_world(seed, customers, articles, weeks=1)
    rng = np.random.default_rng(seed)
    world.purchases = []
    for customer in range(customers):
        for article in rng.choice(articles, 8, replace=False):
            period = int(rng.choice([14, 21, 28, 35]))
            first = int(rng.integers(-6, period - 6))
            world.purchases += [
                (day(before), customer, int(article)) for before in range(first, weeks * 7, period)
            ]
    return world


def bought_after(world: World, snapshot: Snapshot) -> Purchased:
    """What was bought in the week that begins with the snapshot's cut-off."""
    return bought_in(world.split(snapshot.cutoff, snapshot.cutoff + timedelta(days=7)))


def labelled(world: World, snapshot: Snapshot) -> LabelledWeek:
    return LabelledWeek(snapshot, bought_after(world, snapshot))


def train_on(
    world: World,
    folder: Path,
    params: RankingParams = QUICK,
    *,
    seed: int = 0,
    weeks: int = 2,
    **options,
) -> TrainedRanker:
    """A ranker of what a retrieval model with random weights and the baselines propose."""
    return train_ranker(
        recommender_for(world),
        [labelled(world, snapshot) for snapshot in world.past(weeks)],
        labelled(world, world.snapshot()),
        params,
        folder,
        seed,
        **options,
    )
