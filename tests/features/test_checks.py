"""Output checks: what passes, what fails, and how a failure reaches the caller."""

from __future__ import annotations

import logging
import re

import numpy as np
import pyarrow as pa
import pytest

from hm_platform.features import graphs
from hm_platform.features.checks import Array, Lists
from hm_platform.features.errors import FeatureError
from tests.features.world import NOTHING_FITTED


@pytest.mark.parametrize(
    ("check", "values"),
    [
        (Array(np.int32, low=0), np.array([0, 5], np.int32)),
        (Array(np.int32, low=-1), np.array([-1], np.int32)),
        (Array(np.float32, nan=True), np.array([np.nan, 1], np.float32)),
        (Array(np.int32, low=0), np.array([], np.int32)),
        (Lists(np.int32, low=1), pa.array([[1, 2], []], pa.list_(pa.int32()))),
        (Lists(np.float32, low=0, high=1), pa.array([[0.5]], pa.list_(pa.float32()))),
    ],
)
def test_good_values_pass(check: Array | Lists, values: object) -> None:
    assert check.validate(values).passes


@pytest.mark.parametrize(
    ("check", "values", "message"),
    [
        (Array(np.int32), np.array([1]), "int64, not int32"),
        (Array(np.int32, low=0), np.array([3, -1, -2], np.int32), "2 of 3 values .* -1 at 1"),
        (Array(np.int32, high=2), np.array([3], np.int32), "outside"),
        (Array(np.float32), np.array([0, np.nan], np.float32), "1 of 2 values are NaN"),
        (Array(np.float32), np.array([np.inf], np.float32), "outside"),
        (Array(np.int32), np.zeros((2, 2), np.int32), "one-dimensional"),
        (Array(np.int32), [1], "list"),
        (Lists(np.int32, low=1), pa.array([[1], [0]], pa.list_(pa.int32())), "outside"),
        (Lists(np.int32), pa.array([[None]], pa.list_(pa.int32())), "nulls"),
        (Lists(np.int32), pa.array([None], pa.list_(pa.int32())), "nulls"),
        (Lists(np.int32), pa.array([[1]], pa.list_(pa.int64())), "int64"),
        (Lists(np.int32), np.array([1], np.int32), "ndarray"),
    ],
)
def test_bad_values_fail_and_say_why(check: Array | Lists, values: object, message: str) -> None:
    result = check.validate(values)

    assert not result.passes
    assert re.search(message, result.message), result.message


def test_a_failed_check_stops_the_run_with_one_error_that_names_the_feature(
    caplog: pytest.LogCaptureFixture,
) -> None:
    inputs = {
        "sold_article": np.array([0], np.int32),
        "sold_purchases": np.array([-3], np.int32),
        "n_articles": 1,
        "encoders": NOTHING_FITTED,
    }

    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(FeatureError, match=r"features/articles, split test: \[purchases_total"),
    ):
        graphs.run("articles", ["purchases_total"], inputs, "split test")

    assert not caplog.records


def test_every_column_is_checked() -> None:
    for table in graphs.MODULES:
        nodes = {node.name: node for node in graphs.graph(table).list_available_variables()}
        columns = [name for name, node in nodes.items() if "entity" in node.tags]
        assert [name for name in columns if f"{name}_check" not in nodes] == []


def test_an_unknown_table_is_named() -> None:
    with pytest.raises(FeatureError, match="features/prices"):
        graphs.graph("prices")
