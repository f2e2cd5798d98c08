"""`hm export`: published recommendations as a file."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from hm_platform.calendar import WEEK
from hm_platform.cli.reading import published_week, reading
from hm_platform.errors import PlatformError
from hm_platform.settings import Settings
from hm_platform.storage.tables import Slice, literal

ROWS = """
    SELECT week, customer_id, rank, article_id, score, source, model_version
    FROM serving.recommendations WHERE week = DATE '{week}' ORDER BY customer_id, rank
"""
KAGGLE = """
    SELECT customer_id, string_agg(article_id, ' ' ORDER BY rank) AS prediction
    FROM serving.recommendations WHERE week = DATE '{week}'
    GROUP BY customer_id ORDER BY customer_id
"""
FORMATS = {
    "parquet": (ROWS, "FORMAT parquet, COMPRESSION zstd"),
    "csv": (ROWS, "FORMAT csv, HEADER"),
    "kaggle": (KAGGLE, "FORMAT csv, HEADER"),
}


class ExportError(PlatformError):
    """A file that cannot be written as asked for."""


def export(settings: Settings, out: Path, week: str | None, format_: str | None) -> int:
    """Write a week's recommendations to ``out``, whole or not at all; return the rows written.

    Raises ExportError for an unknown format or a folder that is not there, NothingPublishedError
    when there is nothing to write.
    """
    format_ = format_ or out.suffix.removeprefix(".").lower()
    if format_ not in FORMATS:
        raise ExportError(
            f"cannot tell the format of {out}: name it .parquet or .csv, or give --format "
            f"{'|'.join(FORMATS)}"
        )
    if not out.absolute().parent.is_dir():
        raise ExportError(f"there is no folder {out.absolute().parent}")
    query, options = FORMATS[format_]
    shown = published_week(settings, week)
    unfinished = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        with reading(settings, Slice("serving", "recommendations", (shown, shown + WEEK))) as db:
            copied = db.execute(
                f"COPY ({query.format(week=shown)}) TO {literal(str(unfinished))} ({options})"
            ).fetchone()
        unfinished.replace(out)
    finally:
        with suppress(FileNotFoundError):
            unfinished.unlink()
    return int(copied[0]) if copied else 0
