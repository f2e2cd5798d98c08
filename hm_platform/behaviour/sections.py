"""The parts of the page that say what the tests found: verdict, tests, groups, changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from hm_platform.behaviour import wording
from hm_platform.behaviour.charts import Chart
from hm_platform.behaviour.charts_intervals import Estimate, intervals
from hm_platform.behaviour.effects import Effect
from hm_platform.behaviour.groups import SPREAD
from hm_platform.behaviour.inputs import ReportInputs
from hm_platform.behaviour.results import BehavioralResults
from hm_platform.behaviour.tables import View, plain_row
from hm_platform.behaviour.thresholds import FEWEST, Judged, declared
from hm_platform.behaviour.verdict import Verdict
from hm_platform.drift.view import DriftView

WORSE = "below the others with its whole interval"
OTHERS = " against the others"

DIVISIONS = {
    "activity": "By number of past purchases",
    "age": "By age",
    "club_status": "By club status",
    "channel": "By channel",
    "product_group": "By product group",
    "article_popularity": "By popularity of the article",
    "article_age": "By age of the article",
}
"""The tests that divide customers or articles, as headings."""

OF_ARTICLES = ("product_group", "article_popularity", "article_age")
"""Those of them that divide articles: their numbers are shares of purchases, not MAP."""


def verdict(inputs: ReportInputs, found: Verdict) -> View:
    """What is decided, in a heading, a sentence, and a line for each threshold missed."""
    name, served = wording.label(inputs.challenger), wording.week(inputs.served_week)
    bounds = sum(1 for j in found.judged if j.threshold and j.verdict != "not measured")
    if found.passed:
        told = wording.plural(len(found.warnings), "warning") if found.warnings else "no warning"
        title = f"Passed, with {told}"
        sentence = (
            f"{name} of model {inputs.model_version} may be published for {served}: of "
            f"{wording.plural(bounds, 'bound')} it misses none that would stop it."
        )
    else:
        title = "Not passed"
        sentence = (
            f"{name} of model {inputs.model_version} is not published: it misses "
            f"{wording.plural(len(found.blocking), 'bound')} that a model must hold. For {served} "
            "what was published last serves on, with today's data, and where there is nothing the "
            "best baseline does."
        )
    return {
        "passed": found.passed,
        "title": title,
        "sentence": sentence,
        "blocking": [_missed(j) for j in found.blocking],
        "warnings": [_missed(j) for j in found.warnings],
    }


def _missed(judged: Judged) -> View:
    return {
        "test": wording.title(judged.test),
        "found": _sentence(judged),
        "because": judged.threshold.because if judged.threshold else "",
    }


def _sentence(judged: Judged) -> str:
    effect = judged.effect
    return f"{wording.effect(effect.name)} is {_number(effect)}, and must be {judged.threshold}"


def _number(effect: Effect) -> str:
    if effect.value is None:
        return "–"
    value = wording.number(effect.value)
    if effect.low is None or effect.high is None:
        return value
    return f"{value} ({wording.number(effect.low)} to {wording.number(effect.high)})"


def tests(found: Verdict, results: BehavioralResults) -> list[View]:
    """Each test: its question, its outcome, the bound that came nearest to being missed, and all
    numbers."""
    told = {test.name: test.description for test in results.tests}
    return [
        {
            "name": wording.title(name),
            "asks": declared()[name].asks,
            "told": told[name],
            "outcome": _outcome(judged),
            "failed": any(j.failed for j in judged),
            "nearest": _nearest(judged),
            "numbers": _numbers(judged),
        }
        for name, judged in found.tests().items()
    ]


def _outcome(judged: Sequence[Judged]) -> str:
    if any(j.blocks for j in judged):
        return "stops publication"
    if any(j.failed for j in judged):
        return "warns"
    if any(j.verdict == "passed" for j in judged):
        return "passed"
    return "reported" if judged and not any(j.threshold for j in judged) else "not measured"


def _nearest(judged: Sequence[Judged]) -> str:
    """The bound that is missed most, or held with the least room."""
    held = [j for j in judged if j.verdict in ("passed", "failed")]
    if not held:
        return ""
    return _sentence(min(held, key=lambda j: (not j.blocks, not j.failed, _room(j))))


def _room(judged: Judged) -> float:
    """How far the best end of the interval is on the right side, over the size of the bound."""
    effect, threshold = judged.effect, judged.threshold
    if threshold is None or effect.value is None:
        return float("inf")
    if threshold.at_least is not None:
        best = effect.value if effect.high is None else effect.high
        room, bound = best - threshold.at_least, threshold.at_least
    else:
        best = effect.value if effect.low is None else effect.low
        room, bound = (threshold.at_most or 0.0) - best, threshold.at_most or 0.0
    return room / max(abs(bound), 1e-9) if bound else room


def _numbers(judged: Sequence[Judged]) -> View:
    rows = []
    for j in judged:
        effect = j.effect
        interval = (
            ""
            if effect.low is None or effect.high is None
            else f"{wording.number(effect.low)} to {wording.number(effect.high)}"
        )
        value = "–" if effect.value is None else wording.number(effect.value)
        bound = f"{j.threshold} ({j.threshold.severity})" if j.threshold else ""
        cells: list[str | tuple[str, str]] = [
            value,
            interval,
            wording.count(effect.count),
            bound,
            _marked(j.verdict),
        ]
        rows.append(plain_row(wording.effect(effect.name), cells))
    return {"heads": ["", "Value", "95% interval", "Over", "Bound", "Outcome"], "rows": rows}


def divisions(inputs: ReportInputs, results: BehavioralResults) -> list[View]:
    """The divisions with more than one group: a chart of each, and its worst group in words."""
    shown = []
    for test, heading in DIVISIONS.items():
        effects = {e.name: e for e in results[test].effects}
        chart = division_chart(inputs, test, list(effects.values()))
        if chart is None:
            continue
        shown.append(
            {
                "heading": heading,
                "told": results[test].description,
                "chart": chart,
                "worst": _worst(effects),
            }
        )
    return shown


def division_chart(inputs: ReportInputs, test: str, effects: Iterable[Effect]) -> Chart | None:
    """The groups of one division; None where there is one group alone."""
    named = {e.name: e for e in effects}
    groups = [e for e in named.values() if f"{e.name}{OTHERS}" in named and e.value is not None]
    if len(groups) < 2:
        return None
    of_articles = test in OF_ARTICLES
    rows = [
        Estimate(
            group.name,
            group.value or 0.0,
            group.low,
            group.high,
            wording.percent(group.value or 0.0) if of_articles else wording.score(group.value or 0),
            note=wording.plural(group.count, "customer"),
            flagged=WORSE if _is_worse(named[f"{group.name}{OTHERS}"]) else "",
        )
        for group in groups
    ]
    if of_articles:
        sizes = np.diff(inputs.bought.offsets)
        recall = inputs.recommender(inputs.challenger).metrics.recall
        title = "Share of the purchases that had been recommended"
        return intervals(title, rows, ("all", float((recall * sizes).sum() / sizes.sum())))
    mean = float(inputs.recommender(inputs.challenger).metrics.map.mean())
    return intervals(wording.metric_label(f"map@{inputs.k}"), rows, ("all", mean))


def _is_worse(gap: Effect) -> bool:
    """Whether a group is below the others by more than chance, and large enough to say so."""
    return gap.count >= FEWEST and gap.high is not None and gap.high < 0


def _worst(effects: dict[str, Effect]) -> str:
    groups = [
        e
        for e in effects.values()
        if f"{e.name}{OTHERS}" in effects and e.value is not None and e.count >= FEWEST
    ]
    if len(groups) < 2:
        return ""
    worst = min(groups, key=lambda e: e.value or 0.0)
    told = f"The worst group: {worst.name}"
    spread = effects.get(SPREAD)
    if spread is not None and spread.value is not None:
        told += f". On average the miss rates of groups are {wording.percent(spread.value)} apart"
        told += " from that of all (MRED)"
    return told + "."


def changes(inputs: ReportInputs, found: Verdict) -> View | None:
    """What is other than in the report of the week before; None without one."""
    before = inputs.before
    if before is None:
        return None
    rows = []
    for r in inputs.recommenders:
        metric = f"map@{inputs.k}"
        was = before.board.get(r.name, {}).get(metric)
        now = float(r.metrics.map.mean())
        if was is None:
            continue
        change = f"{now - was:+z.4f}"
        rows.append(
            plain_row(wording.label(r.name), [wording.score(was), wording.score(now), change])
        )
    failed = {j.test for j in found.judged if j.failed}
    # A test that could not measure anything this week is not mended.
    held = {j.test for j in found.judged if j.verdict == "passed"} - failed
    return {
        "week": wording.week(before.week),
        "heads": ["Recommender", "Week before", "This week", "Change"],
        "rows": rows,
        "missed": [wording.title(t) for t in sorted(failed - before.failed)],
        "mended": [wording.title(t) for t in sorted(before.failed & held)],
        "other": (
            f"The week before, {wording.label(before.challenger)} was under test."
            if before.challenger != inputs.challenger
            else ""
        ),
    }


def drift(found: DriftView) -> View:
    """How the week's purchases and features differ from the weeks before."""
    rows = [
        plain_row(row.label, [row.of, row.value, row.threshold, _marked(row.outcome), row.detail])
        for row in found.rows
    ]
    return {
        "headline": found.headline,
        "heads": ["", "Of", "Change", "Bound", "Outcome", "What changed most"],
        "rows": rows,
    }


def _marked(outcome: str) -> tuple[str, str]:
    return outcome, outcome if outcome in ("failed", "passed") else ""


def board_chart(inputs: ReportInputs, results: BehavioralResults) -> Chart:
    """MAP@k of each recommender, with its interval."""
    rows = []
    for i, r in enumerate(inputs.recommenders):
        effect = next(e for e in results.board[r.name] if e.name == "map")
        rows.append(
            Estimate(
                wording.label(r.name),
                effect.value or 0.0,
                effect.low,
                effect.high,
                wording.score(effect.value or 0.0),
                i,
                "under test" if r.name == inputs.challenger else "",
            )
        )
    return intervals(f"{wording.metric_label(f'map@{inputs.k}')} in the test week", rows)
