"""`hm status`: weeks landed, loaded, trained and published, and what is quarantined and why."""

from __future__ import annotations

import duckdb
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hm_platform.cli.reading import reading
from hm_platform.landing.errors import LandingError
from hm_platform.serving.published import PASSED, Publication, read_publications
from hm_platform.settings import Settings
from hm_platform.storage.places import storage_of
from hm_platform.storage.tables import Slice, table_exists

MOST_FILES = 20
"""Files that are listed by name."""


def print_status(settings: Settings, every_file: bool = False) -> None:
    """Print where the platform stands to standard output.

    every_file : whether every landed file is listed, or those alone of which something is to be
        told
    """
    console = Console(highlight=False)
    zone = settings.landing_zone
    dataset = zone.dataset()
    name = f"{zone}  ({dataset.name})" if dataset else str(zone)
    console.print(f"[bold]Landing zone[/]  {escape(name)}")
    for name in ("articles", "customers", "transactions"):
        try:
            files = zone.files(name)
        except LandingError as error:
            console.print(f"  {name:<13}{error}", markup=False, soft_wrap=True)
            continue
        size = sum(file.size for file in files) / 1e6
        console.print(f"  {name:<13}{len(files):>6,} files  {size:>10,.1f} MB")
    if storage_of(settings).tables.is_empty():
        console.print("\nNothing is loaded yet: run `hm build`.")
        return
    with reading(
        settings,
        Slice("raw", "landed_files"),
        Slice("raw", "quarantine"),
        Slice("marts", "loaded_weeks"),
        Slice("serving", "publications"),
    ) as db:
        if table_exists(db, "raw", "landed_files"):
            _print_files(console, db)
            if every_file:
                _print_every_file(db)
        if table_exists(db, "raw", "quarantine"):
            _print_quarantine(console, db)
        _print_weeks(console, db)


def _print_files(console: Console, db: duckdb.DuckDBPyConnection) -> None:
    table = Table(title="Indexed files (raw.landed_files)", title_justify="left")
    for column in ("data set", "state", "files", "rows", "loaded", "quarantined", "held"):
        table.add_column(column, justify="left" if column in ("data set", "state") else "right")
    for dataset, state, *counts in db.execute(
        "SELECT dataset, state, count(*), sum(rows)::BIGINT, sum(rows_loaded)::BIGINT, "
        "sum(rows_quarantined)::BIGINT, sum(rows_held)::BIGINT FROM raw.landed_files "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        table.add_row(dataset, state, *(f"{count or 0:,}" for count in counts))
    console.print(table)
    odd = db.execute(
        "SELECT uri, state, reason, rows_kept FROM raw.landed_files "
        "WHERE state <> 'loaded' OR reason IS NOT NULL "
        "ORDER BY state = 'loaded', state = 'duplicate', uri"
    ).fetchall()
    for uri, state, reason, kept in odd[:MOST_FILES]:
        still = f" (still loaded: {kept:,} rows that it had before)" if kept else ""
        console.print(f"  {state}: {uri}: {reason}{still}", markup=False, soft_wrap=True)
    if len(odd) > MOST_FILES:
        console.print(f"  and {len(odd) - MOST_FILES:,} more: see raw.landed_files")


def _print_every_file(db: duckdb.DuckDBPyConnection) -> None:
    """A line a file, as ``raw.landed_files`` has it, in columns that other programs can cut."""
    rows = db.execute(
        "SELECT replace(replace(uri, chr(9), '\\t'), chr(10), '\\n') AS uri, state, size, "
        "first_day, last_day, rows, rows_loaded, rows_quarantined, rows_held, content_hash "
        "FROM raw.landed_files ORDER BY uri"
    )
    names = [name for name, *_ in rows.description or ()]
    for row in (names, *rows.fetchall()):
        # Rich would make blanks of the tabs.
        print("\t".join("-" if value is None else str(value) for value in row))


def _print_quarantine(console: Console, db: duckdb.DuckDBPyConnection) -> None:
    rows = db.execute(
        "SELECT reason, column_name, count(*), count(DISTINCT uri), min(uri) FROM raw.quarantine "
        "GROUP BY ALL ORDER BY 3 DESC, 1, 2 LIMIT 20"
    ).fetchall()
    if not rows:
        console.print("Quarantine: no row was refused")
        return
    table = Table(title="Quarantined rows (raw.quarantine)", title_justify="left")
    for column in ("reason", "column", "rows", "files", "first file"):
        table.add_column(column, justify="right" if column in ("rows", "files") else "left")
    for reason, column, count, files, uri in rows:
        table.add_row(reason, column or "", f"{count:,}", f"{files:,}", escape(uri))
    console.print(table)


def _by(publication: Publication) -> str:
    """What serves, and how it came to where it is not a model that passed."""
    if publication.state is None or publication.state == PASSED:
        return publication.recommender
    return f"{publication.recommender}, {publication.state.replace('_', ' ')}"


def _print_weeks(console: Console, db: duckdb.DuckDBPyConnection) -> None:
    if not table_exists(db, "marts", "loaded_weeks"):
        console.print("Weeks: none is loaded yet")
        return
    published = {}
    if table_exists(db, "serving", "publications"):
        rows = db.execute("FROM serving.publications").to_arrow_table()
        published = {each.week: each for each in read_publications(rows)}
    totals = db.execute(
        "SELECT count(*), sum(purchases)::BIGINT, min(week), max(week) FROM marts.loaded_weeks"
    ).fetchone()
    rows = db.execute(
        "SELECT week, purchases FROM marts.loaded_weeks ORDER BY week DESC LIMIT 12"
    ).fetchall()
    if not totals or not totals[0]:
        console.print("Weeks: none is loaded yet")
        return
    table = Table(
        title=f"Loaded: {totals[1]:,} purchases in {totals[0]} weeks, {totals[2]} to {totals[3]}"
        + (" (the last 12 shown)" if totals[0] > 12 else ""),
        title_justify="left",
    )
    for column in ("week", "purchases", "model", "published by"):
        table.add_column(column, justify="right" if column == "purchases" else "left")
    for week, purchases in rows:
        by = published.get(week)
        shown = (by.model_version, _by(by)) if by else ("-", "-")
        table.add_row(str(week), f"{purchases:,}", *shown)
    console.print(table)
