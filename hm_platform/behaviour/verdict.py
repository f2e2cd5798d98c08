"""What the tests say of the model as a whole, as rows for the warehouse and in words.

The rows (``evaluation.behavioral_tests``) are what publication asks: they name the model's version,
so a model that is trained again has to be tested again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from hm_platform.behaviour.thresholds import Judged

SCHEMA = pa.schema(
    [
        pa.field("week", pa.date32(), nullable=False),
        pa.field("model_version", pa.string(), nullable=False),
        pa.field("recommender", pa.string(), nullable=False),
        pa.field("test", pa.string(), nullable=False),
        pa.field("effect", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("low", pa.float64()),
        pa.field("high", pa.float64()),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("threshold", pa.string()),
        pa.field("severity", pa.string()),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
    ]
)

NOBODY_BOUGHT = "purchases in the test week"
"""The one effect of a week in which there is nothing to test with."""


@dataclass(frozen=True)
class Verdict:
    """All that was judged of one model.

    names : the tests that ran, in their order; one that found nothing to measure has no judgement
    """

    judged: Sequence[Judged]
    names: Sequence[str] = ()

    @property
    def blocking(self) -> list[Judged]:
        return [j for j in self.judged if j.blocks]

    @property
    def warnings(self) -> list[Judged]:
        return [j for j in self.judged if j.warns]

    @property
    def passed(self) -> bool:
        """Whether the model may be published."""
        return not self.blocking

    def tests(self) -> dict[str, list[Judged]]:
        """By test, in their order."""
        found: dict[str, list[Judged]] = {name: [] for name in self.names}
        for judged in self.judged:
            found.setdefault(judged.test, []).append(judged)
        return found


def tests_table(week: date, version: str, recommender: str, judged: Sequence[Judged]) -> pa.Table:
    """A row an effect, in the order in which they were found."""
    rows = [
        {
            "week": week,
            "model_version": version,
            "recommender": recommender,
            "test": j.test,
            "effect": j.effect.name,
            "value": j.effect.value,
            "low": j.effect.low,
            "high": j.effect.high,
            "count": j.effect.count,
            "threshold": None if j.threshold is None else str(j.threshold),
            "severity": None if j.threshold is None else j.threshold.severity,
            "outcome": j.verdict,
            "reason": None if j.threshold is None else j.threshold.because,
        }
        for j in judged
    ]
    return pa.Table.from_pylist(rows, SCHEMA)


def found_markdown(judged: Sequence[Judged]) -> str:
    """The effects of a test as a Markdown table."""
    if not judged:
        return "There was nothing to measure.\n"
    lines = ["| | | 95% | over | bound | |", "|---|---:|---|---:|---|---|"]
    for j in judged:
        effect = j.effect
        value = "–" if effect.value is None else f"{effect.value:.4g}"
        interval = f"{effect.low:.4g} to {effect.high:.4g}" if effect.estimated else ""
        bound = f"{j.threshold} ({j.threshold.severity})" if j.threshold else ""
        name = effect.name.replace("|", "\\|")
        lines.append(
            f"| {name} | {value} | {interval} | {effect.count:,} | {bound} | {j.verdict} |"
        )
    return "\n".join(lines) + "\n"


def nobody_bought_table(week: date, version: str, recommender: str) -> pa.Table:
    """The one row of a week in which nobody bought: the model was looked at, and nothing said
    against it."""
    row = {
        "week": week, "model_version": version, "recommender": recommender, "test": "accuracy",
        "effect": NOBODY_BOUGHT, "value": 0.0, "count": 0, "outcome": "not measured",
    }  # fmt: skip
    return pa.Table.from_pylist([row], SCHEMA)
