"""From a stored model and a week to what the report is made from."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from hm_platform.behaviour.inputs import Sources
from hm_platform.behaviour.week import candidate_sources, score_all
from hm_platform.features.encoders import SCALERS, VOCABULARIES, Encoders, Scaler
from hm_platform.modelling.baselines.popularity import Popularity
from hm_platform.modelling.baselines.repurchase import Repurchase
from hm_platform.modelling.candidates import CandidateRecall
from hm_platform.modelling.model_store import Training, save_model
from hm_platform.modelling.parameters import RankingParams, TrainingParams
from hm_platform.modelling.pipeline import OpenModel, bought_in, open_model
from hm_platform.modelling.ranker.inputs import feature_groups
from hm_platform.modelling.ranker.network import RankingNetwork
from hm_platform.modelling.ranker.recommender import RankerRecommender
from hm_platform.modelling.ranker.scaling import LEVELS
from hm_platform.modelling.ranker.training import TrainedRanker
from hm_platform.modelling.training import TrainedModel
from tests.modelling.networks import HISTORY, recommender_for
from tests.modelling.worlds import random_world

WORLD = random_world(1)
RECALL = {
    "repurchase": CandidateRecall(0.25, 0.125, 40.5),
    "union": CandidateRecall(0.5, 0.5, 90.0),
}
ENCODERS = Encoders(dict.fromkeys(VOCABULARIES, ("a",)), dict.fromkeys(SCALERS, Scaler(0.0, 1.0)))


def stored(folder: Path, with_ranker: bool) -> OpenModel:
    """A model whose weights are random, stored and opened again."""
    retrieval = recommender_for(WORLD)
    names = tuple(feature_groups())
    ranker = RankerRecommender(
        retrieval,
        RankingNetwork(len(names), 8).eval(),
        names,
        np.zeros((len(names), LEVELS), dtype=np.float32),
        (),
    )
    log = {"epoch": [1, 2], "train_loss": [3.0, 2.0], "validation_map": [0.25, 0.5]}
    params = TrainingParams(history_length=HISTORY)
    shorter = pa.table({name: values[:1] for name, values in log.items()})
    save_model(
        folder,
        Training(
            TrainedModel(retrieval, params, 0, pa.table(log), 2, {}),
            TrainedRanker(ranker, RankingParams(hidden=8), 7, shorter, 1, RECALL, {"kind": 0.125})
            if with_ranker
            else None,
            "" if with_ranker else "there are two customers",
        ),
        ENCODERS,
        week=date(2020, 3, 4),
        code_version="1.2.3",
        data={},
        validation={},
        chosen="two_tower",
    )
    return open_model(folder)


def test_a_model_of_two_stages_tells_of_both(tmp_path: Path) -> None:
    model = stored(tmp_path / "model", with_ranker=True)
    assert [m.name for m in model.models] == ["ranker", "two_tower"]
    assert model.retrieval() is model.models[1]
    assert {name: len(epochs) for name, epochs in model.training.items()} == {
        "two_tower": 2,
        "ranker": 1,
    }
    assert model.training["ranker"][0] == {"epoch": 1, "train_loss": 3.0, "validation_map": 0.25}
    assert candidate_sources(model.manifest) == Sources(RECALL, {"kind": 0.125})


def test_a_model_without_a_ranker_says_why(tmp_path: Path) -> None:
    model = stored(tmp_path / "model", with_ranker=False)
    assert model.retrieval() is model.models[0]
    assert len(model.training["two_tower"]) == 2
    assert not model.training["ranker"]
    assert candidate_sources(model.manifest) == Sources(no_ranker="there are two customers")


@pytest.mark.parametrize("models", [0, 1, 2])
def test_only_what_is_no_model_is_a_baseline(models: int) -> None:
    both = [Repurchase(), Popularity()]
    scored = score_all(
        both[:models], both[models:], WORLD.snapshot(), bought_in(WORLD.validation), k=5
    )
    assert [(r.name, r.is_baseline) for r in scored] == [
        ("repurchase", models < 1),
        ("popularity", models < 2),
    ]
