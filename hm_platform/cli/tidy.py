"""`hm tidy`: what goes of old weeks, and what stays although it is old."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from rich.console import Console
from rich.table import Table

from hm_platform.retention import Plan, plan, read_records
from hm_platform.running import Runs, Say
from hm_platform.settings import Settings
from hm_platform.storage.places import storage_of
from hm_platform.storage.tables import StoredWeek

MOST_LINES = 20
"""Models that are listed by name."""


def tidy(settings: Settings, keep_weeks: int | None, dry_run: bool, say: Say) -> None:
    """Print what goes and what stays, and then remove it in a run, unless it is a dry run.

    keep_weeks : built weeks that are kept whole; None: what the settings say

    Raises TableError when tables stay in use, RunFailedError when the run fails.
    """
    keep = settings.keep_weeks if keep_weeks is None else keep_weeks
    found = plan(read_records(storage_of(settings)), keep)
    print_plan(found)
    if dry_run:
        say("a dry run: nothing is removed")
        return
    if keep == 0:
        return
    # Also where nothing goes: it finishes what a killed run has begun.
    config = {"ops": {"remove_old_weeks": {"config": {"keep_weeks": keep}}}}
    Runs(settings, say).run("tidy", "removing what goes", config=config)


def print_plan(found: Plan) -> None:
    """Print a plan to standard output."""
    console = Console(highlight=False)
    console.print(str(found)[0].upper() + str(found)[1:], soft_wrap=True)
    if found.oldest is None:
        return
    if not found.is_empty:
        console.print(_going(found))
    kept = [*((str(week), why) for week, why in found.kept_weeks.items())]
    kept += found.kept_versions.items()
    if not kept:
        return
    table = Table(title=f"Stays, though older than {found.oldest}", title_justify="left")
    table.add_column("week or model", no_wrap=True)
    table.add_column("why")
    for name, why in kept[:MOST_LINES]:
        table.add_row(name, why)
    console.print(table)
    if len(kept) > MOST_LINES:
        console.print(f"and {len(kept) - MOST_LINES:,} more models that serve, or could")


def _going(found: Plan) -> Table:
    table = Table(title=f"Goes, of weeks before {found.oldest}", title_justify="left")
    table.add_column("table", no_wrap=True)
    for head in ("how many", "weeks", "size"):
        table.add_column(head, justify="right" if head != "weeks" else "left")
    for (schema, name), stored in found.tables.items():
        weeks = [each.week for each in stored]
        table.add_row(f"{schema}.{name}", _count(len(stored), "week"), _span(weeks), _size(stored))
    if found.versions:
        weeks = sorted(date.fromisoformat(version[:10]) for version in found.versions)
        size = _bytes(sum(found.versions.values()))
        table.add_row("models/recommender", _count(len(weeks), "model"), _span(weeks), size)
    if found.pointers:
        pointers = _count(len(found.pointers), "pointer")
        table.add_row("models/recommender", pointers, _span(found.pointers), "")
    return table


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _span(weeks: Sequence[date]) -> str:
    return str(weeks[0]) if weeks[0] == weeks[-1] else f"{weeks[0]} to {weeks[-1]}"


def _size(stored: Sequence[StoredWeek]) -> str:
    """Rows or bytes: what the storage knows."""
    rows = [each.rows for each in stored if each.rows is not None]
    sizes = [each.bytes for each in stored if each.bytes is not None]
    known = ([f"{sum(rows):,} rows"] if rows else []) + ([_bytes(sum(sizes))] if sizes else [])
    return ", ".join(known)


def _bytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
