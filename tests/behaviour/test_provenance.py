"""Signs of leakage: none in a good week, and each where it was planted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from hm_platform.behaviour.bootstrap import Bootstrap
from hm_platform.behaviour.inputs import Provenance, ReportInputs
from hm_platform.behaviour.provenance import signs_of_leakage
from tests.behaviour.numbers import counts, named, values
from tests.behaviour.rich import BUYERS

MANY = Bootstrap(BUYERS)
PAST_SPLITS = "splits with days past the cut-off"
PAST_HISTORIES = "purchases in histories past the cut-off"
OTHER_SPLITS = "splits that are not those it was trained on"
OTHER_SALES = "articles whose features count other sales than were made"
RISE = "rise of MAP since validation, over a baseline's"


def provenance(inputs: ReportInputs, **changes: Any) -> ReportInputs:
    assert inputs.provenance is not None
    return replace(inputs, provenance=replace(inputs.provenance, **changes))


def only(inputs: ReportInputs) -> dict[str, float | None]:
    """The counted signs that are there."""
    found = values(signs_of_leakage(inputs, MANY))
    return {name: value for name, value in found.items() if name != RISE and value}


def test_a_good_week_has_none(rich_inputs: ReportInputs) -> None:
    found = signs_of_leakage(rich_inputs, MANY)
    assert [e.name for e in found] == [PAST_SPLITS, PAST_HISTORIES, OTHER_SPLITS, OTHER_SALES, RISE]
    assert [e.value for e in found[:-1]] == [0, 0, 0, 0]
    assert not any(e.estimated for e in found[:-1])


def test_a_training_split_with_a_day_of_the_test_week(rich_inputs: ReportInputs) -> None:
    train, validation, test = rich_inputs.volumes
    late = replace(train, last_day=rich_inputs.week)
    assert only(replace(rich_inputs, volumes=[late, validation, test])) == {PAST_SPLITS: 1}
    last = replace(train, last_day=rich_inputs.week - timedelta(days=1))
    assert only(replace(rich_inputs, volumes=[last, validation, test])) == {}
    both = [late, replace(validation, last_day=rich_inputs.week), test]
    assert only(replace(rich_inputs, volumes=both)) == {PAST_SPLITS: 2}


def test_splits_that_nobody_counted_are_not_measured(rich_inputs: ReportInputs) -> None:
    found = named(signs_of_leakage(replace(rich_inputs, volumes=()), MANY))[PAST_SPLITS]
    assert (found.value, found.count) == (None, 0)


@pytest.mark.parametrize("days", [0, -3])
def test_a_history_with_a_purchase_of_the_test_week(rich_inputs: ReportInputs, days: int) -> None:
    history = rich_inputs.snapshot.histories
    since = history.days_since_last.copy()
    since[[3, 9]] = days
    late = replace(rich_inputs.snapshot, histories=replace(history, days_since_last=since))
    assert only(replace(rich_inputs, snapshot=late)) == {PAST_HISTORIES: 2}


@pytest.mark.parametrize(
    "recorded",
    [
        {"train": "aa", "validation": "other"},
        {"train": "other", "validation": "bb"},
        {"train": "aa"},
    ],
)
def test_a_split_that_is_another_by_now(
    rich_inputs: ReportInputs, recorded: dict[str, str]
) -> None:
    assert only(provenance(rich_inputs, recorded=recorded)) == {OTHER_SPLITS: 1}


def test_what_else_the_model_recorded_does_not_matter(rich_inputs: ReportInputs) -> None:
    assert rich_inputs.provenance is not None
    more = {**rich_inputs.provenance.recorded, "articles": "cc"}
    assert only(provenance(rich_inputs, recorded=more)) == {}


def test_features_that_count_the_sales_of_another_week(rich_inputs: ReportInputs) -> None:
    sold = rich_inputs.snapshot.articles["purchases_last_week"].astype(np.int64)
    sold[[2, 5, 7]] += 1
    inputs = provenance(rich_inputs, last_week_sales=sold)
    assert only(inputs) == {OTHER_SALES: 3}
    assert counts(signs_of_leakage(inputs, MANY))[OTHER_SALES] == rich_inputs.n_articles


def test_where_validation_is_not_the_week_before_sales_are_not_compared(
    rich_inputs: ReportInputs,
) -> None:
    found = values(signs_of_leakage(provenance(rich_inputs, last_week_sales=None), MANY))
    assert OTHER_SALES not in found
    assert OTHER_SPLITS in found


def test_the_rise_is_held_against_the_best_baseline_s(rich_inputs: ReportInputs) -> None:
    validation = {"ranker": 0.1, "segment_popularity": 0.04, "popularity": 0.05}
    inputs = provenance(rich_inputs, validation_map=validation)
    mine, theirs = (
        rich_inputs.recommender(name).metrics.map.mean() for name in ("ranker", "popularity")
    )
    found = named(signs_of_leakage(inputs, MANY))[RISE]
    assert found.value == pytest.approx((mine / 0.1) / (theirs / 0.05))
    assert found.estimated
    assert found.count == BUYERS


def test_a_week_that_all_foresee_better_is_no_rise(rich_inputs: ReportInputs) -> None:
    means = {r.name: r.metrics.map.mean() / 2 for r in rich_inputs.recommenders}
    inputs = provenance(rich_inputs, validation_map=means)
    assert named(signs_of_leakage(inputs, MANY))[RISE].value == pytest.approx(1)


@pytest.mark.parametrize(
    "validation",
    [
        pytest.param({}, id="nobody bought"),
        pytest.param({"ranker": 0.2}, id="no baseline"),
        pytest.param({"popularity": 0.1}, id="not the challenger"),
        pytest.param({"ranker": 0.0, "popularity": 0.1}, id="no hit of the challenger"),
        pytest.param({"ranker": 0.2, "popularity": 0.0}, id="no hit of a baseline"),
    ],
)
def test_without_scores_of_both_in_validation_there_is_no_rise(
    rich_inputs: ReportInputs, validation: dict[str, float]
) -> None:
    inputs = provenance(rich_inputs, validation_map=validation)
    assert named(signs_of_leakage(inputs, MANY))[RISE].value is None


def test_of_a_model_that_says_nothing_only_the_data_are_looked_at(
    rich_inputs: ReportInputs,
) -> None:
    found = values(signs_of_leakage(replace(rich_inputs, provenance=None), MANY))
    assert list(found) == [PAST_SPLITS, PAST_HISTORIES]


def test_a_baseline_under_test_is_not_its_own_rival(rich_inputs: ReportInputs) -> None:
    about = Provenance({}, {}, None, {"segment_popularity": 0.04, "popularity": 0.05})
    inputs = replace(rich_inputs, challenger="popularity", provenance=about)
    mine, theirs = (
        inputs.recommender(n).metrics.map.mean() for n in ("popularity", "segment_popularity")
    )
    found = named(signs_of_leakage(inputs, MANY))[RISE]
    assert found.value == pytest.approx((mine / 0.05) / (theirs / 0.04))
