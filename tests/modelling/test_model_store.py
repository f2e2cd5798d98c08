"""A stored model comes back as it was, or not at all."""

from __future__ import annotations

import json
from copy import copy
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from hm_platform.features.encoders import SCALERS, VOCABULARIES, Encoders, Scaler
from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.metrics import K
from hm_platform.modelling.model_store import (
    RANKER_CURVES,
    Training,
    load_models,
    read_curves,
    read_encoders,
    read_manifest,
    save_model,
)
from hm_platform.modelling.parameters import TrainingParams
from hm_platform.modelling.ranker.training import train_ranker
from hm_platform.modelling.training import TrainingInputs, train
from tests.modelling.networks import everybody
from tests.modelling.ranker.shops import QUICK, labelled
from tests.modelling.stored import changed
from tests.modelling.worlds import described_world

WORLD = described_world(1)
ENCODERS = Encoders(
    dict.fromkeys(VOCABULARIES, ("a", "ö")), dict.fromkeys(SCALERS, Scaler(1.5, 2.0))
)
FACTS = {
    "week": date(2020, 3, 4),
    "code_version": "1.2.3",
    "data": {"train": "abc"},
    "validation": {
        name: dict.fromkeys(("recall", "ndcg", "hit_rate", "coverage"), 0.5)
        | {"map": value, "customers": 12.0}
        for name, value in (("ranker", 0.75), ("two_tower", 0.25), ("popularity", 0.5))
    },
    "chosen": "popularity",
}
FILES = (
    "articles.parquet",
    "curves.csv",
    "customers.parquet",
    "encoders.json",
    "model_card.md",
    "weights.safetensors",
)
RANKER_FILES = ("ranker.safetensors", "ranker_curves.csv")


@pytest.fixture(scope="module")
def training(tmp_path_factory) -> Training:
    params = TrainingParams(
        dimension=8, hidden=16, history_length=20, batch_size=16, negatives=8, epochs=2
    )
    inputs = TrainingInputs(WORLD.snapshot(), WORLD.train, WORLD.validation)
    folder = tmp_path_factory.mktemp("training")
    retrieval = train(inputs, params, folder, seed=7)
    ranker = train_ranker(
        retrieval.recommender,
        [labelled(WORLD, snapshot) for snapshot in WORLD.past(1)],
        labelled(WORLD, WORLD.snapshot()),
        replace(QUICK, without_sources=("popularity",), without_groups=("price",)),
        folder,
        seed=7,
    )
    return Training(retrieval, ranker)


@pytest.fixture
def folder(training, tmp_path) -> Path:
    save_model(tmp_path / "model", training, ENCODERS, **FACTS)
    return tmp_path / "model"


@pytest.fixture
def without_ranker(training, tmp_path) -> Path:
    alone = Training(training.retrieval, None, "there were 3 lists")
    save_model(tmp_path / "alone", alone, ENCODERS, **FACTS)
    return tmp_path / "alone"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_loaded_models_recommend_the_same_byte_for_byte(training, folder):
    ranker, retrieval = load_models(folder)
    assert (ranker.name, retrieval.name) == ("ranker", "two_tower")
    originals = (training.ranker.recommender, training.retrieval.recommender)
    for loaded, original in zip((ranker, retrieval), originals, strict=True):
        expected = original.prepare(WORLD.snapshot()).top(everybody(WORLD), K)
        found = loaded.prepare(WORLD.snapshot()).top(everybody(WORLD), K)
        for name in ("articles", "scores", "sources"):
            assert getattr(found, name).tobytes() == getattr(expected, name).tobytes()


def test_what_was_left_out_stays_left_out(training, folder):
    ranker = load_models(folder)[0]
    assert ranker.without_sources == ("popularity",)
    assert ranker.features == training.ranker.recommender.features
    assert "price" not in ranker.features
    sources = ranker.prepare(WORLD.snapshot()).generator.sources
    assert "popularity" not in sources


def test_the_discount_is_kept_and_a_model_of_before_there_was_one_has_none(training, tmp_path):
    discounted = copy(training.ranker.recommender)
    discounted.popularity_discount = 0.25
    ranked = replace(training, ranker=replace(training.ranker, recommender=discounted))
    save_model(tmp_path / "model", ranked, ENCODERS, **FACTS)
    assert load_models(tmp_path / "model")[0].popularity_discount == 0.25

    def forget(content):
        del content["ranker"]["popularity_discount"]

    changed(tmp_path / "model", forget)
    assert load_models(tmp_path / "model")[0].popularity_discount == 0


