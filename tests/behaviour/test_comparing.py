"""The challenger against others, on the same customers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hm_platform.behaviour import comparing
from hm_platform.behaviour.bootstrap import Bootstrap
from hm_platform.behaviour.inputs import ReportInputs
from tests.behaviour.conftest import build
from tests.behaviour.numbers import named, values
from tests.behaviour.rich import BUYERS

FOUR, MANY = Bootstrap(4), Bootstrap(BUYERS)


def test_accuracy_is_that_of_the_challenger(inputs: ReportInputs) -> None:
    assert values(comparing.accuracy(inputs, FOUR)) == pytest.approx(
        inputs.recommender("two_tower").metrics.means()
    )
    other = replace(inputs, challenger="popularity")
    assert values(comparing.accuracy(other, FOUR))["map"] == pytest.approx(7 / 24)


def test_metrics_have_intervals_over_all_customers(rich_inputs: ReportInputs) -> None:
    for effect in comparing.accuracy(rich_inputs, MANY):
        assert effect.count == BUYERS
        assert effect.low is not None
        assert effect.value is not None
        assert effect.high is not None
        assert effect.low < effect.value < effect.high


def test_the_lead_is_a_share_of_the_rival_s_mean(inputs: ReportInputs) -> None:
    found = values(comparing.against(inputs, ["popularity"], FOUR))
    assert list(found) == [f"{metric} against popularity" for metric in comparing.METRICS]
    assert found["map against popularity"] == pytest.approx((11 / 24) / (7 / 24) - 1)
    assert found["recall against popularity"] == pytest.approx(1)


def test_nobody_leads_oneself(inputs: ReportInputs) -> None:
    for effect in comparing.against(inputs, ["two_tower"], FOUR):
        assert (effect.value, effect.low, effect.high) == (0, 0, 0)


def test_a_rival_without_a_hit_is_no_measure() -> None:
    inputs = build(lists={"two_tower": [[0, 1, 2]] * 4, "popularity": [[4, 4, 4]] * 4})
    found = named(comparing.against_baselines(inputs, FOUR))
    assert found["map against popularity"].value is None


def test_the_interval_of_a_lead_is_narrower_than_those_of_the_scores(
    rich_inputs: ReportInputs,
) -> None:
    # The same lists but for one customer in twenty: only these can make a difference.
    mine = rich_inputs.recommender("ranker")
    theirs = rich_inputs.recommender("two_tower")
    same = np.arange(BUYERS) % 20 > 0
    mixed = {
        name: np.where(same, values, vars(theirs.metrics)[name])
        for name, values in vars(mine.metrics).items()
    }
    rival = replace(theirs, metrics=replace(theirs.metrics, **mixed))
    inputs = replace(rich_inputs, recommenders=[mine, rival], last_published=None)
    lead = named(comparing.against(inputs, ["two_tower"], MANY))["map against two_tower"]
    score = named(comparing.metrics(mine, MANY))["map"]
    assert lead.high is not None
    assert lead.low is not None
    assert score.high is not None
    assert score.low is not None
    assert score.value is not None
    assert lead.high - lead.low < 0.5 * (score.high - score.low) / score.value


@pytest.mark.parametrize(
    ("challenger", "rivals"),
    [
        ("ranker", ["segment_popularity", "popularity"]),
        ("segment_popularity", ["popularity"]),
    ],
)
def test_baselines_are_all_but_the_challenger(
    rich_inputs: ReportInputs, challenger: str, rivals: list[str]
) -> None:
    inputs = replace(rich_inputs, challenger=challenger)
    found = named(comparing.against_baselines(inputs, MANY))
    assert list(dict.fromkeys(name.split(" against ")[1] for name in found)) == rivals


def test_what_serves_now_is_a_rival_of_its_own(rich_inputs: ReportInputs) -> None:
    found = values(comparing.against_last_published(rich_inputs, MANY))
    assert next(iter(found)) == "map against last_published"
    mine, theirs = (
        rich_inputs.recommender(name).metrics.map.mean() for name in ("ranker", "last_published")
    )
    assert found["map against last_published"] == pytest.approx(mine / theirs - 1)
    assert comparing.against_last_published(replace(rich_inputs, last_published=None), MANY) == []
