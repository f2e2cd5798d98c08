"""A stored model comes back as it was, or not at all."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from hm_platform.features.encoders import SCALERS, VOCABULARIES, Encoders, Scaler
from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.model_store import (
    FILES,
    load_model,
    read_curves,
    read_encoders,
    read_manifest,
    save_model,
)
from hm_platform.modelling.parameters import TrainingParams
from hm_platform.modelling.training import TrainedModel, TrainingInputs, train
from tests.modelling.worlds import random_world

WORLD = random_world(1)
ENCODERS = Encoders(
    dict.fromkeys(VOCABULARIES, ("a", "ö")), dict.fromkeys(SCALERS, Scaler(1.5, 2.0))
)
FACTS = {
    "week": date(2020, 3, 4),
    "code_version": "1.2.3",
    "data": {"train": "abc"},
    "validation": {"two_tower": {"map": 0.25}, "popularity": {"map": 0.5}},
    "chosen": "popularity",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> TrainedModel:
    params = TrainingParams(
        dimension=8, hidden=16, history_length=20, batch_size=16, negatives=8, epochs=2
    )
    inputs = TrainingInputs(WORLD.snapshot(), WORLD.train, WORLD.validation)
    return train(inputs, params, tmp_path_factory.mktemp("training"), seed=7)


@pytest.fixture
def folder(model, tmp_path) -> Path:
    save_model(tmp_path / "model", model, ENCODERS, **FACTS)
    return tmp_path / "model"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_loaded_model_recommends_the_same(model, folder):
    loaded = load_model(folder)
    customers = np.arange(30, dtype=np.int32)
    expected = model.recommender.prepare(WORLD.snapshot()).top(customers, 12)
    found = loaded.prepare(WORLD.snapshot()).top(customers, 12)
    for name in ("articles", "scores", "sources"):
        assert (getattr(found, name) == getattr(expected, name)).all()


def test_everything_said_of_it_is_kept(model, folder):
    manifest = read_manifest(folder)
    for name in ("code_version", "data", "validation", "chosen"):
        assert getattr(manifest, name) == FACTS[name]
    assert manifest.week == "2020-03-04"
    assert manifest.seed == 7
    assert manifest.parameters["dimension"] == 8
    assert manifest.network["article_sizes"] == {"department_code": 6, "section_code": 4}
    assert manifest.best_epoch == model.best_epoch
    assert read_encoders(folder) == ENCODERS
    curves = read_curves(folder)
    assert [row["epoch"] for row in curves] == [1, 2]
    assert curves == model.curves.to_pylist()


def test_saving_twice_gives_the_same_bytes_and_version(model, folder, tmp_path):
    again = save_model(tmp_path / "elsewhere" / "m", model, ENCODERS, **FACTS)
    assert contents(tmp_path / "elsewhere" / "m") == contents(folder)
    assert again == read_manifest(folder)
    assert again.version.startswith("2020-03-04-")
    assert len(again.version) == len("2020-03-04-") + 10


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data", {"train": "abd"}),
        ("chosen", "two_tower"),
        ("code_version", "1.2.4"),
        ("week", date(2020, 3, 11)),
    ],
)
def test_another_fact_makes_another_version(model, folder, tmp_path, name, value):
    other = save_model(tmp_path / "other", model, ENCODERS, **{**FACTS, name: value})
    assert other.version != read_manifest(folder).version


def test_saving_replaces_what_was_there_and_leaves_nothing_beside(model, folder):
    (folder / "stray.txt").write_text("x")
    save_model(folder, model, ENCODERS, **FACTS)
    assert set(contents(folder)) == {*FILES, "manifest.json"}
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_a_failed_save_leaves_the_model_that_was_there(model, folder):
    before = contents(folder)
    with pytest.raises(ValueError, match="JSON"):
        save_model(folder, model, ENCODERS, **{**FACTS, "validation": {"x": {"map": np.nan}}})
    assert contents(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_no_model_is_an_error(tmp_path):
    with pytest.raises(ModellingError, match="no model in"):
        load_model(tmp_path / "nothing")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModellingError, match=f"lacks {name}"):
        load_model(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_named(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(bytes(content))
    with pytest.raises(ModellingError, match=name):
        load_model(folder)


def test_a_file_that_does_not_belong_is_refused(folder):
    (folder / "weights.pkl").write_bytes(b"cos\nsystem\n")
    with pytest.raises(ModellingError, match=r"weights\.pkl"):
        load_model(folder)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": 1}', '{"format": 99}'])
def test_a_manifest_that_is_none_is_refused(folder, content):
    (folder / "manifest.json").write_text(content)
    with pytest.raises(ModellingError, match=r"manifest\.json"):
        load_model(folder)
