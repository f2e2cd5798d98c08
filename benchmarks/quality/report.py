"""The results as a page for ``docs/``, a plot, JSON, and a table for the terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from benchmarks.quality.comparison import Difference
from benchmarks.quality.groups import GroupScore
from benchmarks.quality.ours import NAME
from benchmarks.quality.protocol import VALIDATION
from benchmarks.quality.results import METRICS, SEGMENTS, Results, Row
from hm_platform.behaviour.charts import Bar, bars

HEADINGS = ("MAP@12", "recall@12", "NDCG@12", "hit rate", "coverage", "s a week")
_INTRODUCTION = """\
# How good the recommendations are

Written by `make bench-quality`; do not edit by hand.

hm_platform beside well-known recommenders on The Complete Journey. For each target week all
purchases before its first day are known and nothing else. Scored are all customers who bought in
the week, twelve articles each, on the distinct articles they bought; repeats are allowed and every
article may be recommended. MAP@12 is the measure of Kaggle's H&M competition.
"""
_HIDDEN = """\
Few customers buy for the first time in these weeks: their group above says little. Here customers
with a past are asked for as if they had none. Their purchases and ids are hidden, a quarter of the
customers at a time; their attributes are not, nor what the others bought. Sums over everybody, such
as an article's sales, still hold their purchases. {customer_weeks:,} customer-weeks.
"""
_NEVER_SOLD = """\
Only a sale proves that an article can be bought, so no list holds an article without one, whoever
made it, and above they are all 0. What is known of such articles is measured here: those without
a sale, {articles:,.0f} on average, are put in order for each customer who bought one of them, over
{customer_weeks:,} customer-weeks. The percentile is where what was bought stands: 0 is the first
place, 1 the last, and 0.5 is chance: less is better. Segment popularity knows no sale of theirs; it
is given those of their product type.
"""
_ORDERS = {
    "first_sales": "first sales of articles like them",
    "two_tower": "the retrieval model, from their attributes",
    "product_type": "popularity of their product type in the segment",
}
_METHOD = """\
## How it was measured

- hm_platform is what `hm build` published for the week before the target week; its seconds are
  those of the whole build. hm_platform-two-tower is what its retrieval model would have published
  without the ranker. Peers are in `benchmarks/quality/peers`, with their settings and
  sources. Seconds are to fit and to recommend, on {cores} cores.
- Peers' settings come from their papers or were chosen on the target weeks {validation}, never on
  those above: `python -m benchmarks.quality --tune` shows the choices.
- hm_platform's own settings were chosen on target weeks before those above, too: how long and how
  fast its retrieval model trains, how many past weeks its ranker learns from and what it reads on
  those of 2017-09-18 to 2017-10-16, the damping of co-purchases on 2017-09-11 and 2017-10-09, the
  share of buyers that it learns from as if they were new on 2017-09-11 to 2017-09-25, how long its
  ranker trains, that it learns from the validation week too, and how much best sellers are
  discounted at most, on 2017-08-14 to 2017-10-16. Some things are not as clean. The rule that
  settles between its two stages was made after a look at the week of 2017-12-25. Earlier versions
  were scored on the weeks above as well, so whoever worked on later ones knew how those had done:
  that it learns from customers as if they were new at all is because it had been behind segment
  popularity there, and that there is a discount on best sellers is because its lists had covered
  less of the catalogue there than the best peer's.
- Intervals are 95 % bootstrap intervals of paired differences over customer-weeks, where whole
  customers are drawn again with all their weeks.
- Coverage is the share of the articles sold before a week that is in anybody's list. Two
  seeds of hm_platform's ranker differed by up to 3 % of it on the weeks of 2017-08-14 to 09-11, and
  by 5 % on those of 2017-09-18 to 10-16.
- Two are left out because they cannot be installed beside this platform: LightFM has no wheel, and
  RecTools (SASRec) wants NumPy 1 and pandas 2. Models like these, of ids alone, do not see repeats
  and stay near the best sellers on this data.
"""


def markdown(results: Results, plot: str, cores: int) -> str:
    """The page; ``plot`` is the picture's path as seen from it."""
    weeks = results.weeks
    return "\n".join(
        [
            _INTRODUCTION,
            f"![MAP@12 of each recommender]({plot})",
            "",
            _verdict(results),
            "",
            *markdown_table(
                ["recommender", *HEADINGS, f"{results.reference} − it, MAP@12"],
                [_cells(row) for row in results.rows],
            ),
            "",
            "## MAP@12 by week",
            "",
            *markdown_table(
                ["recommender", *(week[5:] for week in weeks)],
                [[r.name, *(f"{r.by_week[w]:.4f}" for w in weeks)] for r in results.rows],
            ),
            "",
            "## Customers by their purchases before the week, MAP@12",
            "",
            *_groups("purchases before", "customer-weeks", results.customers),
            "",
            *_as_if_new(results),
            "## Articles by how long they have been sold, share found",
            "",
            "Of the articles that customers bought, how many were among their twelve.",
            "",
            *_groups("article", "bought", results.articles),
            "",
            *_without_sale(results),
            _METHOD.format(cores=cores, validation=" and ".join(map(str, VALIDATION))),
        ]
    )


