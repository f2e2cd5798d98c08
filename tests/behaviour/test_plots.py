"""Pictures in Markdown for Dagster's UI."""

from __future__ import annotations

import base64
import re
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np

from hm_platform.behaviour.charts import Chart
from hm_platform.behaviour.inputs import ReportInputs
from hm_platform.behaviour.plots import (
    behaviour_markdown,
    board_markdown,
    curve_charts,
    curves_markdown,
    picture,
    training_markdown,
)
from hm_platform.behaviour.reclist_tests import run_behavioral_tests
from hm_platform.behaviour.results import BehavioralResults

IMAGE = re.compile(r"!\[([^\]]+)\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)")


def pictures(markdown: str) -> list[tuple[str, str]]:
    """(alternative text, text in the picture); only pictures may be there."""
    assert IMAGE.sub("", markdown).strip() == ""
    found = []
    for alternative, data in IMAGE.findall(markdown):
        root = ET.fromstring(base64.b64decode(data))  # noqa: S314 -- our own output
        found.append((alternative, " ".join(root.itertext())))
    return found


def test_board(inputs: ReportInputs, results: BehavioralResults) -> None:
    ((alternative, drawn),) = pictures(board_markdown(inputs, results))
    assert alternative == "MAP@3 in the test week: Two-tower 0.4583, Popularity 0.2917"
    assert "0.4583" in drawn
    assert "Two-tower under test" in " ".join(drawn.split())


def test_curves(inputs: ReportInputs) -> None:
    (loss, _), (score, _) = pictures(curves_markdown(inputs.training["two_tower"]))
    assert loss == "Loss: Training loss last 5; Validation loss last 6.5"
    assert score == "MAP in validation: Validation MAP@3 highest 0.375 at epoch 2"


def test_each_stage_has_its_curves_under_its_name(inputs: ReportInputs) -> None:
    before, first, second = training_markdown(inputs.training).split("#### ")
    assert before == ""
    assert first.startswith("Two-tower\n\n![")
    assert second.startswith("Ranker\n\n![")
    two_tower = pictures(first.removeprefix("Two-tower"))
    ranker = pictures(second.removeprefix("Ranker"))
    assert two_tower == pictures(curves_markdown(inputs.training["two_tower"]))
    assert [said for said, _ in ranker] == [
        "Loss: Training loss last 2.5",
        "MAP in validation: Validation MAP highest 0.5 at epoch 1",
    ]


def test_a_stage_that_was_not_trained_is_left_out(inputs: ReportInputs) -> None:
    alone = {**inputs.training, "ranker": []}
    assert "Ranker" not in training_markdown(alone)
    assert "Two-tower" in training_markdown(alone)


def test_no_curves_are_said_in_words() -> None:
    assert curves_markdown([]) == "No training curves were logged.\n"
    assert training_markdown({}) == training_markdown({"ranker": []}) == curves_markdown([])


def test_epochs_may_lack_numbers_and_hold_numpys() -> None:
    epochs: list[Any] = [{"train_loss": np.float32(2)}, {"train_loss": None}, {"train_loss": 1}]
    charts = curve_charts(epochs)
    assert [c.said for c in charts] == ["Training loss last 1"]


def test_pictures_are_small(inputs: ReportInputs, results: BehavioralResults) -> None:
    epochs = [{"epoch": e, "train_loss": 1 / (e + 1), "map": e / 100} for e in range(200)]
    assert len(curves_markdown(epochs)) < 40_000
    assert len(board_markdown(inputs, results)) < 10_000


def test_brackets_do_not_end_the_alternative_text() -> None:
    chart = Chart("a]b", "c\n[d", 10, "<g/>")
    assert pictures(picture(chart))[0][0] == "a)b: c (d"


def test_the_same_inputs_give_the_same_bytes(inputs: ReportInputs) -> None:
    pages = {board_markdown(inputs, run_behavioral_tests(inputs)) for _ in range(2)}
    assert len(pages) == 1


def test_behaviour_has_titles_and_legends(inputs: ReportInputs, results: BehavioralResults) -> None:
    activity, articles, repeats = pictures(behaviour_markdown(inputs, results))
    assert activity[0] == "MAP@3: 0 0.5000, 1–4 0.8333, 20–99 0.0000, 500 or more 0.5000"
    assert "● all: 0.4583" in activity[1]
    assert articles[0] == (
        "Share of the purchases that had been recommended: best sellers (1%) 100%, "
        "long tail (80%) 75%"
    )
    # Four of the five purchases.
    assert "● all: 0.8" in articles[1]
    assert repeats[0].startswith("Repeats and discoveries: Two-tower 17% repeats and 83% disc")
    assert "● repeats ● discoveries" in repeats[1]
