"""The tables of the report's page: heads and rows of ready texts, in the template's shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hm_platform.behaviour import plots, wording
from hm_platform.behaviour.board import best_of
from hm_platform.behaviour.cold_customers import REFERENCE
from hm_platform.behaviour.inputs import Epoch, ReportInputs, Sources
from hm_platform.behaviour.results import BehavioralResults

View = dict[str, Any]
"""What the template reads."""

FAULTS = {
    "customers_short_served": "customers without a full list",
    "customers_with_duplicates": "customers with an article twice",
    "not_sellable": "recommended articles never sold before",
    "customers_misscored": "customers whose score contradicts the list",
}

UNION = "union"
"""What all candidate sources together are called where recall is measured."""

GROUPS = {
    "affinity": "The customer's age and that of its buyers",
    "collaborative": "How well it goes with what the customer bought",
    "customer": "How the customer shops",
    "frequency": "How often the customer bought it",
    "kind": "How the customer bought articles of its kind",
    "novelty": "How long it has been sold",
    "popularity": "How many people buy it",
    "price": "Its price",
    "recency": "How long ago the customer bought it",
    "returning": "How often its buyers come back for it",
    "rhythm": "Whether the customer is due to buy it again",
    "share": "Its share of the customer's shopping days",
    "two_tower": "The score of the retrieval model",
}
"""The groups of the ranker's features in words about an article."""

METHODS = {
    "first_sales": "First sales of articles like them",
    "two_tower": "Two-tower, from their attributes",
    "product_type": "Popularity of their product type in the segment",
}
"""What puts articles without a sale in order."""


def _row(inputs: ReportInputs, name: str, cells: Iterable[str | tuple[str, str]]) -> View:
    """A table's row about a recommender; a cell is a text or (text, mark)."""
    return {
        "label": wording.label(name),
        "tested": name == inputs.challenger,
        "reference": False,
        "cells": _cells(cells),
    }


def plain_row(label: str, cells: Iterable[str | tuple[str, str]], reference: bool = False) -> View:
    """A table's row about anything else."""
    return {"label": label, "tested": False, "reference": reference, "cells": _cells(cells)}


def _cells(cells: Iterable[str | tuple[str, str]]) -> list[View]:
    pairs = (c if isinstance(c, tuple) else (c, "") for c in cells)
    return [{"text": text, "mark": mark} for text, mark in pairs]


def board(inputs: ReportInputs, results: BehavioralResults) -> View:
    accuracy, coverage = results["accuracy"].result, results["coverage"].result
    metrics = list(accuracy[inputs.challenger])
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
            plain_row(
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
    rows.append(plain_row("What customers bought", ["", "", bought], reference=True))
    return {
        "heads": ["Recommender", "Distinct articles", "Coverage", "On the best sellers"],
        "rows": rows,
    }


def sanity(inputs: ReportInputs, faults: Mapping[str, Mapping[str, int]]) -> View:
    names = [r.name for r in inputs.recommenders]
    return {
        "heads": ["Fault", *map(wording.label, names)],
        "rows": [
            plain_row(
                text.capitalize(),
                [
                    (wording.count(faults[n][fault]), "fault" if faults[n][fault] else "")
                    for n in names
                ],
            )
            for fault, text in FAULTS.items()
        ],
    }


def recall(sources: Sources) -> View:
    """The candidate sources, best first; all together last."""

    def row(name: str) -> View:
        found, union = sources.recall[name], name == UNION
        return plain_row(
            "All together" if union else wording.label(name),
            [
                wording.percent(found.recall),
                "" if union else wording.percent(found.only),
                f"{found.candidates:,.1f}",
            ],
            reference=union,
        )

    # What is not the union comes first, then the higher recall; equals keep their order.
    names = sorted(sources.recall, key=lambda name: (name == UNION, -sources.recall[name].recall))
    return {
        "heads": ["Source", "Recall", "That no other source has", "Candidates a customer"],
        "rows": [row(name) for name in names],
    }


def importance(sources: Sources) -> View:
    """The groups of features, the most important first."""
    return {
        "heads": ["Features", "MAP@12 lost"],
        "rows": [
            plain_row(GROUPS.get(group, wording.label(group)), [wording.score(loss)])
            for group, loss in sorted(sources.importance.items(), key=lambda item: -item[1])
        ],
    }


def cold_customers(inputs: ReportInputs, found: Mapping[str, Any]) -> View:
    count = found["customers"]
    return {
        "counted": wording.plural(count, "customer") if count else "No customer",
        "heads": ["Recommender", wording.metric_label(f"map@{inputs.k}")],
        "rows": [
            _row(inputs, name, [wording.score(value)])
            for name, value in found["recommenders"].items()
        ],
    }


def as_if_new(inputs: ReportInputs, found: Mapping[str, Any]) -> View:
    def cells(name: str, values: Mapping[str, Any]) -> list[str]:
        lead = wording.gain(values["lead"], values["low"], values["high"])
        return [wording.score(values[metric]), "" if name == REFERENCE else lead]

    metric = f"map@{inputs.as_if_new.k if inputs.as_if_new else inputs.k}"
    return {
        "counted": wording.plural(found["customers"], "customer"),
        "heads": [
            "Recommender",
            wording.metric_label(metric),
            f"Against {wording.label(REFERENCE).lower()}",
        ],
        "rows": [
            _row(inputs, name, cells(name, values))
            for name, values in found["recommenders"].items()
        ],
    }


def cold_articles(inputs: ReportInputs, found: Mapping[str, Any]) -> View:
    articles = wording.plural(found["articles"], "article")
    methods = found["methods"]
    recall = f"recall@{inputs.cold_articles.k if inputs.cold_articles else inputs.k}"
    if not found["articles"]:
        counted = "Every article had a sale before the test week."
    elif not methods:
        counted = f"Nobody bought one of the {articles} without a sale before the test week."
    else:
        counted = (
            f"{articles} without a sale before the test week, put in order for "
            f"{wording.plural(found['customers'], 'customer')} who bought one in it"
        )
    return {
        "counted": counted,
        "heads": ["Put in order by", wording.metric_label(recall), "Percentile (95% interval)"],
        "rows": [
            plain_row(
                METHODS[name],
                [
                    wording.score(values[recall]),
                    wording.estimate(values["percentile"], values["low"], values["high"]),
                ],
            )
            for name, values in methods.items()
        ],
    }


def epochs(logged: Sequence[Epoch]) -> View:
    keys = plots.logged(logged)
    rows = []
    for i, epoch in enumerate(logged):
        values = (plots.number(epoch.get(key)) for key in keys)
        rows.append(
            plain_row(
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
            plain_row(
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
