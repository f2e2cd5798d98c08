"""The board as rows for the warehouse (``evaluation.behavioral_report``) and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from hm_platform.behaviour import measures, wording
from hm_platform.behaviour.inputs import ReportInputs
from hm_platform.behaviour.results import BehavioralResults

SCHEMA = pa.schema(
    [
        pa.field("week", pa.date32(), nullable=False),
        pa.field("recommender", pa.string(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("low", pa.float64()),
        pa.field("high", pa.float64()),
        pa.field("customers", pa.int32(), nullable=False),
    ]
)


def board(inputs: ReportInputs) -> dict[str, measures.Numbers]:
    """Recommender -> metric -> value: all that is one number a recommender."""
    accuracy, coverage = measures.accuracy(inputs), measures.coverage(inputs)
    popularity, repeats = measures.popularity(inputs), measures.repeats(inputs)
    return {
        name: {
            **accuracy[name],
            **coverage[name],
            **popularity[name],
            "repeat_share": repeats[name]["repeat_share"],
        }
        for name in accuracy
    }


def board_table(inputs: ReportInputs, results: BehavioralResults) -> pa.Table:
    """A row a recommender and metric, in the board's order, over that many customers; ``low`` and
    ``high`` bound the 95% interval of the metrics of accuracy."""
    intervals = {
        (name, f"{effect.name}@{inputs.k}"): (effect.low, effect.high)
        for name, effects in results.board.items()
        for effect in effects
    }
    rows = [
        (inputs.week, name, metric, float(value), *intervals.get((name, metric), (None, None)),
         inputs.n)
        for name, metrics in board(inputs).items()
        for metric, value in metrics.items()
    ]  # fmt: skip
    columns = zip(*rows, strict=True)
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)],
        schema=SCHEMA,
    )


def board_text(inputs: ReportInputs) -> str:
    """The accuracy and coverage of each recommender as a Markdown table; the best in bold."""
    accuracy, coverage = measures.accuracy(inputs), measures.coverage(inputs)
    rows = {n: {**m, "coverage": coverage[n]["coverage"]} for n, m in accuracy.items()}
    metrics = list(next(iter(rows.values())))
    best = {metric: best_of(rows, metric) for metric in metrics}
    lines = [
        "| recommender | " + " | ".join(wording.metric_label(m) for m in metrics) + " |",
        "|---|" + "---:|" * len(metrics),
    ]
    for name, values in rows.items():
        cells = [
            ("**{}**" if name in best[m] else "{}").format(
                wording.percent(v) if m == "coverage" else wording.score(v)
            )
            for m, v in values.items()
        ]
        shown = f"{name} (judged)" if name == inputs.challenger else name
        lines.append(f"| {shown} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def best_of(rows: Mapping[str, Mapping[str, float]], metric: str) -> set[str]:
    """Who has the highest value; nobody when all are zero or there is nobody to compare with."""
    highest = max(values[metric] for values in rows.values())
    if highest == 0 or len(rows) < 2:
        return set()
    return {name for name, values in rows.items() if values[metric] == highest}
