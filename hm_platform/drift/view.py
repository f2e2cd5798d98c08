"""What people are shown of a week's drift: a sentence, rows, and charts.

It is made from rows of ``evaluation.drift`` alone, so a page that shows it needs nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from hm_platform.behaviour.charts import Bar, Chart, bars
from hm_platform.behaviour.week_charts import amount, over_weeks
from hm_platform.drift.quantities import FEATURES, FEWEST_WEEKS, PURCHASES, VOLUMES, is_feature
from hm_platform.drift.table import FAILED, NOT_MEASURED, PASSED, Row

JUDGED = ("ratio", "stability_index")
"""The measures that have a threshold; the others are numbers of a week."""

MOST_BARS = 12

_LABELS = {volume.name: volume.label for volume in VOLUMES}
_WORDS = {each.name: each.statistic.words for each in PURCHASES if each.statistic}
_LABELS |= {quantity.name: quantity.label for quantity in (*PURCHASES, *FEATURES)}


@dataclass(frozen=True)
class DriftRow:
    """A quantity that is compared, in words.

    of : "purchases" or "features"
    value, threshold : as people read them; empty where there is none
    outcome : passed, failed, reported or not measured
    detail : what has changed most
    """

    label: str
    of: str
    value: str
    threshold: str
    outcome: str
    detail: str


@dataclass(frozen=True)
class DriftView:
    """What to show of a week; ``rows`` are those of purchases, then of features, failed first."""

    headline: str
    rows: tuple[DriftRow, ...]
    charts: tuple[Chart, ...]


def drift_view(rows: Iterable[Mapping[str, Any]], week: date) -> DriftView:
    """What to show of ``week``.

    rows : rows of ``evaluation.drift`` as mappings, those of ``week`` and of any other weeks,
        which are drawn beside it
    """
    everything = list(rows)
    mine = [row for row in everything if row["week"] == week]
    judged = [row for row in mine if row["measure"] in JUDGED]
    judged.sort(key=lambda row: (is_feature(row["quantity"]), row["outcome"] != FAILED))
    charts = [_distances(judged), _by_week(everything), *_statistics(mine)]
    return DriftView(
        headline(judged),
        tuple(_row(row) for row in judged),
        tuple(chart for chart in charts if chart.body),
    )


def headline(rows: Iterable[Mapping[str, Any]]) -> str:
    """In a sentence, whether the week looks as those before it."""
    judged = [row for row in rows if row["measure"] in JUDGED]
    weeks = max((row["reference_weeks"] for row in judged), default=0)
    if weeks == 0:
        return "There is no week before this one to compare it with."
    if weeks < FEWEST_WEEKS:
        there = "There is 1 week" if weeks == 1 else f"There are {weeks} weeks"
        return f"{there} to compare this one with, too few to judge: {FEWEST_WEEKS} are needed."
    known = [row for row in judged if row["outcome"] in {PASSED, FAILED}]
    failed = [row for row in known if row["outcome"] == FAILED]
    before = f"the {weeks} weeks before"
    if not failed:
        return f"All {len(known)} quantities look as in {before}."
    named = "; ".join(f"{_LABELS[r['quantity']]} ({r['detail']})" for r in failed[:4])
    more = f"; and {len(failed) - 4} more" if len(failed) > 4 else ""
    verb = "looks" if len(failed) == 1 else "look"
    return f"{len(failed)} of {len(known)} quantities {verb} other than in {before}: {named}{more}."


def distance(row: Mapping[str, Any]) -> float | None:
    """How far a row is from no change, 1 = its threshold; None where it is not judged."""
    value, threshold = row["value"], row["threshold"]
    if value is None or threshold is None:
        return None
    if row["measure"] == "ratio":
        return abs(math.log(value)) / math.log(threshold) if value > 0 else math.inf
    return float(value) / float(threshold)


def _row(row: Mapping[str, Any]) -> DriftRow:
    value, threshold = row["value"], row["threshold"]
    ratio = row["measure"] == "ratio"
    limit = "" if threshold is None else f"at most {threshold:.3f}"
    if threshold is not None and ratio:
        limit = f"from {1 / threshold:.2f} to {threshold:.2f}"
    return DriftRow(
        label=_LABELS.get(row["quantity"], row["quantity"]),
        of="features" if is_feature(row["quantity"]) else "purchases",
        value="" if value is None else f"× {value:.2f}" if ratio else f"{value:.3f}",
        threshold=limit,
        outcome=row["outcome"],
        detail=row["detail"] or "",
    )


def _distances(judged: Iterable[Mapping[str, Any]]) -> Chart:
    """The quantities that have changed most, each against its own threshold."""
    found = [(d, row) for row in judged if (d := distance(row)) is not None]
    found.sort(key=lambda each: -each[0])
    shown = found[:MOST_BARS]
    # A change out of all proportion must not make the others invisible.
    return bars(
        "How far from the weeks before, as a share of what is allowed",
        [
            Bar(
                _LABELS.get(row["quantity"], row["quantity"]),
                min(far, 3.0),
                f"{100 * far:,.0f}%" if math.isfinite(far) else "none left",
                1 if row["outcome"] == FAILED else 0,
            )
            for far, row in shown
        ],
    )


def _by_week(rows: Iterable[Mapping[str, Any]]) -> Chart:
    """The farthest quantity of purchases and of features, week by week."""
    farthest: dict[bool, dict[date, float]] = {False: {}, True: {}}
    for row in rows:
        if (far := distance(row)) is not None:
            of = farthest[is_feature(row["quantity"])]
            of[row["week"]] = max(of.get(row["week"], 0.0), min(far, 3.0))
    weeks = sorted(farthest[False].keys() | farthest[True].keys())
    title = "The quantity that is farthest from the weeks before, 1 = what is allowed"
    if len(weeks) < 2:
        return Chart(title, "no values", 0, "")
    named = {"Purchases": farthest[False], "Features": farthest[True]}
    series = {name: [found.get(week) for week in weeks] for name, found in named.items()}
    return over_weeks(title, weeks, series, limit=1.0)


def _statistics(mine: Iterable[Row | Mapping[str, Any]]) -> list[Chart]:
    """The numbers of the week that people follow, with those of the weeks before."""
    charts = []
    for row in mine:
        if row["measure"] in JUDGED or row["outcome"] == NOT_MEASURED or not row["weeks_before"]:
            continue
        before = [(each["week"], each["value"]) for each in row["weeks_before"]]
        points = [*before, (row["week"], row["value"])]
        if not any(value for _, value in points):
            continue
        title = str(_LABELS.get(row["quantity"], row["quantity"]))
        words = _WORDS.get(row["quantity"], "number")
        charts.append(
            over_weeks(
                title,
                [week for week, _ in points],
                {words.capitalize(): [value for _, value in points]},
                text=_percent if row["measure"] == "share" else amount,
                height=150,
            )
        )
    return charts


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"
