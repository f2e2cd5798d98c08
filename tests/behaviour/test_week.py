"""From a stored model and a week to what the report is made from."""

from __future__ import annotations

from pathlib import Path

import pytest

from hm_platform.behaviour.inputs import Sources
from hm_platform.behaviour.week import candidate_sources, score_all
from hm_platform.modelling.baselines.popularity import Popularity
from hm_platform.modelling.baselines.repurchase import Repurchase
from hm_platform.modelling.pipeline import bought_in
from tests.behaviour.stored import RECALL, WORLD, stored


def test_a_model_of_two_stages_tells_of_both(tmp_path: Path) -> None:
    model = stored(tmp_path / "model", with_ranker=True)
    assert [m.name for m in model.models] == ["ranker", "two_tower"]
    assert model.retrieval() is model.models[1]
    assert {name: len(epochs) for name, epochs in model.training.items()} == {
        "two_tower": 2,
        "ranker": 2,
    }
    assert model.training["ranker"][1]["validation_map"] is None
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
