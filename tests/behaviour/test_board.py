"""The board as rows and as Markdown."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest

from hm_platform.behaviour.board import best_of, board_table, board_text
from hm_platform.behaviour.inputs import ReportInputs
from hm_platform.behaviour.results import BehavioralResults

METRICS = [
    *("map@3", "recall@3", "ndcg@3", "hit_rate@3", "mrr@3"),
    *("coverage", "distinct_articles", "head_share", "repeat_share"),
]


def test_a_row_for_each_recommender_and_metric(
    inputs: ReportInputs, results: BehavioralResults
) -> None:
    table = board_table(inputs, results)
    keys = list(zip(*(table[c].to_pylist() for c in ("recommender", "metric")), strict=True))
    assert keys == [(r, m) for r in ("two_tower", "popularity") for m in METRICS]
    assert table.schema.names == [
        *("week", "recommender", "metric", "value", "low", "high", "customers")
    ]
    assert table.schema.field("week").type == pa.date32()
    assert set(table["week"].to_pylist()) == {inputs.week}
    assert set(table["customers"].to_pylist()) == {4}


def test_values(inputs: ReportInputs, results: BehavioralResults) -> None:
    rows = board_table(inputs, results).to_pylist()
    values = {(r["recommender"], r["metric"]): r["value"] for r in rows}
    assert values["two_tower", "map@3"] == pytest.approx(11 / 24)
    assert values["two_tower", "distinct_articles"] == 5
    assert values["popularity", "coverage"] == pytest.approx(3 / 7)
    assert values["popularity", "repeat_share"] == pytest.approx(1 / 3)
    assert values["two_tower", "head_share"] == pytest.approx(1 / 4)


def test_accuracy_has_intervals_and_the_rest_has_none(
    inputs: ReportInputs, results: BehavioralResults
) -> None:
    for row in board_table(inputs, results).to_pylist():
        if "@" in row["metric"]:
            assert row["low"] <= row["value"] <= row["high"], row
            assert row["low"] < row["high"]
        else:
            assert (row["low"], row["high"]) == (None, None), row


def test_intervals_are_those_of_the_row_s_own_recommender(
    inputs: ReportInputs, results: BehavioralResults
) -> None:
    found = {
        (r["recommender"], r["metric"]): (r["low"], r["high"])
        for r in board_table(inputs, results).to_pylist()
    }
    for name, effects in results.board.items():
        for effect in effects:
            assert found[name, f"{effect.name}@3"] == (effect.low, effect.high)


def test_text_marks_the_best_and_what_is_under_test(inputs: ReportInputs) -> None:
    head, _, model, popularity = board_text(inputs).splitlines()
    assert head == ("| recommender | MAP@3 | Recall@3 | NDCG@3 | Hit rate@3 | MRR@3 | Coverage |")
    assert model == (
        "| two_tower (judged) | **0.4583** | **0.7500** | **0.5454** | **0.7500** "
        "| **0.5000** | **71%** |"
    )
    assert popularity == "| popularity | 0.2917 | 0.3750 | 0.3266 | 0.5000 | 0.3333 | 43% |"


@pytest.mark.parametrize(
    ("values", "best"),
    [([1, 2], {"b"}), ([2, 2], {"a", "b"}), ([0, 0], set()), ([1], set())],
)
def test_best_of(values: list[float], best: set[str]) -> None:
    rows = {name: {"m": v} for name, v in zip("ab", values, strict=False)}
    assert best_of(rows, "m") == best


def test_one_recommender_alone_is_not_the_best(make_inputs: Callable[..., ReportInputs]) -> None:
    assert "**" not in board_text(make_inputs(lists={"two_tower": [[0, 1, 2]] * 4}))
