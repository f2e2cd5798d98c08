"""Intervals where nothing is known: by the replicates that all tests of a week share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hm_platform.behaviour import cold
from hm_platform.behaviour.bootstrap import Bootstrap
from hm_platform.behaviour.cold_articles import ColdArticles, ColdScores
from hm_platform.behaviour.cold_customers import AsIfNew
from hm_platform.behaviour.effects import Effect
from hm_platform.behaviour.inputs import BehaviourError, ReportInputs
from tests.behaviour.conftest import build, int32
from tests.behaviour.rich import BUYERS

SOME = np.arange(0, BUYERS, 5, dtype=np.int32)
VALUES = np.random.default_rng(2).uniform(size=len(SOME))


@pytest.fixture
def bootstrap() -> Bootstrap:
    return Bootstrap(BUYERS, seed=3)


def test_percentiles_are_means_over_those_who_bought_one(
    rich_inputs: ReportInputs, bootstrap: Bootstrap
) -> None:
    scores = {
        "two_tower": ColdScores(VALUES * 0, VALUES),
        "first_sales": ColdScores(VALUES, VALUES / 2),
    }
    inputs = replace(rich_inputs, cold_articles=ColdArticles(SOME, 10, 12, scores))
    found = cold.articles(inputs, bootstrap)

    everybody = np.zeros(BUYERS)
    everybody[SOME] = VALUES
    among = np.arange(BUYERS) % 5 == 0
    assert found["two_tower"] == bootstrap.mean("percentile by two_tower", everybody, among)
    assert found["two_tower"].count == len(SOME)
    assert found["two_tower"].value == pytest.approx(VALUES.mean())
    # As wide as theory says, and by the same replicates: half the values, half the width.
    error = VALUES.std(ddof=1) / np.sqrt(len(SOME))
    assert width(found["two_tower"]) == pytest.approx(2 * 1.96 * error, rel=0.15)
    assert width(found["first_sales"]) == pytest.approx(width(found["two_tower"]) / 2)


def test_the_lead_is_paired_by_customers(rich_inputs: ReportInputs, bootstrap: Bootstrap) -> None:
    precision = {"ranker": VALUES + 0.1, "two_tower": VALUES * 0, "segment_popularity": VALUES}
    inputs = replace(rich_inputs, as_if_new=AsIfNew(SOME, 12, precision))
    found = cold.leads(inputs, bootstrap)

    (mine,) = cold.as_if_new(inputs, found)
    assert (mine.name, mine.count) == ("map above segment_popularity", len(SOME))
    # Everybody gains as much, so there is nothing to be unsure of.
    assert (mine.value, mine.low, mine.high) == pytest.approx((0.1, 0.1, 0.1))
    assert found["two_tower"].value == pytest.approx(-VALUES.mean())
    assert width(found["two_tower"]) > 0.05
    assert found["segment_popularity"].value == 0


def test_by_hand() -> None:
    inputs = build()
    found = cold.leads(inputs, Bootstrap(4))["two_tower"]
    # Ahead by 1/4, -1/8 and 1/4.
    assert (found.value, found.count) == (pytest.approx(0.125), 3)
    assert (found.low, found.high) == (-0.125, 0.25)


@pytest.mark.parametrize(
    "nobody", [None, AsIfNew(int32([]), 3, {"two_tower": np.zeros(0)}), AsIfNew(int32([0]), 3)]
)
def test_nobody_was_asked(nobody: AsIfNew | None) -> None:
    inputs = build(as_if_new=nobody, cold_articles=None)
    leads = cold.leads(inputs, Bootstrap(4))
    assert cold.as_if_new(inputs, leads) == [Effect("map above segment_popularity", None, 0)]
    assert cold.articles(inputs, Bootstrap(4)) == {}


def test_who_did_not_buy_cannot_have_been_asked() -> None:
    with pytest.raises(BehaviourError, match="must have bought"):
        build(cold_articles=ColdArticles(int32([2]), 1, 3))


def width(effect: Effect) -> float:
    assert effect.low is not None
    assert effect.high is not None
    return effect.high - effect.low
