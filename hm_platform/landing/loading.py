"""The landing zone as the typed raw tables: what an index says is loaded, read as streams.

Each function takes the index that ``index_landing_zone`` made and reads the files it lists as
loaded, and only as long as their content is what was indexed: nobody has touched them since then,
or else their hash is the same, and nobody does while they are read. The same zone and index give
the same rows in the same order. What the index says is kept of a file that is not in order any more
comes from the table that it was loaded into: whoever calls brings it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hm_platform.calendar import WEEK
from hm_platform.landing.checking import check
from hm_platform.landing.columns import (
    ARTICLES_SCHEMA,
    COLUMNS,
    CUSTOMERS_SCHEMA,
    QUARANTINE_SCHEMA,
    TRANSACTIONS_SCHEMA,
    Refusal,
)
from hm_platform.landing.content import Content, examine
from hm_platform.landing.entry import Entry, from_table
from hm_platform.landing.errors import LandingError
from hm_platform.landing.numbering import BATCH_ROWS, numbered
from hm_platform.landing.records import records
from hm_platform.landing.session import Session, sql_text
from hm_platform.landing.zone import DATASETS, LandedFile, Landing

DAY = timedelta(days=1)

Kept = Callable[[Sequence[str]], pa.RecordBatchReader | None]
"""Gives the rows that a table holds of the files with these uris; None where no table is yet."""


def read_transactions(
    zone: Landing,
    index: pa.Table,
    start: date,
    end: date,
    kept: Kept | None = None,
    *,
    memory_limit: str | None = None,
) -> pa.RecordBatchReader:
    """The good rows with ``t_dat`` in [start, end), in order of (uri, row_number), and after them
    those that are kept.

    start, end : first days of weeks
    kept : gives the rows of these days that were loaded from files that are not in order any more;
        needed only where there are such files

    Returns a reader with TRANSACTIONS_SCHEMA that reads as it is read from, a batch at a time, and
    closes what it opened when it is exhausted or dropped. It raises LandingError when a file is not
    what the index says: index again.
    """
    wanted = [
        entry
        for entry in from_table(index)
        if any(start <= week.week < end for week in entry.weeks)
    ]
    files = _files(zone, "transactions", [e for e in wanted if e.state == "loaded"])
    keeping = [entry for entry in wanted if entry.state != "loaded"]
    of_kept = _given(kept, keeping)

    def batches() -> Iterator[pa.RecordBatch]:
        with Session(memory_limit) as session:
            for file in files:
                with _reading(session, file):
                    yield from _transactions(session, file, start, end - DAY)
        for batch in of_kept([entry.uri for entry in keeping]) or ():
            yield batch.filter(_is_kept(batch, keeping)).cast(TRANSACTIONS_SCHEMA)

    return pa.RecordBatchReader.from_batches(TRANSACTIONS_SCHEMA, batches())


def _given(kept: Kept | None, entries: Sequence[Entry]) -> Kept:
    """``kept``, which has to be there when there are such entries."""
    if not entries:
        return lambda _: None
    if kept is None:
        raise ValueError("the index keeps rows of earlier versions of files: say where they are")
    return kept


def _is_kept(batch: pa.RecordBatch, entries: Sequence[Entry]) -> pa.Array:
    """Which rows are of the weeks that the entries keep; of a file, not all weeks need be."""
    found = pa.array(np.zeros(batch.num_rows, bool))
    for entry in entries:
        uri, day = pc.equal(batch.column("uri"), entry.uri), batch.column("t_dat")
        for week in entry.weeks:
            since = pc.greater_equal(day, pa.scalar(week.week, pa.date32()))
            until = pc.less(day, pa.scalar(week.week + WEEK, pa.date32()))
            found = pc.or_(found, pc.and_(uri, pc.and_(since, until)))
    return found


def _transactions(
    session: Session, file: _File, first: date, last: date
) -> Iterator[pa.RecordBatch]:
    # The index settled which dates are out of range: they lie outside of the file's good days.
    entry = file.entry
    first, last = max(first, entry.first_day or first), min(last, entry.last_day or last)
    checked = check("transactions", records(session, file.file, _unchanged(file)))
    columns = "t_dat, customer_id, article_id, price, sales_channel_id"
    where = f"t_dat BETWEEN DATE '{first}' AND DATE '{last}'"
    # The index has found what is wrong: where nothing is, nobody has to look once more.
    where += " AND refusal IS NULL" if entry.rows_quarantined else ""
    for batch in numbered(session, checked, columns, where):
        *values, numbers = batch.columns
        uris = pa.repeat(entry.uri, batch.num_rows)
        # DuckDB marks no column as it should be; the values are of these types already.
        yield pa.record_batch([*values, uris, numbers], TRANSACTIONS_SCHEMA)


def read_articles(
    zone: Landing,
    index: pa.Table,
    kept: Kept | None = None,
    *,
    memory_limit: str | None = None,
) -> pa.RecordBatchReader:
    """The articles, one row each (ARTICLES_SCHEMA), ordered by id.

    Of several rows with one id the last counts: of the last file by uri, the last row; before those
    of all files that are in order count the kept ones. Raises as read_transactions() does.

    kept : gives the rows that the table holds of files that are not in order any more; needed only
        where there are such files. A row of theirs in whose place another file's had come is not
        among them: it is back when its file is in order.
    """
    return _latest(zone, index, "articles", ARTICLES_SCHEMA, kept, memory_limit)


def read_customers(
    zone: Landing,
    index: pa.Table,
    kept: Kept | None = None,
    *,
    memory_limit: str | None = None,
) -> pa.RecordBatchReader:
    """The customers, one row each (CUSTOMERS_SCHEMA), ordered by id; see read_articles()."""
    return _latest(zone, index, "customers", CUSTOMERS_SCHEMA, kept, memory_limit)


def _latest(
    zone: Landing,
    index: pa.Table,
    dataset: str,
    schema: pa.Schema,
    kept: Kept | None,
    memory_limit: str | None,
) -> pa.RecordBatchReader:
    entries = [entry for entry in from_table(index) if entry.dataset == dataset]
    files = _files(zone, dataset, [e for e in entries if e.state == "loaded" and e.rows_loaded])
    keeping = [entry for entry in entries if entry.rows_kept]
    of_kept = _given(kept, keeping)
    values = ", ".join(column.name for column in COLUMNS[dataset])
    names, key = f"{values}, uri", COLUMNS[dataset][0].name

    def batches() -> Iterator[pa.RecordBatch]:
        with Session(memory_limit) as session:
            rows = of_kept([entry.uri for entry in keeping])
            session.connection.register("kept", rows or schema.empty_table())
            session.connection.execute(f"CREATE TABLE rows AS SELECT {names} FROM kept")
            for file in files:
                with _reading(session, file):
                    checked = check(dataset, records(session, file.file, _unchanged(file)))
                    session.connection.execute(
                        f"INSERT INTO rows SELECT {values}, {sql_text(file.entry.uri)} "
                        f"FROM ({checked.sql}) WHERE refusal IS NULL"
                    )
            # A table's rows are numbered as they came.
            latest = (
                f"SELECT {names} FROM rows QUALIFY row_number() OVER (PARTITION BY {key} "
                f"ORDER BY rowid DESC) = 1 ORDER BY {key}"
            )
            for batch in session.connection.execute(latest).to_arrow_reader(BATCH_ROWS):
                yield batch.cast(schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def read_quarantine(
    zone: Landing,
    index: pa.Table,
    *,
    memory_limit: str | None = None,
) -> pa.RecordBatchReader:
    """The refused rows of loaded files (QUARANTINE_SCHEMA), ordered as the index is, then by row.

    ``column_name`` is None where the row as a whole is at fault. ``record`` is the row as it came:
    a line of CSV, with bytes that are not UTF-8 as ``\\xf6`` (of a file whose quoting is sound: its
    fields as CSV, quoted where they need it), or a Parquet row as JSON.
    Raises as read_transactions() does.
    """
    refusing = [entry for entry in from_table(index) if entry.rows_quarantined]
    files = [
        file
        for dataset in DATASETS
        for file in _files(zone, dataset, [e for e in refusing if e.dataset == dataset])
    ]

    def batches() -> Iterator[pa.RecordBatch]:
        with Session(memory_limit) as session:
            for file in files:
                with _reading(session, file):
                    yield from _refused(session, file)

    return pa.RecordBatchReader.from_batches(QUARANTINE_SCHEMA, batches())


def _refused(session: Session, file: _File) -> Iterator[pa.RecordBatch]:
    entry = file.entry
    days = (entry.first_day, entry.last_day) if entry.first_day and entry.last_day else None
    found = records(session, file.file, _unchanged(file))
    checked = check(entry.dataset, found, days, with_record=True)
    refusals, where = list(checked.refusals), "refusal IS NOT NULL"
    if not (entry.rows_loaded or entry.rows_held):
        # A row without any other fault was refused for its date. There is no good row to tell on
        # which side it lies; the index's reason does.
        where = "true"
        refusals.append(Refusal("true", "t_dat", "dated before the first week or in the future"))
    names = pa.array([refusal.column for refusal in refusals], pa.string())
    reasons = pa.array([refusal.reason for refusal in refusals], pa.string())
    columns = (
        f"coalesce(refusal, {len(refusals) - 1}) AS refusal, "
        f"CASE WHEN {where} THEN record END AS record"
    )
    for batch in numbered(session, checked, columns, where):
        refusal, record, numbers = batch.columns
        uris = pa.repeat(entry.uri, batch.num_rows)
        yield pa.record_batch(
            [uris, numbers, names.take(refusal), reasons.take(refusal), record], QUARANTINE_SCHEMA
        )


@dataclass(frozen=True)
class _File:
    """A landed file with what the index says of it."""

    file: LandedFile
    entry: Entry


def _files(zone: Landing, dataset: str, entries: Sequence[Entry]) -> list[_File]:
    """The files of these entries, by uri. Raises LandingError when one has gone."""
    there = {file.uri: file for file in zone.files(dataset)} if entries else {}
    found = []
    for entry in sorted(entries, key=lambda entry: entry.uri):
        if entry.uri not in there:
            raise LandingError(f"{entry.uri} has gone since it was indexed: index again")
        found.append(_File(there[entry.uri], entry))
    return found


def _unchanged(file: _File) -> Content:
    """What the file holds, if that is what was indexed."""
    known = file.entry.content
    if known is not None and file.entry.stamp == file.file.stamp:
        return known
    try:
        content = examine(file.file)
    except OSError as error:
        raise LandingError(f"{file.file.uri} cannot be read: {error.strerror or error}") from None
    # Whatever else was told of it once, by another version or of another packing.
    if known is None or content.hash != known.hash:
        raise _has_changed(file)
    return content


@contextmanager
def _reading(session: Session, file: _File) -> Iterator[None]:
    """Raises LandingError when the file cannot be read in here, or was touched meanwhile."""
    try:
        yield
        touched = not file.file.is_as_listed()
    except (duckdb.Error, OSError) as error:
        raise LandingError(f"{file.file.uri} cannot be read: {error}") from error
    finally:
        file.file.release()
        session.clear()
    if touched:
        raise _has_changed(file)


def _has_changed(file: _File) -> LandingError:
    return LandingError(f"{file.file.uri} has changed since it was indexed: index again")
