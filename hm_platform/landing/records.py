"""The records of a landed file as an SQL relation of unchecked fields, one row a record, in order.

A transactions file has no field that could hold a line end, so there a line is a record, always:
whatever is wrong with a line stays in that line. The other data sets may quote line ends, as
RFC 4180 has it; where such a file's quoting is broken, a line is a record there too. Lines are read
as one field each and split afterwards, which takes DuckDB no longer than splitting while reading.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

import duckdb

from hm_platform.landing.columns import COLUMNS, TEXT_TYPE, Refusal, accepts
from hm_platform.landing.content import (
    BLOCK,
    DAMAGE,
    LINE_LIMIT,
    SEPARATOR,
    Content,
    first_lines,
    write_plain,
)
from hm_platform.landing.errors import LandingError
from hm_platform.landing.session import Session, sql_text
from hm_platform.landing.zone import LandedFile

DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Records:
    """A file's records.

    source : SQL of a relation without duplicates of names, one row a record, in the file's order
    fields, types : for each column of the data set, the SQL expression of its field in ``source``,
        and the DuckDB type of that
    number : SQL expression of the record's number in the file, from 1; None where it has to be
        counted, which costs DuckDB its threads while reading
    record : SQL expression of the record as text, of which LINE_LIMIT characters are enough
    refusals : what can be wrong with a record as a whole
    """

    source: str
    fields: tuple[str, ...]
    types: tuple[str, ...]
    number: str | None
    record: str
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True)
class Layout:
    """How a CSV file is laid out.

    delimiter : one of DELIMITERS
    names : its columns, as it spells them but for case and blanks around
    skip : lines before the first data line
    header : the last of those, which names the columns
    """

    delimiter: str
    names: tuple[str, ...]
    skip: int
    header: str


def records(session: Session, file: LandedFile, content: Content) -> Records:
    """The records of ``file``. Raises LandingError when it cannot be read as a whole."""
    if content.empty:
        raise LandingError("the file is empty: send it again, or remove it")
    if file.is_parquet:
        return _parquet_records(session, file)
    layout = read_layout(file)
    address = csv_address(session, file, content)
    if file.dataset != "transactions" and content.has_quotes:
        whole = _quoted_records(session, file, content, address, layout)
        if whole is not None:
            return whole
    return _line_records(file, content, address, layout)


def read_layout(file: LandedFile) -> Layout:
    """The layout of the CSV file ``file``, from its first line that is not blank.

    Raises LandingError when that does not name every column of the data set, each once.
    """
    skip, first = 0, b""
    for line in first_lines(file):
        skip, first = skip + 1, line.strip()
        if first:
            break
    if first.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise LandingError("the file is UTF-16: save it as UTF-8")
    if len(first) >= BLOCK:
        raise LandingError("the first line, which has to name the columns, does not end")
    text = first.decode("utf-8-sig", "replace")
    wanted = {column.name for column in COLUMNS[file.dataset]}
    layouts = []
    for delimiter in DELIMITERS:
        try:
            found = next(csv.reader([text], delimiter=delimiter))
        except csv.Error as error:
            raise LandingError(f"the first line has to name the columns: {error}") from None
        names = tuple(name.strip().lower() for name in found)
        layouts.append(Layout(delimiter, names, skip, text))
    layout = max(layouts, key=lambda layout: len(wanted & {*layout.names}))
    _require_columns(file, layout.names)
    return layout


def _require_columns(file: LandedFile, names: tuple[str, ...]) -> None:
    wanted = [column.name for column in COLUMNS[file.dataset]]
    if missing := [name for name in wanted if name not in names]:
        raise LandingError(
            f"no column {', '.join(missing)}: {file.dataset} need {', '.join(wanted)}; "
            f"the file has {', '.join(names)[:300] or 'none'}"
        )
    if twice := [name for name in wanted if names.count(name) > 1]:
        raise LandingError(f"column {', '.join(twice)} is there twice: keep one")


def csv_address(session: Session, file: LandedFile, content: Content) -> str:
    """The first arguments of read_csv: ``file``, or a plain copy of it where it is not plain."""
    if content.is_plain:
        compression = "gzip" if file.is_gzip else "none"
        return f"{session.address(file.path)}, compression='{compression}'"
    copy = session.scratch()
    write_plain(file, copy)
    return f"{sql_text(str(copy))}, compression='none'"


def lines_sql(address: str, skip: int) -> str:
    """The lines of a plain text file that are not blank, as a relation with the column ``line``."""
    return (
        f"SELECT line FROM read_csv({address}, auto_detect=false, header=false, skip={skip}, "
        f"delim={sql_text(SEPARATOR)}, quote='', escape='', columns={{'line': 'VARCHAR'}}) "
        "WHERE line <> ''"
    )


def fields_sql(delimiter: str) -> str:
    """The expression that splits ``line`` into a list of fields; NULL where its quoting is broken.

    A field that begins with a double quote ends with one, and doubles those it holds; elsewhere in
    a field a double quote is a character like any other (RFC 4180, section 2, read generously).
    """
    mark, comma = re.escape(delimiter), sql_text(delimiter)
    field = f'{mark}("(?:[^"]|"")*"|[^"{mark}][^{mark}]*|)'
    # Fields that are quoted as a whole and hold no quote (so no delimiter either) need no pattern,
    # which would take some four times as long.
    odd = """lambda x: CASE WHEN contains(x, '"') THEN NOT (
        strlen(x) > 1 AND starts_with(x, '"') AND ends_with(x, '"')
        AND strlen(replace(x, '"', '')) = strlen(x) - 2
    ) ELSE false END"""
    unquoted = """lambda x: CASE WHEN x[1] = '"' THEN replace(x[2:-2], '""', '"') ELSE x END"""
    return f"""CASE
        WHEN NOT contains(line, '"')
        THEN string_split(line, {comma})
        WHEN len(list_filter(string_split(line, {comma}), {odd})) = 0
        THEN string_split(replace(line, '"', ''), {comma})
        WHEN regexp_full_match({comma} || line, {sql_text(f"(?s)(?:{field})+")})
        THEN list_transform(
            regexp_extract_all({comma} || line, {sql_text(f"(?s){field}")}, 1), {unquoted}
        )
    END"""


def _line_records(file: LandedFile, content: Content, address: str, layout: Layout) -> Records:
    columns, n = COLUMNS[file.dataset], len(layout.names)
    overlong = f"strlen(line) > {LINE_LIMIT} AND length(line) > {LINE_LIMIT}"
    refusals = [
        Refusal(
            overlong,
            None,
            f"a line of over {LINE_LIMIT:,} characters",
        ),
        Refusal("f IS NULL", None, "broken quoting"),
        Refusal(f"len(f) < {n}", None, f"too few fields ({n} expected)"),
        Refusal(f"len(f) > {n}", None, f"too many fields ({n} expected)"),
    ]
    if not content.is_ascii:
        refusals.insert(0, _damaged("line"))
    return Records(
        source=f"SELECT line, {fields_sql(layout.delimiter)} AS f "
        f"FROM ({lines_sql(address, layout.skip)})",
        fields=tuple(f"f[{layout.names.index(column.name) + 1}]" for column in columns),
        types=(TEXT_TYPE,) * len(columns),
        number=None,
        record=f"CASE WHEN {overlong} THEN left(line, {LINE_LIMIT}) ELSE line END",
        refusals=tuple(refusals),
    )


def _quoted_records(
    session: Session, file: LandedFile, content: Content, address: str, layout: Layout
) -> Records | None:
    """The records of a file whose quoting is sound all through, else None."""
    columns = COLUMNS[file.dataset]
    cells = [f"c{i}" for i in range(len(layout.names))]
    types = ", ".join(f"{cell}: 'VARCHAR'" for cell in cells)
    source = (
        f"SELECT * FROM read_csv({address}, auto_detect=false, header=false, skip={layout.skip}, "
        f"delim={sql_text(layout.delimiter)}, quote='\"', escape='\"', columns={{{types}}})"
    )
    try:
        session.connection.execute(f"SELECT count(COLUMNS(*)) FROM ({source})").fetchall()
    except duckdb.InvalidInputException:
        return None
    whole = ", ".join(f"coalesce({cell}, '')" for cell in cells)
    record = f"concat_ws({sql_text(layout.delimiter)}, {whole})"
    return Records(
        source=source,
        fields=tuple(cells[layout.names.index(column.name)] for column in columns),
        types=(TEXT_TYPE,) * len(columns),
        number=None,
        record=record,
        refusals=() if content.is_ascii else (_damaged(record),),
    )


def _damaged(text: str) -> Refusal:
    return Refusal(f"contains({text}, '{DAMAGE}')", None, "bytes that are not UTF-8")


def _parquet_records(session: Session, file: LandedFile) -> Records:
    columns = COLUMNS[file.dataset]
    # Some writers do not mark text as text.
    source = (
        f"SELECT * FROM read_parquet({session.address(file.path)}, binary_as_string=true, "
        "hive_partitioning=false, file_row_number=true)"
    )
    described = session.connection.execute(f"DESCRIBE {source}").fetchall()
    names = [name for name, *_ in described if name != "file_row_number"]
    types = {name.lower(): kind for name, kind, *_ in described}
    _require_columns(file, tuple(name.lower() for name in names))
    for column in columns:
        if not accepts(column.kind, types[column.name]):
            raise LandingError(
                f"column {column.name} is {types[column.name]}, but has to be {column.kind.value}"
            )
    cells = ", ".join(f"{_identifier(name)} := {_identifier(name)}" for name in names)
    return Records(
        source=source,
        fields=tuple(_identifier(column.name) for column in columns),
        types=tuple(types[column.name] for column in columns),
        number="file_row_number + 1",
        record=f"to_json(struct_pack({cells}))::VARCHAR",
    )


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
