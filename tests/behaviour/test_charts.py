"""Charts are well-formed, escape what they are given and keep to their frame."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hm_platform.behaviour.charts import Bar, Chart, DotRow, bars, dots, lines, shares

EVIL = "<script>alert(\"1\")</script> & 'co'"
finite = st.floats(0, 1e6, allow_nan=False)


def parsed(chart: Chart) -> ET.Element:
    return ET.fromstring(chart.standalone())  # noqa: S314 -- our own output


def all_charts(text: str) -> list[Chart]:
    return [
        bars(text, [Bar(text, 1.0, text, 0, text)]),
        shares(text, (text, text), [(text, 0.25, text, text)]),
        dots(text, [text], [DotRow(text, text, [0.5])]),
        lines(text, [1, 2], {text: [0.5, 1.0]}, text),
    ]


@pytest.mark.parametrize("chart", all_charts(EVIL))
def test_text_is_escaped_everywhere(chart: Chart) -> None:
    assert "<script" not in chart.inline()
    root = parsed(chart)
    assert EVIL in "".join(root.itertext())
    assert EVIL in root.attrib["aria-label"]


@pytest.mark.parametrize("chart", all_charts("MAP"))
def test_a_chart_says_in_words_what_it_shows(chart: Chart) -> None:
    assert 'role="img"' in chart.inline()
    assert chart.label.startswith("MAP: ")
    assert len(chart.said) > 3


def test_bars_are_as_long_as_their_values() -> None:
    chart = bars("MAP", [Bar("a", 0.2, "0.2", 0), Bar("b", 0.05, "0.05", 1), Bar("c", 0, "0", 2)])
    assert re.findall(r'class="bar[^>]*width="([^"]+)"', chart.body) == [
        *("100.00%", "25.00%", "0.00%")
    ]


def test_bars_of_nothing_but_zeros_are_empty() -> None:
    assert 'width="0.00%"' in bars("MAP", [Bar("a", 0.0, "0", 0)]).body


def test_shares_are_split_at_the_share() -> None:
    chart = shares("t", ("repeats", "discoveries"), [("a", 0.25, "25%", "75%")])
    assert 'class="bar part" y="20" width="25.00%"' in chart.body
    assert chart.said == "a 25% repeats and 75% discoveries"


@settings(deadline=None)
@given(st.lists(st.lists(st.none() | finite, min_size=2, max_size=2), min_size=1, max_size=5))
def test_dots_stay_inside(values: list[list[float | None]]) -> None:
    chart = dots("t", ["a", "b"], [DotRow("r", "n", row) for row in values])
    at = [float(x) for x in re.findall(r'cx="([\d.]+)%"', chart.body)]
    assert len(at) == sum(v is not None for row in values for v in row)
    assert all(0 <= x <= 100 for x in at)


def dots_of(*values: float | None) -> list[tuple[float, float]]:
    """Where the dots of a row are, the first series first; 1000 pixels to the whole width."""
    names = [str(s) for s in range(len(values))]
    body = dots("t", names, [DotRow("r", "n", values)]).body
    found = re.findall(r'cx="([\d.]+)%" cy="(\d+)"', body)
    return [(10 * float(x), float(y)) for x, y in reversed(found)]


def test_dots_of_one_value_do_not_hide_each_other() -> None:
    (_, first), (_, second), (_, third) = dots_of(0.5, 0.5, 0.5)
    assert len({first, second, third}) == 3
    assert min(second, third) < first < max(second, third)


@settings(deadline=None)
@given(st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.1, 0.11])), min_size=2, max_size=3))
def test_three_dots_are_always_apart(values: list[float]) -> None:
    at = dots_of(*values)
    for i, (x, y) in enumerate(at):
        for other_x, other_y in at[:i]:
            assert math.hypot(x - other_x, y - other_y) >= 8


def test_dots_with_room_stay_on_their_line() -> None:
    assert len({y for _, y in dots_of(0.1, 0.2, None, 0.4, 0.5, 0.6)}) == 1


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_lines_stay_inside(values: list[float]) -> None:
    chart = lines("t", list(range(len(values))), {"a": values}, "epoch")
    points = re.search(r' d="M([^"]+)"', chart.body)
    assert points is not None
    for point in points.group(1).split("L"):
        x, y = map(float, point.split())
        assert 0 <= x <= 100
        assert 0 <= y <= chart.height


def test_missing_and_infinite_values_are_left_out() -> None:
    chart = lines("t", [1, 2, 3, 4], {"a": [1.0, None, math.nan, 2.0], "b": [None] * 4}, "epoch")
    assert chart.body.count("L") == 1
    assert chart.said == "a last 2"


def test_the_highest_value_is_named_with_its_place() -> None:
    chart = lines("t", [1, 2, 3], {"MAP": [0.1, 0.3, 0.2]}, "epoch", mark_highest=True)
    assert chart.said == "MAP highest 0.3 at epoch 2"


def test_one_value_alone_can_be_drawn() -> None:
    assert parsed(lines("t", [1], {"a": [3.0]}, "epoch")).findall(".//{*}circle")


def test_no_values_are_no_chart() -> None:
    assert lines("t", [], {}, "epoch").body == ""
    assert lines("t", [1], {"a": [None]}, "epoch").body == ""
