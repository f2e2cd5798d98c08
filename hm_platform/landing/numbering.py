"""Checked records as batches in the order of their file, each record with its row number.

Of a Parquet file DuckDB knows the numbers. Of a CSV file it could count them only on one thread;
there it hands over every record in order, from all its threads, and they are counted here.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from hm_platform.landing.checking import Checked
from hm_platform.landing.session import Session

BATCH_ROWS = 122_880
"""Rows of a batch at most: a row group of DuckDB's, some 15 MB of transactions."""


def numbered(
    session: Session,
    checked: Checked,
    columns: str,
    where: str = "true",
    batch_rows: int = BATCH_ROWS,
) -> Iterator[pa.RecordBatch]:
    """``columns`` and ``row_number`` of the records for which ``where`` holds, in order.

    columns : SQL expressions over ``checked``, each with a name
    where : an SQL condition over it; a record for which it is NULL is left out

    Raises duckdb.Error when the query fails at once, and what pyarrow makes of it (OSError or
    pyarrow.ArrowException) when it fails later.
    """
    if checked.numbered:
        yield from _batches(
            session, f"SELECT {columns}, row_number FROM ({checked.sql}) WHERE {where}", batch_rows
        )
        return
    count = 0
    everything = f"SELECT {columns}, ({where}) AS wanted FROM ({checked.sql})"
    for batch in _batches(session, everything, batch_rows):
        wanted = batch.column("wanted")
        numbers = pa.array(np.arange(count + 1, count + 1 + batch.num_rows, dtype=np.int64))
        count += batch.num_rows
        found = batch.drop_columns(["wanted"]).append_column("row_number", numbers)
        # Filtering copies, and most batches have nothing to leave out.
        yield found if wanted.true_count == len(wanted) else found.filter(wanted)


def _batches(session: Session, sql: str, batch_rows: int) -> Iterator[pa.RecordBatch]:
    reader = session.connection.execute(sql).to_arrow_reader(batch_rows)
    try:
        yield from reader
    finally:
        reader.close()
