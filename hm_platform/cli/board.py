"""The board at the end of `hm build`: what is loaded, who scored what, and where everything is."""

from __future__ import annotations

from datetime import date

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hm_platform.calendar import WEEK
from hm_platform.cli.reading import reading
from hm_platform.serving.published import (
    BASELINE,
    FALLBACKS,
    LAST_PUBLISHED,
    NAME,
    PASSED,
    PROMOTED,
    ROLLED_BACK,
)
from hm_platform.settings import Settings
from hm_platform.storage.places import storage_of
from hm_platform.storage.tables import Slice

_HOW = {
    None: "chosen on the validation week",
    PASSED: "chosen on the validation week; it passed its behavioural tests",
    PROMOTED: "which somebody promoted",
    ROLLED_BACK: "which somebody rolled back to",
    LAST_PUBLISHED: "which was published last",
    BASELINE: "which stands in",
}
"""State of a publication -> how it came to serve."""

METRICS = ("map@12", "recall@12", "ndcg@12", "hit_rate@12", "coverage")


def print_board(settings: Settings, week: date) -> None:
    """Print the board of a built week to standard output."""
    days = (week, week + WEEK)
    with reading(
        settings,
        Slice("marts", "loaded_weeks"),
        *(Slice("datasets", split, days) for split in ("train", "validation", "test")),
        Slice("evaluation", "behavioral_report", days),
        Slice("serving", "publications", days),
        Slice("serving", "recommendations", days),
    ) as db:
        # DuckDB imports pandas, for half a second, when it is given parameters.
        of_week = f"week = DATE '{week}'"
        weeks, purchases, first, last = db.execute(
            "SELECT count(*), sum(purchases), min(first_day), max(last_day) FROM marts.loaded_weeks"
        ).fetchone() or (0, 0, None, None)
        splits = [
            (split, *(db.execute(
                f"SELECT count(*), min(t_dat), max(t_dat) FROM datasets.{split} WHERE {of_week}"
            ).fetchone() or (0, None, None)))
            for split in ("train", "validation", "test")
        ]  # fmt: skip
        scores = db.execute(
            "SELECT recommender, metric, value, customers FROM evaluation.behavioral_report "
            f"WHERE {of_week}"
        ).fetchall()
        published = db.execute(
            "SELECT recommender, customers, recommendations, model_version, state, reason "
            f"FROM serving.publications WHERE {of_week}"
        ).fetchone()
        example = db.execute(
            f"SELECT customer_id FROM serving.recommendations WHERE {of_week} "
            "ORDER BY customer_id LIMIT 1"
        ).fetchone()

    storage = storage_of(settings)
    console = Console(highlight=False)
    console.print(f"\n[bold]Loaded[/]  {purchases:,} purchases in {weeks} weeks, {first} to {last}")
    for split, rows, start, end in splits:
        console.print(f"  {split:<11}{rows:>10,} purchases, {start} to {end}")

    if scores:
        console.print(_score_table(week, scores, _on_board(published)))
    else:
        console.print("No scores: nobody bought in the test week")
    if published:
        recommender, customers, rows, version, state, reason = published
        console.print(
            f"[bold]Published[/]  {rows:,} recommendations for {customers:,} customers, to show in "
            f"the week from {week + WEEK}\n"
            f"  by {recommender}, {_HOW.get(state, _HOW[None])}; model {version}"
        )
        if state in FALLBACKS:
            console.print(f"  [bold red]The model of the week did not pass.[/] {escape(reason)}")
    console.print(
        f"\n[bold]Where things are[/]\n"
        f"  report     {escape(storage.pages.address(week))}\n"
        f"  tables     {escape(str(storage.tables))}  (serving.recommendations)\n"
        f"  models     {escape(str(storage.models))}\n"
        f"\n[bold]Try next[/]\n"
        f"  hm recommend {escape(example[0]) if example else 'CUSTOMER_ID'}\n"
        f"  hm status\n"
        f"  hm export recommendations --out recommendations.parquet\n"
        f"  make ui",
        soft_wrap=True,
    )


def _on_board(published: tuple | None) -> str:
    """What the recommender that is published is called among the scores."""
    if published is None:
        return ""
    recommender, *_, state, _ = published
    return NAME if state == LAST_PUBLISHED else recommender


def _score_table(week: date, scores: list[tuple[str, str, float, int]], published: str) -> Table:
    customers = max(row[3] for row in scores)
    table = Table(
        title=f"Scores on the test week {week}, {customers:,} customers who bought",
        title_justify="left",
        caption="* published" if published else None,
        caption_justify="left",
    )
    table.add_column("recommender")
    values: dict[str, dict[str, float]] = {}
    for recommender, metric, value, _ in scores:
        values.setdefault(recommender, {})[metric] = value
    shown = [metric for metric in METRICS if any(metric in v for v in values.values())]
    for metric in shown:
        table.add_column(metric, justify="right")
    for recommender in sorted(values, key=lambda name: -values[name].get(METRICS[0], 0.0)):
        mark = " *" if recommender == published else ""
        table.add_row(
            recommender + mark,
            *(f"{values[recommender].get(metric, float('nan')):.4f}" for metric in shown),
        )
    return table
