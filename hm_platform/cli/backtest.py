"""The table at the end of `hm backtest`: the score of each week beside the best baseline's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from rich.console import Console
from rich.table import Table

from hm_platform.cli.reading import reading
from hm_platform.labels import label
from hm_platform.settings import Settings
from hm_platform.storage.places import storage_of
from hm_platform.storage.tables import Slice


def print_scores(settings: Settings, weeks: Sequence[date]) -> None:
    """Print the scores of these weeks to standard output; nothing where there are no weeks."""
    if not weeks:
        return
    with reading(settings, Slice("evaluation", "score_trend")) as db:
        found = db.execute(
            "SELECT week, model, value, low, high, baseline, baseline_value, baseline_low, "
            "baseline_high, customers FROM evaluation.score_trend WHERE week IN "
            "(SELECT unnest($weeks)) ORDER BY week",
            {"weeks": list(weeks)},
        ).fetchall()
    table = Table(title="MAP@12 by week", title_justify="left")
    for head in ("week", "model", "best baseline", "difference", "customers"):
        table.add_column(head, justify="left" if head == "week" else "right")
    for week, *model, baseline, value, low, high, customers in found:
        difference = "" if model[1] is None or value is None else f"{model[1] - value:+z.4f}"
        table.add_row(
            str(week), _said(*model), _said(baseline, value, low, high), difference,
            f"{customers:,}",
        )  # fmt: skip
    for week in sorted(set(weeks) - {row[0] for row in found}):
        table.add_row(str(week), "nobody bought", "", "", "0")
    console = Console(highlight=False)
    console.print(table)
    address = storage_of(settings).pages.address("trend")
    console.print(f"All weeks: {address}", markup=False, soft_wrap=True)


def _said(name: str | None, value: float | None, low: float | None, high: float | None) -> str:
    if name is None or value is None:
        return ""
    between = "" if low is None or high is None else f" ({low:.4f} to {high:.4f})"
    return f"{label(name)} {value:.4f}{between}"
