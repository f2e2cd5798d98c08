"""The records of a landed Parquet file: typed fields, text that is not marked as such, row numbers
that DuckDB knows."""

from __future__ import annotations

from hm_platform.landing.columns import COLUMNS, TEXT_TYPE, Refusal, accepts
from hm_platform.landing.relation import Records, columns_fault, field_named
from hm_platform.landing.session import Session
from hm_platform.landing.zone import LandedFile

MOST_DIGITS = 38
"""Of a decimal. DuckDB takes one of more for a DOUBLE, and a narrow one for a wrong DOUBLE."""


def parquet_records(session: Session, file: LandedFile) -> Records:
    """The records of the Parquet file ``file``; a column that it lacks and need not have is NULL.

    Raises ColumnsError when nobody can tell what its records are, ValueError or duckdb.Error when
    it is no sound Parquet file.
    """
    columns = COLUMNS[file.dataset]
    address = session.address(file.fetch())
    arguments = f"{address}, hive_partitioning=false"
    described = session.connection.execute(f"DESCRIBE FROM read_parquet({arguments})").fetchall()
    cells = [_identifier(name) for name, *_ in described]
    names, precisions = _declared(session, address)
    # Some writers do not mark text as text; bytes that are none are NULL.
    unmarked = [kind == "BLOB" for _, kind, *_ in described]
    kinds = [TEXT_TYPE if kind == "BLOB" else kind for _, kind, *_ in described]
    named = tuple(zip(names, kinds, strict=True))
    fault = columns_fault(file.dataset, named)
    # DuckDB numbers the rows only where the file has no column of that name.
    numbered = "file_row_number" not in names
    source = f"SELECT * FROM read_parquet({arguments}, file_row_number={numbered})"
    fields = [
        f"TRY(decode({cell}))" if is_bytes else cell
        for cell, is_bytes in zip(cells, unmarked, strict=True)
    ]
    types = {column.name: TEXT_TYPE for column in columns}
    refusals = []
    for column in columns:
        if column.name not in names:
            continue
        i = names.index(column.name)
        types[column.name] = kinds[i]
        if not accepts(column.kind, kinds[i]):
            fault = (
                fault or f"column {column.name} is {kinds[i]}, but has to be {column.kind.value}"
            )
        if precisions[i] > MOST_DIGITS:
            fault = fault or (
                f"column {column.name} is a decimal of {precisions[i]} digits: write it as text, "
                f"DOUBLE, or a decimal of at most {MOST_DIGITS}"
            )
        if unmarked[i]:
            damaged = f"{cells[i]} IS NOT NULL AND {fields[i]} IS NULL"
            refusals.append(Refusal(damaged, column.name, "bytes that are not UTF-8"))
    shown = ", ".join(
        f"{cell} := coalesce({field}, {cell}::VARCHAR)" if is_bytes else f"{cell} := {cell}"
        for cell, field, is_bytes in zip(cells, fields, unmarked, strict=True)
    )
    return Records(
        source=source,
        fields=tuple(field_named(c.name, names, fields.__getitem__) for c in columns),
        types=tuple(types.values()),
        columns=named,
        number="file_row_number + 1" if numbered else None,
        # DuckDB can hold a moment that it cannot write: what others have for "no time".
        record=f"coalesce(TRY(to_json(struct_pack({shown}))::VARCHAR), '(not to be written)')",
        refusals=tuple(refusals),
        fault=fault,
    )


def _declared(session: Session, address: str) -> tuple[list[str], list[int]]:
    """Of each column of a Parquet file its name in lower case, as it is in the file (DuckDB gives
    the second of a name another one), and how many digits its decimals have, 0 where it has none.
    """
    schema = session.connection.execute(
        "SELECT name, coalesce(num_children, 0), coalesce(precision, 0) "
        f"FROM parquet_schema({address})"
    ).fetchall()
    # Depth first: after the root each column, and after a column all that it is made of.
    names, precisions, within = [], [], 0
    for name, children, precision in schema[1:]:
        if not within:
            names.append(name.lower())
            precisions.append(precision)
        within += children - (1 if within else 0)
    return names, precisions


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
