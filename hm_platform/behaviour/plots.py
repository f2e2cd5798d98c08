"""The headline plots as Markdown with the picture inside, for Dagster's UI.

Pictures are SVG in base64, a few kilobytes each, on a light ground of their own because the UI's
theme and the browser's colour scheme may differ.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

from hm_platform.behaviour import wording
from hm_platform.behaviour.charts import Chart, DotRow, dots, lines, shares
from hm_platform.behaviour.inputs import Epoch, ReportInputs
from hm_platform.behaviour.results import BehavioralResults


def activity_chart(inputs: ReportInputs, groups: Sequence[Mapping[str, Any]]) -> Chart:
    """MAP@k of each recommender in each group of ``measures.by_group``."""
    names = [r.name for r in inputs.recommenders]
    rows = [
        DotRow(
            g["group"],
            wording.plural(g["customers"], "customer"),
            [g["recommenders"][n] for n in names],
        )
        for g in groups
    ]
    title = f"{wording.metric_label(f'map@{inputs.k}')} by number of past purchases"
    return dots(title, [*map(wording.label, names)], rows)


def repeats_chart(inputs: ReportInputs, repeats: Mapping[str, Mapping[str, float]]) -> Chart:
    """How the recommendations divide into the repeats and discoveries of ``measures.repeats``."""
    named = [(wording.label(r.name), repeats[r.name]["repeat_share"]) for r in inputs.recommenders]
    named.append(("What customers bought", repeats["purchases"]["repeat_share"]))
    return shares(
        "Repeats and discoveries",
        ("repeats", "discoveries"),
        [(label, s, wording.percent(s), wording.percent(1 - s)) for label, s in named],
    )


def curve_charts(epochs: Sequence[Epoch]) -> list[Chart]:
    """The losses in one chart and the validation MAP in another, as far as they were logged."""
    x = [number(e.get("epoch")) for e in epochs]
    at = [i + 1.0 if v is None else v for i, v in enumerate(x)]
    losses = [key for key in logged(epochs) if "loss" in key]
    maps = [key for key in logged(epochs) if "map" in key.lower() and "loss" not in key]
    charts = []
    for title, keys, highest in (("Loss", losses, False), ("MAP in validation", maps, True)):
        series = {wording.series_label(k): [number(e.get(k)) for e in epochs] for k in keys}
        chart = lines(title, at, series, "epoch", mark_highest=highest)
        if chart.body:
            charts.append(chart)
    return charts


def logged(epochs: Iterable[Epoch]) -> list[str]:
    """What was logged beside the epoch's number, in order of first appearance."""
    return [key for key in dict.fromkeys(k for e in epochs for k in e) if key != "epoch"]


def board_markdown(inputs: ReportInputs, results: BehavioralResults) -> str:
    """MAP@k of each recommender with its interval, as a picture in Markdown."""
    from hm_platform.behaviour.sections import board_chart

    return picture(board_chart(inputs, results)) + "\n"


def behaviour_markdown(inputs: ReportInputs, results: BehavioralResults) -> str:
    """Accuracy by group, and repeats against discoveries, as pictures in Markdown."""
    from hm_platform.behaviour.sections import divisions

    charts = [division["chart"] for division in divisions(inputs, results)]
    charts.append(repeats_chart(inputs, results["repeats"].result))
    return "\n\n".join(picture(chart) for chart in charts) + "\n"


def curves_markdown(epochs: Sequence[Epoch]) -> str:
    """The training curves, as pictures in Markdown; a sentence when nothing was logged."""
    charts = curve_charts(epochs)
    if not charts:
        return "No training curves were logged.\n"
    return "\n\n".join(picture(chart) for chart in charts) + "\n"


def training_markdown(training: Mapping[str, Sequence[Epoch]]) -> str:
    """Each stage's training curves under its name; a sentence when nothing was logged."""
    parts = [
        f"#### {wording.label(stage)}\n\n{curves_markdown(epochs)}"
        for stage, epochs in training.items()
        if curve_charts(epochs)
    ]
    return "\n".join(parts) or curves_markdown(())


def picture(chart: Chart) -> str:
    """A chart as a Markdown image that holds its own data."""
    data = base64.b64encode(chart.standalone().encode()).decode()
    # Brackets would end Markdown's alternative text.
    said = chart.label.replace("[", "(").replace("]", ")").replace("\n", " ")
    return f"![{said}](data:image/svg+xml;base64,{data})"


def number(value: object) -> float | None:
    """A logged value as a finite float, None when it is missing."""
    return float(value) if isinstance(value, Real) and math.isfinite(value) else None
