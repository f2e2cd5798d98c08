"""The tables of the report's page: heads and rows of ready texts, in the template's shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hm_platform.behaviour import plots, wording
from hm_platform.behaviour.board import best_of
from hm_platform.behaviour.inputs import ReportInputs
from hm_platform.behaviour.reclist_tests import BehavioralResults

View = dict[str, Any]
"""What the template reads."""

FAULTS = {
    "customers_short_served": "customers without a full list",
    "customers_with_duplicates": "customers with an article twice",
    "not_sellable": "recommended articles never sold before",
    "customers_misscored": "customers whose score contradicts the list",
}


def _row(inputs: ReportInputs, name: str, cells: Iterable[str | tuple[str, str]]) -> View:
    """A table's row about a recommender; a cell is a text or (text, mark)."""
    return {
        "label": wording.label(name),
        "published": name == inputs.published,
        "reference": False,
        "cells": _cells(cells),
    }


def _plain(label: str, cells: Iterable[str | tuple[str, str]], reference: bool = False) -> View:
    """A table's row about anything else."""
    return {"label": label, "published": False, "reference": reference, "cells": _cells(cells)}


def _cells(cells: Iterable[str | tuple[str, str]]) -> list[View]:
    pairs = (c if isinstance(c, tuple) else (c, "") for c in cells)
    return [{"text": text, "mark": mark} for text, mark in pairs]


def board(inputs: ReportInputs, results: BehavioralResults) -> View:
    accuracy, coverage = results["accuracy"].result, results["coverage"].result
    metrics = list(accuracy[inputs.published])
    best = {metric: best_of(accuracy, metric) for metric in metrics}
    widest = best_of(coverage, "coverage")

    def cells(name: str) -> list[tuple[str, str]]:
        shown = [(wording.score(accuracy[name][m]), name in best[m]) for m in metrics]
        shown.append((wording.percent(coverage[name]["coverage"]), name in widest))
        return [(text, "best" if marked else "") for text, marked in shown]

    return {
        "heads": ["Recommender", *map(wording.metric_label, metrics), "Coverage"],
        "rows": [_row(inputs, r.name, cells(r.name)) for r in inputs.recommenders],
    }


def activity(inputs: ReportInputs, groups: Sequence[Mapping[str, Any]]) -> View:
    names = [r.name for r in inputs.recommenders]
    return {
        "heads": ["Past purchases", "Customers", *map(wording.label, names)],
        "rows": [
            _plain(
                g["group"],
                [
                    wording.count(g["customers"]),
                    *(wording.score(g["recommenders"][n]) for n in names),
                ],
            )
            for g in groups
        ],
    }


def hits(inputs: ReportInputs, repeats: Mapping[str, Mapping[str, float]]) -> View:
    def per_thousand(hits: float) -> str:
        return f"{1000 * hits / inputs.n:,.1f}"

    return {
        "heads": ["Recommender", "Repeats", "Discoveries"],
        "rows": [
            _row(
                inputs,
                r.name,
                [
                    per_thousand(repeats[r.name]["repeat_hits"]),
                    per_thousand(repeats[r.name]["discovery_hits"]),
                ],
            )
            for r in inputs.recommenders
        ],
    }


def breadth(inputs: ReportInputs, results: BehavioralResults) -> View:
    coverage, popularity = results["coverage"].result, results["popularity"].result
    rows = [
        _row(
            inputs,
            r.name,
            [
                wording.count(coverage[r.name]["distinct_articles"]),
                wording.percent(coverage[r.name]["coverage"]),
                wording.percent(popularity[r.name]["head_share"]),
            ],
        )
        for r in inputs.recommenders
    ]
    bought = wording.percent(popularity["purchases"]["head_share"])
    rows.append(_plain("What customers bought", ["", "", bought], reference=True))
    return {
        "heads": ["Recommender", "Distinct articles", "Coverage", "On the best sellers"],
        "rows": rows,
    }


def sanity(inputs: ReportInputs, faults: Mapping[str, Mapping[str, int]]) -> View:
    names = [r.name for r in inputs.recommenders]
    return {
        "heads": ["Fault", *map(wording.label, names)],
        "rows": [
            _plain(
                text.capitalize(),
                [
                    (wording.count(faults[n][fault]), "fault" if faults[n][fault] else "")
                    for n in names
                ],
            )
            for fault, text in FAULTS.items()
        ],
    }


def epochs(inputs: ReportInputs) -> View:
    keys = plots.logged(inputs.epochs)
    rows = []
    for i, epoch in enumerate(inputs.epochs):
        values = (plots.number(epoch.get(key)) for key in keys)
        rows.append(
            _plain(
                str(epoch.get("epoch", i + 1)),
                ["–" if v is None else f"{v:.5g}" for v in values],
            )
        )
    return {"heads": ["Epoch", *map(wording.series_label, keys)], "rows": rows}


def volumes(inputs: ReportInputs) -> View:
    def days(first: object, last: object) -> str:
        return f"{first} to {last}" if first and last else "–"

    return {
        "heads": ["Split", "Purchases", "Customers", "Articles", "Days", "From first to last day"],
        "rows": [
            _plain(
                v.split.capitalize(),
                [
                    *(
                        wording.count(number)
                        for number in (v.rows, v.customers, v.articles, v.days)
                    ),
                    days(v.first_day, v.last_day),
                ],
            )
            for v in inputs.volumes
        ],
    }
