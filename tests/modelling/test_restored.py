"""A stored model recommends on snapshots in other codes as it does on those in its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hm_platform.errors import PlatformError
from hm_platform.features.encoders import SCALERS, VOCABULARIES, Encoders, Scaler
from hm_platform.features.recoding import recoded
from hm_platform.modelling.fallback import WithFallback
from hm_platform.modelling.pipeline import OpenModel, open_model
from hm_platform.modelling.recommenders import Scorer
from hm_platform.modelling.restored import is_baseline, open_baseline, open_stored
from hm_platform.modelling.selection import baselines
from tests.modelling.networks import everybody
from tests.modelling.stored import FAULTS
from tests.modelling.weeks import ENCODERS, trained_week
from tests.modelling.worlds import described_world

WORLD = described_world(1, customers=60)
OTHERS = Encoders(
    {name: ENCODERS.vocabularies[name][::-1] for name in VOCABULARIES},
    dict.fromkeys(SCALERS, Scaler(3.0, 0.5)),
)


def in_whole_ages_and_prices(snapshot):
    """A snapshot whose scaled features come of ages and prices, as the pipeline's do."""
    rng = np.random.default_rng(0)
    price = rng.uniform(1, 50, snapshot.n_articles).astype(np.float32)
    age = rng.integers(16, 90, snapshot.n_customers).astype(np.float32)
    age[snapshot.customers["age_band_code"] == 0] = np.nan
    return replace(
        snapshot,
        articles={
            **snapshot.articles,
            "mean_price": price,
            "price_scaled": ENCODERS.scaled_prices(price),
        },
        customers={**snapshot.customers, "age_scaled": ENCODERS.scaled_ages(age)},
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("restored")


@pytest.fixture(scope="module")
def model(folder: Path) -> OpenModel:
    return trained_week(WORLD, folder)


def lists(scorer: Scorer) -> tuple[bytes, ...]:
    found = scorer.top(everybody(WORLD), 12)
    return found.articles.tobytes(), found.scores.tobytes(), found.sources.tobytes()


@pytest.mark.parametrize("name", ["ranker", "two_tower"])
def test_the_lists_are_those_of_the_models_own_codes(
    model: OpenModel, folder: Path, name: str
) -> None:
    own = in_whole_ages_and_prices(WORLD.snapshot())
    other = recoded(own, ENCODERS, OTHERS)
    assert (other.articles["department_code"] != own.articles["department_code"]).any()
    (trained,) = [each for each in model.models if each.name == name]
    restored = open_stored(folder / "model", name).reading(OTHERS, "last_published")
    assert restored.name == "last_published"
    assert restored.needs_history == trained.needs_history
    assert lists(restored.prepare(other)) == lists(trained.prepare(own))
    assert lists(restored.prepare(other)) != lists(trained.prepare(other))
    assert lists(WithFallback(restored).prepare(other)) == lists(WithFallback(trained).prepare(own))


def test_on_snapshots_in_its_own_codes_nothing_is_translated(
    model: OpenModel, folder: Path
) -> None:
    restored = open_stored(folder / "model", "ranker").reading(ENCODERS)
    # These have no mean price: a translation would fail.
    snapshot = WORLD.snapshot()
    assert restored.name == "ranker"
    assert lists(restored.prepare(snapshot)) == lists(model.models[0].prepare(snapshot))


@pytest.mark.parametrize("baseline", baselines(), ids=lambda baseline: baseline.name)
def test_a_baseline_needs_no_model_and_reads_the_codes_as_they_are(baseline) -> None:
    assert is_baseline(baseline.name)
    snapshot = WORLD.snapshot()
    restored = open_baseline(baseline.name).reading(OTHERS, "last_published")
    assert restored.name == "last_published"
    assert lists(restored.prepare(snapshot)) == lists(baseline.prepare(snapshot))


def test_a_stage_of_a_model_is_no_baseline() -> None:
    assert not is_baseline("ranker")
    with pytest.raises(PlatformError, match="no recommender 'ranker'"):
        open_baseline("ranker")


@pytest.mark.parametrize(
    ("fault", "says"),
    [(fault, says) for fault, says in FAULTS.items() if fault.__name__ != "remove"],
    ids=lambda given: getattr(given, "__name__", None),
)
def test_a_folder_that_is_not_whole_or_of_another_version_is_refused_when_it_is_opened(
    model: OpenModel, folder: Path, tmp_path: Path, fault: Callable[[Path], None], says: str
) -> None:
    copy = tmp_path / "model"
    shutil.copytree(folder / "model", copy)
    fault(copy)
    with pytest.raises(PlatformError, match=says):
        open_stored(copy, "ranker")


def test_a_recommender_that_the_model_does_not_have_is_refused(
    model: OpenModel, folder: Path
) -> None:
    with pytest.raises(PlatformError, match="no recommender 'oracle'"):
        open_stored(folder / "model", "oracle")
    assert open_model(folder / "model").manifest.version == model.manifest.version
