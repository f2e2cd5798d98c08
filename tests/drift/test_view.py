"""What people are shown of drift."""

from __future__ import annotations

import math
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from hm_platform.drift.view import distance, drift_view, headline
from tests.drift.shop import measured, purchases, week


def rows_of(number: int, **arguments: Any) -> list[dict[str, Any]]:
    rows = purchases(1, number + 1, **arguments)
    found = measured(rows, week(number)).values()
    return [{**row, "week": week(number)} for row in found]


def hundredfold(columns: dict[str, Any]) -> None:
    columns["price"] = columns["price"] * 100


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (0, "There is no week before this one to compare it with."),
        (1, "There is 1 week to compare this one with, too few to judge: 3 are needed."),
        (2, "There are 2 weeks to compare this one with, too few to judge: 3 are needed."),
        (4, "All 12 quantities look as in the 4 weeks before."),
    ],
)
def test_headline(number: int, says: str) -> None:
    assert headline(rows_of(number)) == says
    assert drift_view(rows_of(number), week(number)).headline == says


def test_a_change_is_named_with_what_changed() -> None:
    view = drift_view(rows_of(4, change=hundredfold), week(4))
    start = "1 of 12 quantities looks other than in the 4 weeks before: Price (over "
    assert view.headline.startswith(start)
    first = view.rows[0]
    assert (first.label, first.of, first.outcome) == ("Price", "purchases", "failed")
    assert first.threshold.startswith("at most 0.")
    ratio = next(row for row in view.rows if row.label == "Purchases")
    assert (ratio.value[:2], ratio.threshold) == ("× ", "from 0.67 to 1.50")


def test_charts_are_drawings_with_the_weeks_before() -> None:
    view = drift_view(rows_of(4), week(4))
    drawn = {chart.title: chart for chart in view.charts}
    assert {"Purchases", "Customers who bought", "Price", "Sales channel"} <= set(drawn)
    assert "Customers without a customer row" not in drawn, "all of them are zero"
    text = " ".join(ET.fromstring(drawn["Purchases"].standalone()).itertext())  # noqa: S314
    assert f"{week(0)}" in text
    assert f"{week(4)}" in text
    for chart in view.charts:
        ET.fromstring(chart.standalone())  # noqa: S314
        ET.fromstring(chart.inline())  # noqa: S314


def test_earlier_weeks_are_drawn_beside_it() -> None:
    title = "The quantity that is farthest from the weeks before, 1 = what is allowed"
    alone, together = rows_of(5), [*rows_of(4), *rows_of(5)]
    assert title not in {chart.title for chart in drift_view(alone, week(5)).charts}
    assert title in {chart.title for chart in drift_view(together, week(5)).charts}
    assert drift_view(together, week(5)).rows == drift_view(alone, week(5)).rows


def test_no_rows_at_all() -> None:
    view = drift_view([], week(1))
    assert (view.rows, view.charts) == ((), ())


@pytest.mark.parametrize(
    ("measure", "value", "threshold", "far"),
    [
        ("ratio", 1.0, 2.0, 0.0),
        ("ratio", 2.0, 2.0, 1.0),
        ("ratio", 0.5, 2.0, 1.0),
        ("ratio", 0.0, 2.0, math.inf),
        ("stability_index", 0.3, 0.2, 1.5),
        ("stability_index", 0.3, None, None),
        ("stability_index", None, 0.2, None),
    ],
)
def test_distance(
    measure: str, value: float | None, threshold: float | None, far: float | None
) -> None:
    found = distance({"measure": measure, "value": value, "threshold": threshold})
    assert found == (None if far is None else pytest.approx(far))


def test_a_week_without_purchases_is_shown() -> None:
    found = measured(purchases(1, 5), week(5)).values()
    view = drift_view([{**row, "week": week(5)} for row in found], week(5))
    assert "Purchases" in view.headline
    assert "0 now" in view.headline
