"""Landing the files of the H&M competition (Kaggle: h-and-m-personalized-fashion-recommendations).

Every line lands as it is. A fraction keeps a share of the customers with their whole histories: a
customer stays when a number made from the id alone lies below the fraction (the first eight bytes
of its MD5, low byte first, over 2^64). So it is the same customers every time, and those of a
fraction are among those of every larger one. Lines without a readable customer or date stay too: to
judge them is the loader's work.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb

from hm_platform.landing.content import Content, as_it_came, examine
from hm_platform.landing.errors import LandingError
from hm_platform.landing.layout import Layout, read_layout
from hm_platform.landing.records import csv_address, fields_sql, lines_sql
from hm_platform.landing.relation import columns_fault
from hm_platform.landing.session import Session
from hm_platform.landing.writing import Landed, Tally, replacing
from hm_platform.landing.zone import DatasetInfo, LandedFile, LandingZone

INFO = DatasetInfo("kaggle", date(2018, 9, 19))
SOURCES = {
    "articles": "articles.csv",
    "customers": "customers.csv",
    "transactions": "transactions_train.csv",
}
BATCH_ROWS = 122_880


def land(
    zone: LandingZone,
    folder: Path,
    fraction: float = 1.0,
    through: date | None = None,
    progress: Callable[[str], None] | None = None,
) -> Landed:
    """Land the competition's three CSV files from ``folder``.

    fraction : share of the customers to keep, in (0, 1]
    through : the last day of transactions to land; None for all

    A file of which everything is kept is linked, where the file system can, or copied.

    Raises LandingError when a file is missing or has not H&M's columns, when the fraction is out of
    range, or when another data set lies in the zone.
    """
    if not 0 < fraction <= 1:
        raise LandingError(
            f"fraction {fraction} is out of range: it has to be over 0, and 1 at most"
        )
    sources = _sources(folder)
    layouts = {dataset: _layout(source) for dataset, source in sources.items()}
    say = progress or (lambda line: None)
    zone.write_dataset_info(INFO)
    tally = Tally(zone.root)
    with Session() as session:
        for dataset, source in sources.items():
            layout = layouts[dataset]
            target = zone.folder(dataset) / SOURCES[dataset]
            conditions = []
            if fraction < 1 and dataset != "articles":
                conditions.append(_keeps_customer(_field(layout, "customer_id"), fraction))
            if through is not None and dataset == "transactions":
                day = f"TRY_CAST({_field(layout, 't_dat')} AS DATE)"
                conditions.append(f"coalesce({day} <= DATE '{through}', true)")
            say(
                f"{'picking from' if conditions else 'linking'} {source.uri}, {source.size:,} bytes"
            )
            if conditions:
                changed = _pick(session, source, layout, " AND ".join(conditions), target)
            else:
                changed = _link_or_copy(source.path, target)
            tally.note(target, changed)
        say("counting the transactions")
        target = zone.folder("transactions") / SOURCES["transactions"]
        landed = replace(sources["transactions"], path=target)
        rows, first, last = _count(session, landed, layouts["transactions"])
    return tally.landed(INFO.name, rows, first, last)


def _sources(folder: Path) -> dict[str, LandedFile]:
    if not folder.is_dir():
        raise LandingError(f"{folder} is not a folder: name the one with the competition's files")
    missing = [name for name in SOURCES.values() if not (folder / name).is_file()]
    if missing:
        raise LandingError(
            f"{folder} has no {' and no '.join(missing)}: unpack the competition's files there"
        )
    return {
        dataset: LandedFile(dataset, name, folder / name, (folder / name).stat().st_size)
        for dataset, name in SOURCES.items()
    }


def _layout(source: LandedFile) -> Layout:
    try:
        layout = read_layout(source)
        if fault := columns_fault(source.dataset, layout.columns):
            raise LandingError(fault)
        return layout
    except LandingError as error:
        raise LandingError(f"{source.path}: {error}") from None


def _link_or_copy(source: Path, target: Path) -> bool:
    if target.exists() and target.samefile(source):
        return False
    with replacing(target) as replacement:
        try:
            os.link(source.resolve(), replacement.temporary)
        except OSError:
            # Another file system, or one without links.
            shutil.copyfile(source, replacement.temporary)
    return replacement.changed


def _keeps_customer(customer: str, fraction: float) -> str:
    bound = int(fraction * 2**64)
    known = f"coalesce({customer}, '') <> ''"
    return f"(NOT {known} OR md5_number_upper({customer}) < {bound}::UBIGINT)"


def _pick(
    session: Session, source: LandedFile, layout: Layout, condition: str, target: Path
) -> bool:
    """Write the header and those lines of ``source`` for which ``condition`` on fields holds."""
    # With a line feed on each line, the buffer of a batch is the text to be written.
    content = examine(source)
    picked = (
        f"SELECT line || chr(10) AS line FROM ({_fields(session, source, layout, content)}) "
        f"WHERE {condition}"
    )
    with replacing(target) as replacement, replacement.temporary.open("wb") as file:
        file.write(f"{layout.header}\n".encode())
        try:
            for batch in session.connection.execute(picked).to_arrow_reader(BATCH_ROWS):
                _, offsets, text = batch.column(0).buffers()
                ends, start = memoryview(offsets).cast("i"), batch.column(0).offset
                lines = memoryview(text)[ends[start] : ends[start + len(batch)]]
                file.write(lines if content.is_text else as_it_came(lines))
        except duckdb.Error as error:
            raise LandingError(f"{source.path} cannot be read: {error}") from error
    return replacement.changed


def _fields(session: Session, source: LandedFile, layout: Layout, content: Content) -> str:
    address, _ = csv_address(session, source, content)
    lines = lines_sql(address, layout.skip)
    return f"SELECT line, {fields_sql(layout.delimiter)} AS f FROM ({lines})"


def _count(
    session: Session, source: LandedFile, layout: Layout
) -> tuple[int, date | None, date | None]:
    """Rows, first and last day of a transactions file."""
    fields = _fields(session, source, layout, examine(source))
    counted = session.connection.execute(
        f"SELECT count(*), min(day), max(day) "
        f"FROM (SELECT TRY_CAST({_field(layout, 't_dat')} AS DATE) AS day FROM ({fields}))"
    ).fetchone()
    return counted or (0, None, None)


def _field(layout: Layout, column: str) -> str:
    return f"f[{layout.names.index(column) + 1}]"