def chart(results: Results) -> str:
    """An SVG of the pooled MAP@12, the reference in a colour of its own."""
    drawn = bars(
        f"MAP@12 over {len(results.weeks)} weeks",
        [
            Bar(row.name, row.metrics["map"], f"{row.metrics['map']:.4f}", _colour(results, row))
            for row in results.rows
        ],
    )
    return drawn.standalone(width=640) + "\n"


def terminal(results: Results) -> Table:
    """The main table."""
    table = Table(title=f"{results.customer_weeks:,} customer-weeks", title_justify="left")
    table.add_column("recommender")
    for heading in (*HEADINGS, "ahead of it"):
        table.add_column(heading, justify="right")
    for row in results.rows:
        difference = "" if row.difference is None else f"{row.difference.mean:+.4f}"
        table.add_row(*_cells(row)[:-1], difference)
    return table


def write(results: Results, docs: Path, json_file: Path, cores: int) -> Sequence[Path]:
    """Write page, plot and JSON; returns where they are."""
    page, plot = docs / "quality.md", docs / "images" / "quality.svg"
    for file, text in (
        (page, markdown(results, str(plot.relative_to(docs)), cores)),
        (plot, chart(results)),
        (json_file, json.dumps(asdict(results), indent=1) + "\n"),
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return page, plot, json_file


def _verdict(results: Results) -> str:
    """Over what was measured, and the reference against the best of the others."""
    weeks, best = results.weeks, results.best_other
    said = (
        f"{len(weeks)} target weeks, {weeks[0]} to {weeks[-1]}, "
        f"{results.customer_weeks:,} customer-weeks."
    )
    if best is None or best.difference is None:
        return said
    d = best.difference
    return (
        f"{said} {results.reference} against {best.name}, the best of the others: "
        f"{_difference(d)} MAP@12, which is {d.relative:+.1%} "
        f"({d.relative_low:+.1%} to {d.relative_high:+.1%})."
    )


def _as_if_new(results: Results) -> list[str]:
    """The section on customers whose past was hidden; nothing where that was not measured."""
    found = results.as_if_new
    if found is None:
        return []
    return [
        "## Customers as if they were new",
        "",
        _HIDDEN.format(customer_weeks=found.customer_weeks),
        *markdown_table(
            ["recommender", "MAP@12", f"{NAME} − it"],
            [
                [NAME, f"{found.ours:.4f}", ""],
                [SEGMENTS, f"{found.segments:.4f}", _difference(found.difference)],
            ],
        ),
        "",
    ]


def _without_sale(results: Results) -> list[str]:
    """The section on articles that were never sold; nothing where that was not measured."""
    found = results.without_sale
    if found is None:
        return []
    return [
        "## Articles without a sale",
        "",
        _NEVER_SOLD.format(**vars(found)),
        *markdown_table(
            ["put in order by", "percentile", "recall@12", "percentile − popularity's"],
            [
                [
                    _ORDERS[order.method],
                    f"{order.percentile:.4f}",
                    f"{order.recall:.4f}",
                    "" if order.difference is None else _difference(order.difference),
                ]
                for order in found.orders
            ],
        ),
        "",
    ]


def _cells(row: Row) -> list[str]:
    return [
        row.name,
        *(f"{row.metrics[metric]:.4f}" for metric in METRICS),
        f"{row.coverage:.2%}",
        f"{row.seconds:.0f}",
        "" if row.difference is None else _difference(row.difference),
    ]


def _difference(d: Difference) -> str:
    return f"{d.mean:+.4f} ({d.low:+.4f} to {d.high:+.4f})"


def _groups(what: str, unit: str, scores: Mapping[str, Sequence[GroupScore]]) -> list[str]:
    first = next(iter(scores.values()))
    rows = [
        [group.group, f"{group.count:,}", *(_score(s[i].mean) for s in scores.values())]
        for i, group in enumerate(first)
    ]
    return markdown_table([what, unit, *scores], rows)


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table; all columns but the first are numbers."""
    rule = ["---", *("---:" for _ in headings[1:])]
    return [f"| {' | '.join(cells)} |" for cells in (headings, rule, *rows)]


def _colour(results: Results, row: Row) -> int:
    return 0 if row.name == results.reference else 7
