"""The scores of all weeks that have a board: as a table, as charts, and as a page.

Reads rows of ``evaluation.behavioral_report``, some five recommenders a week; weeks are compared by
MAP@12. Columns ``low`` and ``high`` are the ends of a score's interval, where the board has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import pyarrow as pa

from hm_platform.behaviour.charts import Chart
from hm_platform.behaviour.pages import drawn, page
from hm_platform.behaviour.week_charts import Interval, over_weeks
from hm_platform.behaviour.wording import day, gain, percent, plural, score
from hm_platform.labels import label

METRIC = "map@12"

SCHEMA = pa.schema(
    [
        pa.field("week", pa.date32(), nullable=False),
        pa.field("model", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("low", pa.float64()),
        pa.field("high", pa.float64()),
        pa.field("baseline", pa.string()),
        pa.field("baseline_value", pa.float64()),
        pa.field("baseline_low", pa.float64()),
        pa.field("baseline_high", pa.float64()),
        pa.field("customers", pa.int64(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Score:
    """A recommender's score on a week; ``interval`` is None where none was computed."""

    recommender: str
    value: float
    interval: Interval
    customers: int


@dataclass(frozen=True)
class Trend:
    """The scores of each week, oldest first.

    scores : week -> recommender -> score
    models : the names of models, the preferred one first
    baselines : the names of baselines
    """

    scores: dict[date, dict[str, Score]]
    models: Sequence[str]
    baselines: Sequence[str]

    @classmethod
    def of(cls, board: pa.Table, models: Sequence[str], baselines: Sequence[str]) -> Trend:
        """From the rows of ``evaluation.behavioral_report``, in any order."""
        names = [*("week", "recommender", "metric", "value", "customers")]
        names += [name for name in ("low", "high") if name in board.column_names]
        found: dict[date, dict[str, Score]] = {}
        rows = [row for row in board.select(names).to_pylist() if row["metric"] == METRIC]
        for row in sorted(rows, key=lambda row: row["week"]):
            low, high = row.get("low"), row.get("high")
            interval = None if low is None or high is None else (low, high)
            found.setdefault(row["week"], {})[row["recommender"]] = Score(
                row["recommender"], row["value"], interval, row["customers"]
            )
        return cls(found, tuple(models), tuple(baselines))

    @property
    def weeks(self) -> list[date]:
        """The weeks that have scores."""
        return list(self.scores)

    def model(self, week: date) -> Score | None:
        """The model's score: of the preferred model that the week has."""
        found = self.scores[week]
        return next((found[name] for name in self.models if name in found), None)

    def baseline(self, week: date) -> Score | None:
        """The highest score of a baseline; the first of equals."""
        found = [self.scores[week][name] for name in self.baselines if name in self.scores[week]]
        return max(found, key=lambda each: each.value, default=None)

    @cached_property
    def gains(self) -> dict[date, float]:
        """By how much the model is above the best baseline, in the weeks that have both."""
        pairs = {week: (self.model(week), self.baseline(week)) for week in self.weeks}
        return {w: m.value - b.value for w, (m, b) in pairs.items() if m and b}

    @cached_property
    def recommenders(self) -> list[str]:
        """All that have a score in some week: models, baselines, then the others."""
        names = {name for scores in self.scores.values() for name in scores}
        known = [name for name in (*self.models, *self.baselines) if name in names]
        return [*known, *sorted(names - set(known))]

    def table(self) -> pa.Table:
        """A row a week: the model and the best baseline."""
        rows = []
        for week in self.weeks:
            model, baseline = self.model(week), self.baseline(week)
            low, high = (model and model.interval) or (None, None)
            baseline_low, baseline_high = (baseline and baseline.interval) or (None, None)
            rows.append(
                {
                    "week": week,
                    "model": model and model.recommender,
                    "value": model and model.value,
                    "low": low,
                    "high": high,
                    "baseline": baseline and baseline.recommender,
                    "baseline_value": baseline and baseline.value,
                    "baseline_low": baseline_low,
                    "baseline_high": baseline_high,
                    "customers": max(each.customers for each in self.scores[week].values()),
                }
            )
        return pa.Table.from_pylist(rows, SCHEMA)

    def charts(self) -> list[Chart]:
        """Everybody's scores by week, and what the model is above the best baseline."""
        if not self.weeks:
            return []
        scores = {
            label(name): [self.scores[week].get(name) for week in self.weeks]
            for name in self.recommenders
        }
        values = {n: [s.value if s else None for s in found] for n, found in scores.items()}
        intervals = {n: [s.interval if s else None for s in found] for n, found in scores.items()}
        height = 240 + 20 * len(values)
        charts = [
            over_weeks("MAP@12 by week", self.weeks, values, intervals, text=score, height=height)
        ]
        if self.gains:
            gains = {"Model minus best baseline": list(self.gains.values())}
            charts.append(
                over_weeks(
                    "What the model is above the best baseline",
                    list(self.gains),
                    gains,
                    limit=0.0,
                    text=lambda value: f"{value:+z.4f}",
                )
            )
        return charts

    def headline(self) -> str:
        """How the model does, in a sentence or two."""
        if not self.gains:
            return "No week has scores of a model and of a baseline yet."
        ahead = sum(value > 0 for value in self.gains.values())
        last = max(self.gains)
        model, baseline = self.model(last), self.baseline(last)
        assert model is not None  # noqa: S101 -- gains has the weeks that have both
        assert baseline is not None  # noqa: S101
        mean = sum(self.gains.values()) / len(self.gains)
        weeks = plural(len(self.gains), "week")
        return (
            f"In the week from {day(last)} the model's MAP@12 is {score(model.value)}, that of the "
            f"best baseline, {label(baseline.recommender)}, {score(baseline.value)}. The model is "
            f"ahead in {ahead} of {weeks}, by {gain(mean)} on average."
        )


