"""The landing zone as the typed raw tables: what an index says is loaded, read as streams.

Each function takes the index that ``index_landing_zone`` made and reads the files it lists as
loaded, and only as long as their content is what was indexed. The same zone and index give the same
rows in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb
import pyarrow as pa

from hm_platform.landing.checking import check
from hm_platform.landing.columns import (
    ARTICLES_SCHEMA,
    CUSTOMERS_SCHEMA,
    QUARANTINE_SCHEMA,
    TRANSACTIONS_SCHEMA,
    Refusal,
)
from hm_platform.landing.content import Content, examine
from hm_platform.landing.errors import LandingError
from hm_platform.landing.index import index_landing_zone
from hm_platform.landing.records import records
from hm_platform.landing.session import Session, sql_text
from hm_platform.landing.zone import LandedFile, LandingZone

__all__ = [
    "index_landing_zone",
    "read_articles",
    "read_customers",
    "read_quarantine",
    "read_transactions",
]

DAY = timedelta(days=1)
BATCH_ROWS = 122_880
"""Rows of a batch: a row group of DuckDB's, some 15 MB of transactions."""


def read_transactions(
    zone: LandingZone,
    index: pa.Table,
    start: date,
    end: date,
    *,
    memory_limit: str | None = None,
) -> pa.RecordBatchReader:
    """The good rows with ``t_dat`` in [start, end), in order of (uri, row_number).

    Returns a reader with TRANSACTIONS_SCHEMA that reads as it is read from, a batch at a time, and
    closes what it opened when it is exhausted or dropped. It raises LandingError when a file is not
    what the index says: index again.
    """
    files = [
        (file, max(start, file.first_day), min(end - DAY, file.last_day))
        for file in _loaded(zone, index, "transactions")
        if file.first_day is not None and file.last_day is not None
    ]

    def batches() -> Iterator[pa.RecordBatch]:
        with Session(memory_limit) as session:
            for file, first, last in files:
                if first <= last:
                    yield from _batches(
                        session, file, _transactions_sql(session, file, first, last)
                    )

    return pa.RecordBatchReader.from_batches(TRANSACTIONS_SCHEMA, batches())


def _transactions_sql(session: Session, file: _Loaded, first: date, last: date) -> str:
    # The index settled which dates are out of range: they lie outside of the file's good days.
    found = records(session, file.file, _unchanged(file))
    checked = check("transactions", found, extras=["row_number"])
    return (
        "SELECT t_dat, customer_id, article_id, price, sales_channel_id, "
        f"{sql_text(file.file.uri)} AS uri, row_number FROM ({checked.sql}) "
        f"WHERE t_dat BETWEEN DATE '{first}' AND DATE '{last}' AND refusal IS NULL"
    )


def read_articles(
    zone: LandingZone, index: pa.Table, *, memory_limit: str | None = None
) -> pa.RecordBatchReader:
    """The articles, one row each (ARTICLES_SCHEMA), ordered by id.

    Of several rows with one id the last counts: of the last file by uri, the last row. Raises as
    read_transactions() does.
    """
    return _latest(zone, index, "articles", ARTICLES_SCHEMA, memory_limit)


def read_customers(
    zone: LandingZone, index: pa.Table, *, memory_limit: str | None = None
) -> pa.RecordBatchReader:
    """The customers, one row each (CUSTOMERS_SCHEMA), ordered by id; see read_articles()."""
    return _latest(zone, index, "customers", CUSTOMERS_SCHEMA, memory_limit)


