"""Estimates with intervals: everything inside the drawing, where it should be, and escaped."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from hm_platform.behaviour.charts import HIGH, LOW, Chart
from hm_platform.behaviour.charts_intervals import Estimate, intervals

ROWS = [
    Estimate("Ranker", 0.3, 0.25, 0.35, "0.3000", 0, "under test"),
    Estimate("Popularity", 0.1, 0.05, 0.15, "0.1000", 1),
]


def drawn(chart: Chart) -> ET.Element:
    return ET.fromstring(f"<svg>{chart.body}</svg>")  # noqa: S314 -- our own output


def of_class(chart: Chart, name: str) -> list[dict[str, str]]:
    return [e.attrib for e in drawn(chart).iter() if name in e.get("class", "").split()]


def at(position: str) -> float:
    """Percent of the width."""
    return float(position.removesuffix("%"))


def all_positions(chart: Chart) -> list[float]:
    return [float(p) for p in re.findall(r'(?:x|x1|x2|cx)="([-0-9.]+)%"', chart.body)]


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        [Estimate("Lead", -0.2, -0.5, 0.1, "-20%"), Estimate("Other", 3, None, None, "3")],
        [Estimate("Nothing", 0, 0, 0, "0")],
        [Estimate("Low", -5, -6, -4, "-5")],
        [Estimate("Tiny", 1e-9, 0, 2e-9, "0")],
    ],
)
@pytest.mark.parametrize("reference", [None, ("all", 0.6), ("all", -2.0)])
def test_everything_is_inside_the_drawing(
    rows: list[Estimate], reference: tuple[str, float] | None
) -> None:
    chart = intervals("T", rows, reference)
    places = all_positions(chart)
    assert min(places) >= 0
    assert max(places) <= 100
    for circle in of_class(chart, "ring"):
        assert LOW <= at(circle["cx"]) <= HIGH
        assert float(circle["cy"]) < chart.height


def test_a_value_is_inside_its_interval_and_more_is_further_right() -> None:
    chart = intervals("T", ROWS)
    dots, spans = of_class(chart, "ring"), of_class(chart, "span")
    for dot, span in zip(dots, spans, strict=True):
        assert at(span["x1"]) < at(dot["cx"]) < at(span["x2"])
        assert dot["cy"] == span["y1"] == span["y2"]
    assert at(dots[1]["cx"]) < at(dots[0]["cx"])
    assert at(spans[1]["x2"]) < at(spans[0]["x1"])


def test_what_is_counted_has_no_bar() -> None:
    chart = intervals("T", [Estimate("Faults", 3, None, None, "3")])
    assert of_class(chart, "span") == []
    assert len(of_class(chart, "ring")) == 1


def test_zero_is_always_there() -> None:
    chart = intervals("T", [Estimate("High", 0.9, 0.85, 0.95, "0.9")])
    ticks = [e.text for e in drawn(chart).iter("text") if "small" in e.get("class", "")]
    assert ticks[0] == "0"


def test_the_reference_is_a_line_with_a_name() -> None:
    chart = intervals("T", ROWS, ("all", 0.3))
    (mark,) = of_class(chart, "mark")
    assert mark["x1"] == mark["x2"] == of_class(chart, "ring")[0]["cx"]
    assert chart.legend == (("mark", "all: 0.3"),)
    assert of_class(intervals("T", ROWS), "mark") == []
    assert intervals("T", ROWS).legend == ()


def test_flags_are_drawn_and_said_once() -> None:
    rows = [
        Estimate(name, 0.1, 0.05, 0.15, "0.1", flagged=flag)
        for name, flag in (("a", "far"), ("b", ""), ("c", "far"))
    ]
    chart = intervals("T", rows, ("all", 0.2))
    assert chart.said == "a 0.1 (far), b 0.1, c 0.1 (far)"
    assert chart.legend == (("mark", "all: 0.2"), ("flag", "far"))
    assert len([c for c in of_class(chart, "ring") if "flag" in c["class"].split()]) == 2


def test_series_have_colours_of_their_own() -> None:
    first, second = (
        circle["class"].split()[1] for circle in of_class(intervals("T", ROWS), "ring")
    )
    assert (first, second) == ("s0", "s1")


def test_text_from_data_is_escaped() -> None:
    evil = '<script>"&'
    chart = intervals(evil, [Estimate(evil, 1, 0, 2, evil, 0, evil, evil)], (evil, 1.0))
    texts = " ".join(drawn(chart).itertext())
    assert evil in texts
    for document in (chart.inline(), chart.standalone()):
        assert "<script" not in document
        ET.fromstring(document)  # noqa: S314 -- our own output


def test_no_rows_make_an_empty_drawing() -> None:
    chart = intervals("T", [])
    assert chart.said == ""
    assert of_class(chart, "ring") == []
