"""Scores by week: the table, the page, and what it does with weeks that lack something."""

from __future__ import annotations

import re
from datetime import date
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pyarrow as pa
import pytest

from hm_platform.behaviour.trend import SCHEMA, Trend, render_trend
from hm_platform.calendar import WEEK

MODELS, BASELINES = ("ranker", "two_tower"), ("repurchase", "popularity")
FIRST = date(2018, 10, 3)
VOID = {"meta", "link", "br", "img", "circle", "line", "path", "rect"}


def board(*weeks: dict[str, float], intervals: bool = False, start: date = FIRST) -> pa.Table:
    """A board with these scores, recommender -> MAP@12, and another metric that is not wanted."""
    rows = [
        {"week": start + WEEK * n, "recommender": name, "metric": metric, "value": value,
         "customers": 100 + n}
        | ({"low": value - 0.01, "high": value + 0.01} if intervals else {})
        for n, scores in enumerate(weeks)
        for name, score in scores.items()
        for metric, value in (("map@12", score), ("recall@12", 0.9))
    ]  # fmt: skip
    return pa.Table.from_pylist(rows)


def trend(rows: pa.Table) -> Trend:
    return Trend.of(rows, MODELS, BASELINES)


THREE = board(
    {"ranker": 0.3, "two_tower": 0.31, "repurchase": 0.2, "popularity": 0.1},
    {"two_tower": 0.2, "repurchase": 0.25, "popularity": 0.25},
    {"ranker": 0.4, "two_tower": 0.3, "repurchase": 0.2, "popularity": 0.3},
)


def test_the_table_has_a_row_a_week() -> None:
    found = trend(THREE).table()
    assert found.schema == SCHEMA
    assert found.select(["model", "value", "baseline", "baseline_value"]).to_pylist() == [
        {"model": "ranker", "value": 0.3, "baseline": "repurchase", "baseline_value": 0.2},
        {"model": "two_tower", "value": 0.2, "baseline": "repurchase", "baseline_value": 0.25},
        {"model": "ranker", "value": 0.4, "baseline": "popularity", "baseline_value": 0.3},
    ]
    assert found["customers"].to_pylist() == [100, 101, 102]
    assert found["low"].to_pylist() == [None] * 3


def test_old_weeks_have_no_interval_and_new_ones_do() -> None:
    new = board({"ranker": 0.3, "repurchase": 0.2}, intervals=True, start=FIRST + 3 * WEEK)
    found = trend(pa.concat_tables([THREE, new], promote_options="default"))
    assert found.table()["low"].to_pylist() == [None, None, None, pytest.approx(0.29)]
    assert found.table()["baseline_high"].to_pylist()[-1] == pytest.approx(0.21)
    assert "Ranker 0.3000 (0.2900–0.3100)" in render_trend(found, "shop")


def test_the_headline_compares_with_the_best_baseline() -> None:
    said = trend(THREE).headline()
    assert "In the week from 17 October 2018 the model's MAP@12 is 0.4000" in said
    assert "Popularity, 0.3000" in said
    assert "ahead in 2 of 3 weeks, by +0.0500 on average" in said


class Checked(HTMLParser):
    """Follows the tags, and fails where one is not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def test_the_page_is_whole_has_every_week_and_needs_nothing_from_outside() -> None:
    text = render_trend(trend(THREE), "A <shop> & more")
    parser = Checked()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    for number in range(3):
        assert text.count(f'<th scope="row">{FIRST + WEEK * number}</th>') == 2
    assert not re.search(r"https?:|//|<script|@import|url\(", text.replace("http-equiv", ""))
    assert "A &lt;shop&gt; &amp; more" in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert "<title>Scores by week" in text


def test_charts_are_drawings_with_a_point_a_score() -> None:
    scores, gains = trend(THREE).charts()
    assert scores.body.count("<title>Ranker, ") == 2
    assert scores.body.count("<title>Repurchase, ") == 3
    assert "Ranker last 0.4000" in scores.said
    assert "fill-opacity" not in scores.body, "no interval, no band"
    assert "Model minus best baseline last +0.1000" in gains.said
    for chart in (scores, gains):
        ET.fromstring(chart.standalone())  # noqa: S314


def test_intervals_are_bands() -> None:
    (scores, _) = trend(board({"ranker": 0.3, "repurchase": 0.2}, intervals=True)).charts()
    assert scores.body.count("fill-opacity") == 2


def test_one_that_ends_before_the_last_week_says_when() -> None:
    rows = board({"ranker": 0.3, "popularity": 0.1}, {"two_tower": 0.2, "popularity": 0.1})
    assert f"Ranker last 0.3000 in {FIRST}" in trend(rows).charts()[0].said


@pytest.mark.parametrize(
    ("rows", "weeks"),
    [
        (board({"ranker": 0.3, "repurchase": 0.2}), 1),
        (board({"ranker": 0.3}), 1),
        (board({"repurchase": 0.3}), 1),
        (board({"somebody": 0.3}), 1),
        (board({"ranker": 0.0, "repurchase": 0.0}), 1),
        (THREE.slice(0, 0), 0),
    ],
    ids=["one week", "no baseline", "no model", "neither", "all zero", "no week"],
)
def test_a_board_that_lacks_something_still_makes_a_page(rows: pa.Table, weeks: int) -> None:
    found = trend(rows)
    assert len(found.table()) == weeks
    text = render_trend(found, "shop")
    assert text.count(str(FIRST)) >= 2 * weeks
    if not found.gains:
        assert "No week has scores of a model and of a baseline yet." in text


def test_another_recommender_is_drawn_and_is_no_baseline() -> None:
    found = trend(board({"ranker": 0.3, "last_published": 0.5, "repurchase": 0.2}))
    assert found.table()["baseline"].to_pylist() == ["repurchase"]
    assert "Last published" in found.charts()[0].said


def test_the_same_board_gives_the_same_bytes_in_any_order() -> None:
    turned = THREE.take(list(range(len(THREE)))[::-1])
    assert render_trend(trend(turned), "shop") == render_trend(trend(THREE), "shop")
