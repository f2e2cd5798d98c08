"""Inputs that contradict themselves are refused with a message that says what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hm_platform.behaviour.inputs import (
    BehaviourError,
    Evaluated,
    ReportInputs,
    ServingNow,
    SplitVolume,
)
from hm_platform.modelling.metrics import Purchased


def test_no_test_customer_says_which_week_and_what_to_check(inputs: ReportInputs) -> None:
    nobody = Purchased(np.zeros(0, np.int32), np.zeros(1, np.int64), np.zeros(0, np.int32))
    with pytest.raises(BehaviourError, match=r"week 2020-09-16: no customer bought.*landed"):
        replace(inputs, bought=nobody)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("recommenders", [], "must be named"),
        ("challenger", "ranker", "'ranker' is the challenger but not among"),
        (
            "last_published",
            ServingNow("last_published", "ranker", "2020-09-09-0123456789", date(2020, 9, 9)),
            "'last_published' is not among",
        ),
        ("week", date(2020, 9, 9), "snapshot is of week 2020-09-16"),
        ("catalogue", pa.table({"prod_name": ["one"]}), "1 catalogue rows for 8 articles"),
        ("served", np.zeros((3, 3), np.int32), "3 lists were served to 4 customers"),
    ],
)
def test_contradictions_are_refused(
    inputs: ReportInputs, field: str, value: Any, message: str
) -> None:
    change: dict[str, Any] = {field: value}
    with pytest.raises(BehaviourError, match=message):
        replace(inputs, **change)


def test_two_recommenders_of_one_name_are_refused(inputs: ReportInputs) -> None:
    with pytest.raises(BehaviourError, match="each once"):
        replace(inputs, recommenders=[inputs.recommenders[0]] * 2)


def test_features_of_another_split_are_refused(inputs: ReportInputs) -> None:
    with pytest.raises(BehaviourError, match="split 'serving'"):
        replace(inputs, snapshot=replace(inputs.snapshot, split="serving"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: {"articles": r.articles[:2]}, "lists have shape"),
        (lambda r: {"articles": r.articles + 6}, r"articles must lie in -1\.\.7"),
        (lambda r: {"articles": r.articles - 3}, r"articles must lie in -1\.\.7"),
        (lambda r: {"coverage": 1.5}, "coverage is 1.5"),
        (lambda r: {"metrics": replace(r.metrics, map=r.metrics.map[:2])}, "map must be 4 finite"),
        (lambda r: {"metrics": replace(r.metrics, ndcg=r.metrics.ndcg * np.nan)}, "ndcg must be 4"),
    ],
)
def test_a_recommender_that_does_not_fit_is_refused(
    inputs: ReportInputs, change: Callable[[Evaluated], dict], message: str
) -> None:
    broken = replace(inputs.recommenders[1], **change(inputs.recommenders[1]))
    with pytest.raises(BehaviourError, match=f"popularity's {message}"):
        replace(inputs, recommenders=[inputs.recommenders[0], broken])


def test_an_unknown_customer_is_refused(inputs: ReportInputs) -> None:
    with pytest.raises(BehaviourError, match=r"customers must lie in 0\.\.4"):
        replace(inputs, bought=replace(inputs.bought, customers=inputs.customers + 1))


def test_purchases_must_fit_the_customers(inputs: ReportInputs) -> None:
    with pytest.raises(BehaviourError, match="purchases do not fit 4 customers"):
        replace(inputs, bought=replace(inputs.bought, articles=inputs.bought.articles[:-1]))


def test_days_count_both_ends() -> None:
    assert SplitVolume("test", 1, date(2020, 9, 16), date(2020, 9, 22), 1, 1).days == 7
    assert SplitVolume("test", 0, None, None, 0, 0).days == 0
