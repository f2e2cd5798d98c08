"""Models that are broken in known ways, and the tests that must catch each.

The healthy one is trained like those that are published, on a shop where habits can be learnt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hm_platform.behaviour import week as scoring_week
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.fallback import WithFallback
from hm_platform.modelling.metrics import Purchased
from hm_platform.modelling.pipeline import OpenModel, WeekData, open_model, train_week
from hm_platform.modelling.recommenders import Recommendations, Recommender, Scorer
from tests.behaviour.weekly_shop import (
    AFTER,
    inputs_of,
    missed,
    shop,
    snapshot_of,
    verdict_of,
    week_of,
)
from tests.modelling.weeks import RANKING, RETRIEVAL, week_data
from tests.modelling.worlds import WEEK, World


@pytest.fixture(scope="module")
def world() -> World:
    return shop()


def trained(data: WeekData, folder: Path) -> OpenModel:
    train_week(
        data,
        replace(RETRIEVAL, epochs=4, batch_size=128),
        replace(RANKING, epochs=8, batch_size=32),
        0,
        folder,
        lambda line: None,
    )
    return open_model(folder)


@pytest.fixture(scope="module")
def healthy(world: World, tmp_path_factory: pytest.TempPathFactory) -> OpenModel:
    return trained(week_data(world, past=3), tmp_path_factory.mktemp("healthy") / "model")


@dataclass(frozen=True)
class Changed:
    """A recommender whose lists are changed by ``change`` (customers and their lists)."""

    inner: Recommender
    change: object
    name: str = "ranker"
    needs_history: bool = False

    def prepare(self, snapshot: Snapshot) -> Scorer:
        scorer, change = self.inner.prepare(snapshot), self.change

        class Top:
            def top(self, customers: NDArray[np.int32], k: int) -> Recommendations:
                return change(scorer, customers, k)

        return Top()


def serving(model: OpenModel, recommender: Recommender) -> OpenModel:
    """The model, publishing another recommender under the name of its own."""
    models = [recommender if m.name == model.manifest.chosen else m for m in model.models]
    return replace(model, models=models)


def test_a_healthy_model_passes_without_a_warning(world: World, healthy: OpenModel) -> None:
    assert healthy.manifest.chosen == "ranker"
    verdict = verdict_of(inputs_of(week_of(world), healthy))
    assert verdict.passed, [str(j) for j in verdict.blocking]
    assert not verdict.warnings, [str(j) for j in verdict.warnings]
    # It is not that nothing was measured.
    held = {j.test for j in verdict.judged if j.verdict == "passed"}
    assert {"baselines", "activity", "age", "stability", "sanity", "leakage"} <= held


def test_lists_that_are_shuffled_among_customers_do_not_pass(
    world: World, healthy: OpenModel
) -> None:
    def shuffled(scorer: Scorer, customers: NDArray[np.int32], k: int) -> Recommendations:
        return scorer.top((customers * 7 + 3) % world.customers, k)

    broken = serving(healthy, Changed(healthy.published(), shuffled, healthy.manifest.chosen))
    verdict = verdict_of(inputs_of(week_of(world), broken))
    assert "baselines" in missed(verdict)
    assert any(j.effect.name == "map against repurchase" for j in verdict.blocking)


def test_best_sellers_for_everybody_do_not_replace_a_better_model(
    world: World, healthy: OpenModel
) -> None:
    model = replace(healthy, manifest=replace(healthy.manifest, chosen="popularity"))
    champion = Changed(
        WithFallback(healthy.published()), lambda s, c, k: s.top(c, k), "last_published"
    )
    verdict = verdict_of(inputs_of(week_of(world), model, champion))
    assert "last_published" in missed(verdict)
    assert any(j.effect.name == "map against last_published" for j in verdict.blocking)


def test_a_model_that_is_as_good_as_the_last_one_replaces_it(
    world: World, healthy: OpenModel
) -> None:
    champion = Changed(
        WithFallback(healthy.published()), lambda s, c, k: s.top(c, k), "last_published"
    )
    verdict = verdict_of(inputs_of(week_of(world), healthy, champion))
    assert "last_published" in {j.test for j in verdict.judged if j.verdict == "passed"}
    assert verdict.passed


def test_a_model_that_was_trained_on_the_test_week_does_not_pass(
    world: World, tmp_path: Path
) -> None:
    data = replace(week_data(world, past=3), train=world.split(world.purchases[0][0], AFTER))
    verdict = verdict_of(inputs_of(week_of(world), trained(data, tmp_path / "model")))
    assert "leakage" in missed(verdict)
    named = {j.effect.name for j in verdict.blocking}
    assert "splits that are not those it was trained on" in named


def test_features_that_count_the_test_week_do_not_pass(world: World, healthy: OpenModel) -> None:
    late = replace(snapshot_of(world), articles=world.snapshot(AFTER).articles)
    verdict = verdict_of(inputs_of(week_of(world, late), healthy))
    assert "leakage" in missed(verdict)
    named = {j.effect.name for j in verdict.blocking}
    assert "articles whose features count other sales than were made" in named


def test_a_score_that_only_the_labels_explain_does_not_pass(
    world: World, healthy: OpenModel
) -> None:
    week = week_of(world)
    labels = dict(_labels(week.bought))

    def knowing(scorer: Scorer, customers: NDArray[np.int32], k: int) -> Recommendations:
        found = scorer.top(customers, k)
        for row, customer in enumerate(customers):
            known = labels.get(int(customer), [])[:1]
            rest = [a for a in found.articles[row] if a not in known]
            found.articles[row] = [*known, *rest][:k]
        return found

    broken = serving(healthy, Changed(healthy.published(), knowing, healthy.manifest.chosen))
    verdict = verdict_of(inputs_of(week, broken))
    assert missed(verdict) == ["leakage"]
    (sign,) = (j.effect.name for j in verdict.blocking)
    assert sign == "rise of MAP since validation, over a baseline's"


def test_a_model_that_forgets_one_customer_in_twenty_does_not_pass(
    world: World, healthy: OpenModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Forgetful(WithFallback):
        """Fills nobody's list up, and has none for some customers."""

        def prepare(self, snapshot: Snapshot) -> Scorer:
            def forgetting(scorer: Scorer, customers: NDArray[np.int32], k: int) -> Recommendations:
                found = scorer.top(customers, k)
                found.articles[customers % 20 == 0] = -1
                return found

            return Changed(WithFallback(self.recommender), forgetting).prepare(snapshot)

    monkeypatch.setattr(scoring_week, "WithFallback", Forgetful)
    verdict = verdict_of(inputs_of(week_of(world), healthy))
    (fault,) = (j for j in verdict.blocking if j.test == "sanity")
    assert fault.effect.name == "customers short served"
    assert fault.effect.value == sum(c % 20 == 0 for c in set(world_buyers(world)))


def test_lists_that_depend_on_who_else_is_asked_do_not_pass(
    world: World, healthy: OpenModel
) -> None:
    def batchwise(scorer: Scorer, customers: NDArray[np.int32], k: int) -> Recommendations:
        found = scorer.top(customers, k)
        found.articles[0] = found.articles[0][::-1]
        return found

    broken = serving(healthy, Changed(healthy.published(), batchwise, healthy.manifest.chosen))
    assert "stability" in missed(verdict_of(inputs_of(week_of(world), broken)))


def _labels(bought: Purchased) -> Mapping[int, list[int]]:
    parts = np.split(bought.articles, bought.offsets[1:-1])
    return {int(c): part.tolist() for c, part in zip(bought.customers, parts, strict=True)}


def world_buyers(world: World) -> list[int]:
    return world.split(WEEK, AFTER)["customer_index"].to_pylist()