def test_without_a_ranker_there_is_the_retrieval_model_alone_and_the_reason(without_ranker):
    assert [model.name for model in load_models(without_ranker)] == ["two_tower"]
    assert read_manifest(without_ranker).ranker == {"reason": "there were 3 lists"}
    assert set(contents(without_ranker)) == {*FILES, "manifest.json"}
    assert read_curves(without_ranker, RANKER_CURVES) == []


def test_everything_said_of_the_ranker_is_kept(training, folder):
    about, trained = read_manifest(folder).ranker, training.ranker
    assert about["parameters"] == json.loads(json.dumps(asdict(trained.params)))
    assert about["parameters"]["without_groups"] == ["price"]
    assert about["features"] == list(trained.recommender.features)
    assert about["lists"] == trained.lists
    assert about["recall"]["union"] == asdict(trained.recall["union"])
    assert about["importance"] == trained.importance
    assert read_curves(folder, RANKER_CURVES) == trained.curves.to_pylist()
    assert about["epochs"] == 2 + 1


def test_a_pair_feature_that_this_version_lacks_is_named(training, tmp_path):
    trained = training.ranker
    recommender = trained.recommender
    features = ("moon_phase", *recommender.features[1:])
    other = type(recommender)(
        recommender.two_tower, recommender.network, features, recommender.levels
    )
    changed = Training(training.retrieval, replace(trained, recommender=other))
    save_model(tmp_path / "model", changed, ENCODERS, **FACTS)
    with pytest.raises(ModellingError, match="no pair feature moon_phase"):
        load_models(tmp_path / "model")[0].prepare(WORLD.snapshot())


def test_a_ranker_of_another_shape_is_refused(training, tmp_path):
    trained = training.ranker
    changed = Training(
        training.retrieval, replace(trained, params=replace(trained.params, hidden=17))
    )
    save_model(tmp_path / "model", changed, ENCODERS, **FACTS)
    with pytest.raises(ModellingError, match="does not fit this version"):
        load_models(tmp_path / "model")


def test_everything_said_of_it_is_kept(training, folder):
    model = training.retrieval
    manifest = read_manifest(folder)
    for name in ("code_version", "data", "validation", "chosen"):
        assert getattr(manifest, name) == FACTS[name]
    assert manifest.week == "2020-03-04"
    assert manifest.seed == 7
    assert manifest.parameters["dimension"] == 8
    assert manifest.network["customer_sizes"] == {"age_band_code": 4, "segment_code": 3}
    assert manifest.best_epoch == model.best_epoch
    assert read_encoders(folder) == ENCODERS
    curves = read_curves(folder)
    assert [row["epoch"] for row in curves] == [1, 2]
    assert curves == model.curves.to_pylist()


def test_saving_twice_gives_the_same_bytes_and_version(training, folder, tmp_path):
    again = save_model(tmp_path / "elsewhere" / "m", training, ENCODERS, **FACTS)
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
def test_another_fact_makes_another_version(training, folder, tmp_path, name, value):
    other = save_model(tmp_path / "other", training, ENCODERS, **{**FACTS, name: value})
    assert other.version != read_manifest(folder).version


def test_saving_replaces_what_was_there_and_leaves_nothing_beside(training, folder):
    (folder / "stray.txt").write_text("x")
    save_model(folder, training, ENCODERS, **FACTS)
    assert set(contents(folder)) == {*FILES, *RANKER_FILES, "manifest.json"}
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_a_failed_save_leaves_the_model_that_was_there(training, folder):
    before = contents(folder)
    broken = {"ranker": {**FACTS["validation"]["ranker"], "map": np.nan}}
    with pytest.raises(ValueError, match="JSON"):
        save_model(folder, training, ENCODERS, **{**FACTS, "validation": broken})
    assert contents(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_no_model_is_an_error(tmp_path):
    with pytest.raises(ModellingError, match="no model in"):
        load_models(tmp_path / "nothing")


@pytest.mark.parametrize("name", [*FILES, *RANKER_FILES])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModellingError, match=f"lacks {name}"):
        load_models(folder)


@pytest.mark.parametrize("name", [*FILES, *RANKER_FILES])
def test_a_changed_file_is_named(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(bytes(content))
    with pytest.raises(ModellingError, match=name):
        load_models(folder)


def test_a_file_that_does_not_belong_is_refused(folder):
    (folder / "weights.pkl").write_bytes(b"cos\nsystem\n")
    with pytest.raises(ModellingError, match=r"weights\.pkl"):
        load_models(folder)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": 1}', '{"format": 99}'])
def test_a_manifest_that_is_none_is_refused(folder, content):
    (folder / "manifest.json").write_text(content)
    with pytest.raises(ModellingError, match=r"manifest\.json"):
        load_models(folder)