def _latest(
    zone: LandingZone,
    index: pa.Table,
    dataset: str,
    schema: pa.Schema,
    memory_limit: str | None,
) -> pa.RecordBatchReader:
    files = [file for file in _loaded(zone, index, dataset) if file.rows_loaded]
    names, key = ", ".join(schema.names), schema.names[0]

    def batches() -> Iterator[pa.RecordBatch]:
        with Session(memory_limit) as session:
            for position, file in enumerate(files):
                found = records(session, file.file, _unchanged(file))
                checked = check(dataset, found, extras=["row_number"])
                good = (
                    f"SELECT {names}, {position} AS file_number, row_number "
                    f"FROM ({checked.sql}) WHERE refusal IS NULL"
                )
                into = "INSERT INTO rows" if position else "CREATE TABLE rows AS"
                _execute(session, file, f"{into} {good}")
            if files:
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
    files = [
        file
        for dataset in ("articles", "customers", "transactions")
        for file in _loaded(zone, index, dataset)
        if file.rows_quarantined
    ]

    def batches() -> Iterator[pa.RecordBatch]:
        with Session(memory_limit) as session:
            for file in files:
                sql = _quarantine_sql(session, file)
                yield from _batches(session, file, sql, QUARANTINE_SCHEMA)

    return pa.RecordBatchReader.from_batches(QUARANTINE_SCHEMA, batches())


def _quarantine_sql(session: Session, file: _Loaded) -> str:
    found = records(session, file.file, _unchanged(file))
    days = (file.first_day, file.last_day) if file.first_day and file.last_day else None
    checked = check(file.file.dataset, found, days, ["row_number", "record"])
    refusals = list(checked.refusals)
    if file.rows_loaded == 0:
        # A row without any other fault was refused for its date. There is no good row to tell on
        # which side it lies; the index's reason does.
        refusals.append(Refusal("true", "t_dat", "dated before the first week or in the future"))
    columns = ", ".join(sql_text(r.column) if r.column else "NULL" for r in refusals)
    reasons = ", ".join(sql_text(r.reason) for r in refusals)
    position = f"coalesce(refusal + 1, {len(refusals)})"
    return (
        f"SELECT {sql_text(file.file.uri)} AS uri, row_number, "
        f"[{columns}][{position}]::VARCHAR AS column_name, [{reasons}][{position}] AS reason, "
        f"record FROM ({checked.sql}) WHERE refusal IS NOT NULL OR {file.rows_loaded} = 0"
    )


@dataclass(frozen=True)
class _Loaded:
    """A loaded file with what the index says of it."""

    file: LandedFile
    content_hash: str
    first_day: date | None
    last_day: date | None
    rows_loaded: int
    rows_quarantined: int


def _loaded(zone: LandingZone, index: pa.Table, dataset: str) -> list[_Loaded]:
    """The loaded files of ``dataset``, by uri. Raises LandingError when one has gone."""
    there = {file.uri: file for file in zone.files(dataset)}
    loaded = []
    for row in index.to_pylist():
        if row["dataset"] != dataset or row["state"] != "loaded":
            continue
        if row["uri"] not in there:
            raise LandingError(f"{row['uri']} has gone since it was indexed: index again")
        kept = ("content_hash", "first_day", "last_day", "rows_loaded", "rows_quarantined")
        loaded.append(_Loaded(there[row["uri"]], **{name: row[name] for name in kept}))
    return sorted(loaded, key=lambda file: file.file.uri)


def _unchanged(file: _Loaded) -> Content:
    """What the file holds now, if that is what was indexed."""
    try:
        content = examine(file.file)
    except OSError as error:
        raise LandingError(f"{file.file.uri} cannot be read: {error.strerror}") from None
    if content.hash != file.content_hash:
        raise LandingError(f"{file.file.uri} has changed since it was indexed: index again")
    return content


def _execute(session: Session, file: _Loaded | None, sql: str) -> duckdb.DuckDBPyConnection:
    try:
        return session.connection.execute(sql)
    except duckdb.Error as error:
        where = file.file.uri if file else "the landed files"
        raise LandingError(f"{where} cannot be read: {error}") from error


def _batches(
    session: Session,
    file: _Loaded | None,
    sql: str,
    schema: pa.Schema = TRANSACTIONS_SCHEMA,
) -> Iterator[pa.RecordBatch]:
    for batch in _execute(session, file, sql).to_arrow_reader(BATCH_ROWS):
        # DuckDB marks no column as it should be; the values are of these types already.
        yield batch.cast(schema)