def render_trend(trend: Trend, dataset: str) -> str:
    """The page of all weeks as an HTML document, without anything from outside."""
    weeks = trend.weeks
    title = "No week has scores yet"
    if weeks:
        title = day(weeks[0]) if len(weeks) == 1 else f"{day(weeks[0])} to {day(weeks[-1])}"
    return page(
        "trend.html.j2",
        {
            "dataset": dataset,
            "title": title,
            "headline": trend.headline(),
            "note": "Each week's lists were made from what was known before it, and are scored on "
            "all customers who bought in it. Bands are 95% intervals, where a week has them.",
            "charts": [drawn(chart) for chart in trend.charts()],
            "weeks": _week_table(trend),
            "everyone": _everyone(trend),
        },
    )


def _week_table(trend: Trend) -> dict[str, object]:
    heads = ["Week", "Model", "Best baseline", "Difference", "Customers"]
    rows = []
    for week in reversed(trend.weeks):
        model, baseline = trend.model(week), trend.baseline(week)
        above = trend.gains.get(week)
        customers = max(each.customers for each in trend.scores[week].values())
        change = ""
        if above is not None and baseline is not None and baseline.value:
            change = f" ({'+' if above > 0 else '−'}{percent(abs(above) / baseline.value)})"
        cells = [
            _said(model),
            _said(baseline),
            "" if above is None else gain(above) + change,
            f"{customers:,}",
        ]
        rows.append(_table_row(str(week), [(cell, "") for cell in cells]))
    return {"heads": heads, "rows": rows}


def _everyone(trend: Trend) -> dict[str, object]:
    rows = []
    for week in reversed(trend.weeks):
        found = trend.scores[week]
        best = max(each.value for each in found.values())
        cells = [
            ("", "")
            if name not in found
            else (score(found[name].value), "best" if found[name].value == best > 0 else "")
            for name in trend.recommenders
        ]
        rows.append(_table_row(str(week), cells))
    return {"heads": ["Week", *map(label, trend.recommenders)], "rows": rows}


def _table_row(name: str, cells: Sequence[tuple[str, str]]) -> dict[str, object]:
    return {
        "label": name,
        "tested": False,
        "reference": False,
        "cells": [{"text": text, "mark": mark} for text, mark in cells],
    }


def _said(found: Score | None) -> str:
    """``Ranker 0.1551 (0.1498–0.1603)``."""
    if found is None:
        return ""
    between = ""
    if found.interval:
        between = f" ({score(found.interval[0])}–{score(found.interval[1])})"
    return f"{label(found.recommender)} {score(found.value)}{between}"
