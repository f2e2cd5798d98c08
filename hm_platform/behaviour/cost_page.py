"""The page of what the assets of each week have cost: ``reports/cost.html``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from hm_platform.behaviour.charts import Bar, Chart, bars
from hm_platform.behaviour.pages import drawn, page
from hm_platform.behaviour.week_charts import over_weeks
from hm_platform.behaviour.wording import day
from hm_platform.costs import Cost, Costs

SHOWN_WEEKS = 104
"""Weeks in charts, the newest."""
TABLE_WEEKS = 12
"""Weeks in the table, the newest."""
MOST_BARS = 12
"""Assets that have a bar: those that take longest."""

GROUPS = (
    "raw", "staging", "marts", "datasets", "features", "models", "evaluation", "serving",
)  # fmt: skip
"""In the order of the pipeline; each has a colour."""

HEADS = ("Asset", "Seconds", "Read", "Written", "Peak memory")


def render_costs(costs: Costs, dataset: str) -> str:
    """The page as an HTML document, without anything from outside."""
    weeks = costs.weeks[-SHOWN_WEEKS:]
    newest = weeks[-1] if weeks else None
    return page(
        "cost.html.j2",
        {
            "dataset": dataset,
            "title": "Nothing was measured yet" if newest is None else _span(weeks),
            "headline": headline(costs),
            "charts": [drawn(chart) for chart in _charts(costs, weeks)],
            "newest": None if newest is None else str(newest),
            "of_newest": _table([] if newest is None else costs.of(newest)),
            "without_weeks": _table(costs.of(None)),
            "by_week": _by_week(costs, list(reversed(weeks[-TABLE_WEEKS:]))),
        },
    )


def headline(costs: Costs) -> str:
    """What the newest week has cost, in a sentence or two."""
    if not costs.weeks:
        return "Costs are recorded from the next build on."
    week = costs.weeks[-1]
    found = costs.of(week)
    total = sum(cost.seconds or 0 for cost in found)
    said = f"The assets of the week from {day(week)} took {seconds(total)} s."
    if total:
        said = f"{said[:-1]}, {found[0].asset} the most of it: {seconds(found[0].seconds)} s."
    top = costs.peak(week)
    return said if top is None else f"{said} At most {size(top)} of memory were in use."


def seconds(value: float | None) -> str:
    """``12.3``; empty where it is not known."""
    return "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def size(value: float | None) -> str:
    """``1.2 MB``; empty where it is not known."""
    if value is None:
        return ""
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:,.0f} {unit}" if unit == "B" or value >= 100 else f"{value:,.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} GB"


def cells(cost: Cost) -> tuple[str, str, str, str]:
    """What is shown of a cost, in the order of HEADS."""
    return (
        seconds(cost.seconds),
        size(cost.bytes_read),
        size(cost.bytes_written),
        size(cost.peak_memory_bytes),
    )


def _charts(costs: Costs, weeks: Sequence[date]) -> list[Chart]:
    if not weeks:
        return []
    longest = [(c, c.seconds) for c in costs.of(weeks[-1]) if c.seconds][:MOST_BARS]
    by_week = [costs.seconds(week) for week in weeks]
    known = {group for each in by_week for group, took in each.items() if took}
    groups = [group for group in (*GROUPS, *sorted(known - set(GROUPS))) if group in known]
    # In the colours of the lines below.
    rows = [
        Bar(cost.asset, took, f"{seconds(took)} s", groups.index(cost.group))
        for cost, took in longest
    ]
    found = [bars(f"Seconds of the week from {day(weeks[-1])}", rows)] if rows else []
    if len(weeks) > 1 and groups:
        series = {group: [each.get(group) for each in by_week] for group in groups}
        height = 240 + 20 * len(series)
        found.append(
            over_weeks("Seconds by week and group", weeks, series, text=seconds, height=height)
        )
        peaks = [costs.peak(week) for week in weeks]
        if any(peak is not None for peak in peaks):
            found.append(
                over_weeks("Peak of the memory by week", weeks, {"Peak": peaks}, text=size)
            )
    return found


def _table(costs: Sequence[Cost]) -> dict[str, object]:
    return {"heads": HEADS, "rows": [_row(cost.asset, cells(cost)) for cost in costs]}


def _by_week(costs: Costs, weeks: Sequence[date]) -> dict[str, object]:
    """Seconds of each asset, a column a week, the newest first."""
    took: dict[str, dict[date, float | None]] = {}
    for cost in costs.each:
        if cost.week is not None:
            took.setdefault(cost.asset, {})[cost.week] = cost.seconds
    rows = [
        _row(asset, [seconds(of_week.get(week)) for week in weeks])
        for asset, of_week in sorted(took.items())
    ]
    return {"heads": ["Asset", *map(str, weeks)], "rows": rows if weeks else []}


def _row(name: str, texts: Sequence[str]) -> dict[str, object]:
    shown = [{"text": text, "mark": ""} for text in texts]
    return {"label": name, "tested": False, "reference": False, "cells": shown}


def _span(weeks: Sequence[date]) -> str:
    return day(weeks[0]) if len(weeks) == 1 else f"{day(weeks[0])} to {day(weeks[-1])}"
