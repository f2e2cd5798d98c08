"""The landing zone as the typed raw tables: what an index says is loaded, read as streams.

Each function takes the index that ``index_landing_zone`` made and reads the files it lists as
loaded, and only as long as their content is what was indexed. The same zone and index give the same
rows in the same order. What the index says is kept of a file that is not in order any more comes
from the table that it was loaded into: whoever calls brings it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
    CUSTOMERS_SCHEMA,
    QUARANTINE_SCHEMA,
    TRANSACTIONS_SCHEMA,
    Refusal,
)
from hm_platform.landing.content import Content, examine
from hm_platform.landing.entry import Entry, from_table
from hm_platform.landing.errors import LandingError
from hm_platform.landing.records import records
from hm_platform.landing.session import Session, sql_text
from hm_platform.landing.zone import DATASETS, LandedFile, LandingZone

DAY = timedelta(days=1)
BATCH_ROWS = 122_880
"""Rows of a batch: a row group of DuckDB's, some 15 MB of transactions."""


Kept = Callable[[Sequence[str]], pa.RecordBatchReader]
"""Gives the rows that a table holds of the files with these uris, in the table's schema."""


def read_transactions(
    zone: LandingZone,
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
    if keeping and kept is None:
        raise ValueError("the index keeps rows of earlier versions of files: say where they are")

    def batches() -> Iterator[pa.RecordBatch]:
        with Session(memory_limit) as session:
            for file in files:
                sql = _transactions_sql(session, file, start, end - DAY)
                yield from _batches(session, file, sql)
        if kept is not None and keeping:
            for batch in kept([entry.uri for entry in keeping]):
                yield batch.filter(_is_kept(batch, keeping)).cast(TRANSACTIONS_SCHEMA)

    return pa.RecordBatchReader.from_batches(TRANSACTIONS_SCHEMA, batches())


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


def _transactions_sql(session: Session, file: _File, first: date, last: date) -> str:
    # The index settled which dates are out of range: they lie outside of the file's good days.
    first, last = max(first, file.first_day or first), min(last, file.last_day or last)
    found = records(session, file.file, _unchanged(file))
    checked = check("transactions", found, extras=["row_number"])
    return (
        "SELECT t_dat, customer_id, article_id, price, sales_channel_id, "
        f"{sql_text(file.file.uri)} AS uri, row_number FROM ({checked.sql}) "
        f"WHERE t_dat BETWEEN DATE '{first}' AND DATE '{last}' AND refusal IS NULL"
    )


def read_articles(
    zone: LandingZone,
    index: pa.Table,
    kept: pa.RecordBatchReader | None = None,
    *,
    memory_limit: str | None = None,
) -> pa.RecordBatchReader:
    """The articles, one row each (ARTICLES_SCHEMA), ordered by id.

    Of several rows with one id the last counts: of the last file by uri, the last row; before all
    files count the ``kept`` ones. Raises as read_transactions() does.

    kept : what the table holds, to be given when keeps_rows(index, "articles")
    """
    return _latest(zone, index, "articles", ARTICLES_SCHEMA, kept, memory_limit)


def read_customers(
    zone: LandingZone,
    index: pa.Table,
    kept: pa.RecordBatchReader | None = None,
    *,
    memory_limit: str | None = None,
) -> pa.RecordBatchReader:
    """The customers, one row each (CUSTOMERS_SCHEMA), ordered by id; see read_articles()."""
    return _latest(zone, index, "customers", CUSTOMERS_SCHEMA, kept, memory_limit)


def keeps_rows(index: pa.Table, dataset: str) -> bool:
    """Whether rows of ``dataset`` stay loaded from files that are not in order any more."""
    return any(entry.dataset == dataset and entry.rows_kept for entry in from_table(index))


def _latest(
    zone: LandingZone,
    index: pa.Table,
    dataset: str,
    schema: pa.Schema,
    kept: pa.RecordBatchReader | None,
    memory_limit: str | None,
) -> pa.RecordBatchReader:
    entries = [entry for entry in from_table(index) if entry.dataset == dataset]
    files = _files(zone, dataset, [e for e in entries if e.state == "loaded" and e.rows_loaded])
    names, key = ", ".join(schema.names), schema.names[0]

    def batches() -> Iterator[pa.RecordBatch]:
        with Session(memory_limit) as session:
            session.connection.register("kept", kept or schema.empty_table())
            session.connection.execute(
                f"CREATE TABLE rows AS SELECT {names}, -1 AS file_number, 0::BIGINT AS row_number "
                "FROM kept"
            )
            for position, file in enumerate(files):
                found = records(session, file.file, _unchanged(file))
                checked = check(dataset, found, extras=["row_number"])
                good = (
                    f"SELECT {names}, {position}, row_number "
                    f"FROM ({checked.sql}) WHERE refusal IS NULL"
                )
                _execute(session, file, f"INSERT INTO rows {good}")
            latest = (
                f"SELECT {names} FROM rows QUALIFY row_number() OVER (PARTITION BY {key} "
                f"ORDER BY file_number DESC, row_number DESC) = 1 ORDER BY {key}"
            )
            yield from _batches(session, None, latest, schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def read_quarantine(
    zone: LandingZone,
    index: pa.Table,
    *,
    memory_limit: str | None = None,
) -> pa.RecordBatchReader:
    """The refused rows of loaded files (QUARANTINE_SCHEMA), ordered as the index is, then by row.

    ``column_name`` is None where the row as a whole is at fault. ``record`` is the row as it came:
    a line of CSV (where its quoting spans lines: its fields, joined), or a Parquet row as JSON.
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
                sql = _quarantine_sql(session, file)
                yield from _batches(session, file, sql, QUARANTINE_SCHEMA)

    return pa.RecordBatchReader.from_batches(QUARANTINE_SCHEMA, batches())


def _quarantine_sql(session: Session, file: _File) -> str:
    found = records(session, file.file, _unchanged(file))
    days = (file.first_day, file.last_day) if file.first_day and file.last_day else None
    checked = check(file.file.dataset, found, days, ["row_number", "record"])
    refusals = list(checked.refusals)
    everything = "false"
    if not file.has_good_rows:
        # A row without any other fault was refused for its date. There is no good row to tell on
        # which side it lies; the index's reason does.
        refusals.append(Refusal("true", "t_dat", "dated before the first week or in the future"))
        everything = "true"
    columns = ", ".join(sql_text(r.column) if r.column else "NULL" for r in refusals)
    reasons = ", ".join(sql_text(r.reason) for r in refusals)
    position = f"coalesce(refusal + 1, {len(refusals)})"
    return (
        f"SELECT {sql_text(file.file.uri)} AS uri, row_number, "
        f"[{columns}][{position}]::VARCHAR AS column_name, [{reasons}][{position}] AS reason, "
        f"record FROM ({checked.sql}) WHERE refusal IS NOT NULL OR {everything}"
    )


@dataclass(frozen=True)
class _File:
    """A landed file with what the index says of it."""

    file: LandedFile
    content_hash: str | None
    first_day: date | None
    last_day: date | None
    has_good_rows: bool


def _files(zone: LandingZone, dataset: str, entries: Sequence[Entry]) -> list[_File]:
    """The files of these entries, by uri. Raises LandingError when one has gone."""
    there = {file.uri: file for file in zone.files(dataset)} if entries else {}
    found = []
    for entry in sorted(entries, key=lambda entry: entry.uri):
        if entry.uri not in there:
            raise LandingError(f"{entry.uri} has gone since it was indexed: index again")
        found.append(
            _File(
                there[entry.uri],
                entry.content_hash,
                entry.first_day,
                entry.last_day,
                bool(entry.rows_loaded or entry.rows_held),
            )
        )
    return found


def _unchanged(file: _File) -> Content:
    """What the file holds now, if that is what was indexed."""
    try:
        content = examine(file.file)
    except OSError as error:
        raise LandingError(f"{file.file.uri} cannot be read: {error.strerror}") from None
    if content.hash != file.content_hash:
        raise LandingError(f"{file.file.uri} has changed since it was indexed: index again")
    return content


def _execute(session: Session, file: _File | None, sql: str) -> duckdb.DuckDBPyConnection:
    try:
        return session.connection.execute(sql)
    except duckdb.Error as error:
        where = file.file.uri if file else "the landed files"
        raise LandingError(f"{where} cannot be read: {error}") from error


def _batches(
    session: Session,
    file: _File | None,
    sql: str,
    schema: pa.Schema = TRANSACTIONS_SCHEMA,
) -> Iterator[pa.RecordBatch]:
    for batch in _execute(session, file, sql).to_arrow_reader(BATCH_ROWS):
        # DuckDB marks no column as it should be; the values are of these types already.
        yield batch.cast(schema)
