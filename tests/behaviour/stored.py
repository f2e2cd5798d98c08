"""A model of random weights, stored and opened again."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from hm_platform.features.encoders import SCALERS, VOCABULARIES, Encoders, Scaler
from hm_platform.modelling.candidates import CandidateRecall
from hm_platform.modelling.model_card import METRICS
from hm_platform.modelling.model_store import Training, save_model
from hm_platform.modelling.parameters import RankingParams, TrainingParams
from hm_platform.modelling.pipeline import OpenModel, open_model
from hm_platform.modelling.ranker.inputs import feature_groups
from hm_platform.modelling.ranker.network import RankingNetwork
from hm_platform.modelling.ranker.recommender import RankerRecommender
from hm_platform.modelling.ranker.scaling import LEVELS
from hm_platform.modelling.ranker.training import TrainedRanker
from hm_platform.modelling.training import TrainedModel
from tests.modelling.networks import HISTORY, recommender_for
from tests.modelling.worlds import described_world

WORLD = described_world(1)
RECALL = {
    "repurchase": CandidateRecall(0.25, 0.125, 40.5),
    "union": CandidateRecall(0.5, 0.5, 90.0),
}
ENCODERS = Encoders(dict.fromkeys(VOCABULARIES, ("a",)), dict.fromkeys(SCALERS, Scaler(0.0, 1.0)))

DATA = {"train": "aa", "validation": "bb"}
SCORES = {
    "two_tower": {**dict.fromkeys(METRICS, 0.25), "customers": 9.0},
    "popularity": {**dict.fromkeys(METRICS, 0.125), "customers": 9.0},
}


def stored(folder: Path, with_ranker: bool) -> OpenModel:
    """The model in ``folder``: the two-tower stage, and a ranker where one is asked for."""
    retrieval = recommender_for(WORLD)
    names = tuple(feature_groups())
    ranker = RankerRecommender(
        retrieval,
        RankingNetwork(len(names), 8).eval(),
        names,
        np.zeros((len(names), LEVELS), dtype=np.float32),
    )
    log = {"epoch": [1, 2], "train_loss": [3.0, 2.0], "validation_map": [0.25, 0.5]}
    params = TrainingParams(history_length=HISTORY)
    # The ranker is not validated to the end.
    ranked = pa.table({**log, "validation_map": [0.25, None]})
    save_model(
        folder,
        Training(
            TrainedModel(retrieval, params, 0, pa.table(log), 2, {}),
            TrainedRanker(
                ranker, ranker, RankingParams(hidden=8), 7, 2, ranked, RECALL, {"kind": 0.125}
            )
            if with_ranker
            else None,
            "" if with_ranker else "there are two customers",
        ),
        ENCODERS,
        week=date(2020, 3, 4),
        code_version="1.2.3",
        data=DATA,
        validation=SCORES,
        chosen="two_tower",
    )
    return open_model(folder)
