"""Which recommender is published."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.selection import baselines, choose_recommender, recommender_named


def scores(**maps: float) -> dict[str, dict[str, float]]:
    return {name: {"map": value} for name, value in maps.items()}


def test_the_best_on_the_validation_week_is_published():
    assert choose_recommender(scores(two_tower=0.1, repurchase=0.2, popularity=0.0)) == "repurchase"
    assert choose_recommender(scores(two_tower=0.3, repurchase=0.2)) == "two_tower"


def test_the_first_model_stays_where_the_others_lead_is_within_the_noise():
    found = scores(ranker=0.25, two_tower=0.5, repurchase=0.125)
    found["two_tower"]["map_noise"] = 0.25
    assert choose_recommender(found) == "ranker"
    found["two_tower"]["map_noise"] = 0.24
    assert choose_recommender(found) == "two_tower"


def test_a_baseline_that_is_ahead_is_published_whatever_the_noise():
    found = scores(ranker=0.2, two_tower=0.1, repurchase=0.21)
    found["repurchase"]["map_noise"] = 0.5
    assert choose_recommender(found) == "repurchase"


def test_ties_go_to_the_model_and_then_to_the_first_name():
    assert choose_recommender(scores(repurchase=0.2, two_tower=0.2)) == "two_tower"
    assert choose_recommender(scores(repurchase=0.2, co_purchase=0.2, two_tower=0)) == "co_purchase"


def test_ties_of_both_models_go_to_the_first_of_them():
    tied = scores(two_tower=0.2, repurchase=0.2, ranker=0.2)
    assert choose_recommender(tied) == "ranker"
    assert choose_recommender(tied, ["two_tower", "ranker"]) == "two_tower"


def test_without_a_validation_week_the_first_model_is_published():
    assert choose_recommender({}) == "ranker"
    assert choose_recommender({}, ["two_tower"]) == "two_tower"


def test_a_contender_without_a_score_is_an_error():
    with pytest.raises(ModellingError, match="repurchase"):
        choose_recommender({"repurchase": {"recall": 1.0}})


def test_contenders_are_found_by_name():
    *models, last = baselines()
    for recommender in models:
        assert recommender_named(recommender.name, models) is recommender
    assert recommender_named(last.name, models).name == last.name
    with pytest.raises(ModellingError, match="no recommender 'magic'"):
        recommender_named("magic", models)


def test_baselines_metrics_and_manifests_do_without_torch():
    code = (
        "import sys\n"
        "from hm_platform.modelling import fallback, metrics, selection, parameters\n"
        "from hm_platform.modelling import model_card, model_store, pipeline\n"
        "heavy = {'torch', 'pytorch_lightning', 'dagster', 'hamilton', 'pandas'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
