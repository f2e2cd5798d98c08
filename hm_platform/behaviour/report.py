"""The behavioural report as one self-contained HTML page.

The page needs no network and no script, and the same inputs give the same bytes. Text and markup
are in ``templates``; this module turns numbers into what the template shows.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from hm_platform.behaviour import plots, sections, tables, wording
from hm_platform.behaviour.examples import Example, examples
from hm_platform.behaviour.inputs import Epoch, ReportInputs, ServingNow, Sources
from hm_platform.behaviour.pages import drawn, page
from hm_platform.behaviour.results import BehavioralResults


def render_html(inputs: ReportInputs, results: BehavioralResults) -> str:
    """The report of one week as an HTML document.

    Raises BehaviourError when ``results`` lacks a test that the page shows.
    """
    return page("report.html.j2", _view(inputs, results))


def render_nobody_bought(week: date, dataset: str, challenger: str, challenger_reason: str) -> str:
    """The page of a week in which nobody bought anything: there is nothing to measure.

    The arguments are those of ReportInputs.
    """
    return page(
        "empty.html.j2",
        {
            "week": week.isoformat(),
            "week_words": wording.week(week),
            "served_words": wording.week(week + timedelta(weeks=1)),
            "dataset": dataset,
            "tested": wording.label(challenger),
            "chosen_because": challenger_reason,
        },
    )


def _view(inputs: ReportInputs, results: BehavioralResults) -> tables.View:
    found = results.verdict()
    accuracy = results["accuracy"].result
    map_label = wording.metric_label(f"map@{inputs.k}")
    groups = results["activity"].result
    return {
        "week": inputs.week.isoformat(),
        "week_words": wording.week(inputs.week),
        "dataset": inputs.dataset,
        "headline": wording.headline(inputs, accuracy),
        "verdict": sections.verdict(inputs, found),
        "tests": sections.tests(found, results),
        "changes": sections.changes(inputs, found),
        "divisions": [
            {**d, "chart": drawn(d["chart"])} for d in sections.divisions(inputs, results)
        ],
        "chosen_because": inputs.challenger_reason,
        "tested": wording.label(inputs.challenger),
        "last_published": _last_published(inputs.last_published),
        "customers": wording.plural(inputs.n, "customer"),
        "map_label": map_label,
        "told": {test.name: test.description for test in results.tests},
        "board": tables.board(inputs, results),
        "activity": tables.activity(inputs, groups),
        "hits": tables.hits(inputs, results["repeats"].result),
        "breadth": tables.breadth(inputs, results),
        "sanity": tables.sanity(inputs, results["sanity"].result),
        "faults": _fault_sentence(results["sanity"].result),
        "examples": [_example(e) for e in examples(inputs)],
        "two_stages": {"ranker", "two_tower"} <= {r.name for r in inputs.recommenders},
        "sources": _sources(inputs.sources),
        "cold_customers": tables.cold_customers(inputs, results["cold_customers"].result),
        "as_if_new": tables.as_if_new(inputs, results["as_if_new"].result),
        "cold_articles": tables.cold_articles(inputs, results["cold_articles"].result),
        "stages": _stages(inputs.training),
        "volumes": tables.volumes(inputs),
        "drift": sections.drift(inputs.drift) if inputs.drift else None,
        "drift_charts": [drawn(chart) for chart in (inputs.drift.charts if inputs.drift else ())],
        "facts": [*inputs.versions.items(), *inputs.fingerprints.items()],
        "feature_graph": _data_uri(inputs.feature_graph_svg),
        "charts": {
            "board": drawn(sections.board_chart(inputs, results)),
            "activity": drawn(plots.activity_chart(inputs, groups)),
            "repeats": drawn(plots.repeats_chart(inputs, results["repeats"].result)),
        },
        "definitions": _definitions(inputs),
    }


def _last_published(last: ServingNow | None) -> str:
    if last is None:
        return ""
    served = wording.week(last.week + timedelta(weeks=1))
    return (
        f"Last published is {wording.label(last.serves)} of model {last.version}, which served "
        f"{served}, asked with the data of this week."
    )


def _stages(training: Mapping[str, Sequence[Epoch]]) -> list[tables.View]:
    """The stages that logged anything that can be drawn."""
    logged = [(stage, epochs, plots.curve_charts(epochs)) for stage, epochs in training.items()]
    return [
        {
            "name": wording.label(stage),
            "curves": [drawn(chart) for chart in charts],
            "epochs": tables.epochs(epochs),
        }
        for stage, epochs, charts in logged
        if charts
    ]


def _sources(sources: Sources | None) -> tables.View | None:
    if sources is None:
        return None
    return {
        "no_ranker": sources.no_ranker,
        "measured": (
            "Measured on the validation week."
            if sources.importance
            else "Nobody bought in the validation week, so this was measured on the last of the "
            "past weeks that the ranker learnt from."
        ),
        "recall": tables.recall(sources),
        "importance": tables.importance(sources),
    }


def _fault_sentence(faults: Mapping[str, Mapping[str, int]]) -> str:
    found = [
        f"{wording.label(name)}: {text} ({wording.count(counts[fault])})"
        for name, counts in faults.items()
        for fault, text in tables.FAULTS.items()
        if counts[fault]
    ]
    return "; ".join(found) + "." if found else ""


def _example(example: Example) -> tables.View:
    def ago(days: int | None) -> str:
        return "" if days is None else "the day before" if days == 1 else f"{days} days before"

    listed = {a.article_id for a in example.recommended}
    return {
        "why": example.why,
        "customer_id": example.customer_id,
        "past": wording.plural(example.past_purchases, "purchase"),
        "score": wording.score(example.average_precision),
        "recent": [{**vars(a), "ago": ago(a.days_ago)} for a in example.recent],
        "recommended": [vars(a) for a in example.recommended],
        "bought": [{**vars(a), "known": a.article_id in listed} for a in example.bought],
        "more_bought": example.more_bought,
    }


def _data_uri(svg: str | None) -> str | None:
    """An SVG document as an image: its scripts do not run and its names do not meet the page's."""
    if not svg:
        return None
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _definitions(inputs: ReportInputs) -> str:
    k = inputs.k
    return (
        f"All metrics look at the first {k} articles of a list. MAP@{k}: mean average precision, "
        f"as in the H&M competition. Recall@{k}: share of a customer's articles that were listed. "
        f"NDCG@{k}: hits discounted by the logarithm of their rank, against the best order. "
        f"Hit rate@{k}: share of customers with at least one hit. MRR@{k}: one over the rank of "
        "the first hit. Coverage: share of the articles that could be recommended that are in at "
        "least one list."
    )
