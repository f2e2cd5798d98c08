"""`hm recommend`: what is published for one customer."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hm_platform.calendar import WEEK
from hm_platform.cli.reading import NothingPublishedError, published_week, reading
from hm_platform.labels import label
from hm_platform.settings import Settings
from hm_platform.storage.tables import Slice


def print_recommendations(settings: Settings, customer_id: str, k: int, week: str | None) -> None:
    """Print a customer's first ``k`` published recommendations.

    Raises NothingPublishedError for an unknown customer or an unpublished week.
    """
    shown = published_week(settings, week)
    with reading(
        settings,
        Slice("serving", "recommendations", (shown, shown + WEEK)),
        Slice("staging", "stg_articles"),
    ) as db:
        rows = db.execute(
            """
            SELECT rank, article_id, prod_name, department_name, source, score
            FROM serving.recommendations
            LEFT JOIN staging.stg_articles USING (article_id)
            WHERE week = ? AND customer_id = ? AND rank <= ?
            ORDER BY rank
            """,
            [shown, customer_id, k],
        ).fetchall()
    if not rows:
        raise NothingPublishedError(
            f"no customer {customer_id!r} in the recommendations of week {shown}: identifiers are "
            f"as the landed files write them, leading zeros included"
        )
    table = Table(
        title=Text(f"For {customer_id}, to show in the week from {shown + WEEK}"),
        title_justify="left",
    )
    for column in ("rank", "article", "name", "department", "source", "score"):
        table.add_column(column, justify="right" if column in ("rank", "score") else "left")
    for rank, article_id, name, department, source, score in rows:
        # Names are data: brackets in them are no markup.
        texts = [Text(text or "-") for text in (article_id, name, department, label(source))]
        table.add_row(str(rank), *texts, f"{score:.4f}")
    Console(highlight=False).print(table)
