"""A week's training on a made-up shop, as small as it can be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hm_platform.features.encoders import SCALERS, VOCABULARIES, Encoders, Scaler
from hm_platform.modelling.parameters import RankingParams, TrainingParams
from hm_platform.modelling.pipeline import OpenModel, WeekData, open_model, train_week
from tests.modelling.worlds import World

RETRIEVAL = TrainingParams(
    dimension=8, hidden=16, history_length=20, batch_size=32, negatives=8, epochs=2
)
RANKING = RankingParams(hidden=16, fewest_lists=10, batch_size=16, epochs=2, fewest_steps=1)
ENCODERS = Encoders(
    {name: tuple(f"{i}" for i in range(30)) for name in VOCABULARIES},
    dict.fromkeys(SCALERS, Scaler(1.5, 2.0)),
)


def week_data(world: World, past: int = 2) -> WeekData:
    return WeekData(world.snapshot(), world.past(past), world.train, world.validation, ENCODERS)


def trained_week(
    world: World,
    folder: Path,
    *,
    past: int = 2,
    said: list[str] | None = None,
    seed: int = 3,
    **ranking,
) -> OpenModel:
    """Train, store and open again.

    said : takes up the lines of progress
    ranking : parameters of the ranker
    """
    lines = [] if said is None else said
    params = replace(RANKING, **ranking)
    data = week_data(world, past)
    manifest = train_week(data, RETRIEVAL, params, seed, folder / "model", lines.append)
    opened = open_model(folder / "model")
    assert opened.manifest == manifest
    return opened
