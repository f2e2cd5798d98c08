"""The records of a landed file as an SQL relation of unchecked fields, one row a record, in order.

A transactions file has no field that could hold a line end, so there a line is a record, always:
whatever is wrong with a line stays in that line. The other data sets may quote line ends, as
RFC 4180 has it; where such a file's quoting is broken, a line is a record there too. Lines are read
as one field each and split afterwards, which takes DuckDB no longer than splitting while reading.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Sequence
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
from hm_platform.landing.errors import ColumnsError, LandingError
from hm_platform.landing.session import Session, sql_text
from hm_platform.landing.zone import LandedFile

DELIMITERS = ",;\t|"

TEXT = "text"
"""The type of every column of a CSV file."""


@dataclass(frozen=True)
class Records:
    """A file's records.

    source : SQL of a relation without duplicates of names, one row a record, in the file's order
    fields, types : for each column of the data set, the SQL expression of its field in ``source``,
        and the DuckDB type of that
    columns : the file's columns and their types, as it has them
    number : SQL expression of the record's number in the file, from 1; None where whoever reads
        them has to count
    record : SQL expression of the record as text, of which LINE_LIMIT characters are enough
    refusals : what can be wrong with a record as a whole
    lacking : characters that are in no field
    """

    source: str
    fields: tuple[str, ...]
    types: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    number: str | None
    record: str
    refusals: tuple[Refusal, ...] = ()
    lacking: str = ""


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
    """The records of ``file``; a column that it lacks and need not have is NULL.

    Raises LandingError when it cannot be read as a whole, among that ColumnsError when its columns
    are the reason.
    """
    if content.empty:
        raise LandingError("the file is empty: send it again, or remove it")
    if file.is_parquet:
        return _parquet_records(session, file)
    layout = read_layout(file)
    require_columns(file, [(name, TEXT) for name in layout.names])
    address = csv_address(session, file, content)
    if file.dataset != "transactions" and content.has_quotes:
        whole = _quoted_records(session, file, content, address, layout)
        if whole is not None:
            return whole
    return _line_records(file, content, address, layout)


def read_layout(file: LandedFile) -> Layout:
    """The layout of the CSV file ``file``, from its first line that is not blank.

    Raises LandingError when that is no list of names.
    """
    skip, line, first = 0, b"", b""
    for line in first_lines(file):
        first = (line if skip else line.removeprefix(codecs.BOM_UTF8)).strip()
        # A blank line may be so long that it comes in pieces.
        skip += bool(first) or line.endswith(b"\n")
        if first:
            break
    if first.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise LandingError("the file is UTF-16: save it as UTF-8")
    if len(line) >= BLOCK and not line.endswith(b"\n"):
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
    return max(layouts, key=lambda layout: len(wanted & {*layout.names}))


def require_columns(file: LandedFile, columns: Sequence[tuple[str, str]]) -> None:
    """Raise ColumnsError when one that is required is missing, or one is there twice."""
    names = [name for name, _ in columns]
    wanted = [column.name for column in COLUMNS[file.dataset]]
    required = [column.name for column in COLUMNS[file.dataset] if column.required]
    fault = None
    if missing := [name for name in required if name not in names]:
        fault = (
            f"no column {', '.join(missing)}: {file.dataset} need {', '.join(required)}; "
            f"the file has {', '.join(names)[:300] or 'none'}"
        )
    elif twice := [name for name in wanted if names.count(name) > 1]:
        fault = f"column {', '.join(twice)} is there twice: keep one"
    if fault:
        raise ColumnsError(fault, tuple(columns))


def _field(name: str, names: Sequence[str], expression: Callable[[int], str]) -> str:
    """The SQL expression of a column's field; that of a column that is not there is NULL."""
    return expression(names.index(name)) if name in names else f"NULL::{TEXT_TYPE}"


def csv_address(session: Session, file: LandedFile, content: Content) -> str:
    """The first arguments of read_csv: ``file``, or a plain copy of it where it is not plain."""
    if content.is_plain:
        compression = "gzip" if file.is_gzip else "none"
        return f"{session.address(file.fetch())}, compression='{compression}'"
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
        fields=tuple(_field(c.name, layout.names, lambda i: f"f[{i + 1}]") for c in columns),
        types=(TEXT_TYPE,) * len(columns),
        columns=tuple((name, TEXT) for name in layout.names),
        number=None,
        record=f"CASE WHEN {overlong} THEN left(line, {LINE_LIMIT}) ELSE line END",
        refusals=tuple(refusals),
        lacking="\n\r" if content.has_underscores else "\n\r_",
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
        fields=tuple(_field(c.name, layout.names, cells.__getitem__) for c in columns),
        types=(TEXT_TYPE,) * len(columns),
        columns=tuple((name, TEXT) for name in layout.names),
        number=None,
        record=record,
        refusals=() if content.is_ascii else (_damaged(record),),
    )


def _damaged(text: str) -> Refusal:
    return Refusal(f"contains({text}, '{DAMAGE}')", None, "bytes that are not UTF-8")


def _parquet_records(session: Session, file: LandedFile) -> Records:
    columns = COLUMNS[file.dataset]
    # Some writers do not mark text as text.
    arguments = f"{session.address(file.fetch())}, binary_as_string=true, hive_partitioning=false"
    described = session.connection.execute(f"DESCRIBE FROM read_parquet({arguments})").fetchall()
    found = [(name, kind) for name, kind, *_ in described]
    names = [name.lower() for name, _ in found]
    named = tuple(zip(names, (kind for _, kind in found), strict=True))
    require_columns(file, named)
    # DuckDB numbers the rows only where the file has no column of that name.
    numbered = "file_row_number" not in names
    source = f"SELECT * FROM read_parquet({arguments}, file_row_number={numbered})"
    types = {column.name: TEXT_TYPE for column in columns}
    for column in columns:
        if column.name in names:
            types[column.name] = kind = found[names.index(column.name)][1]
            if not accepts(column.kind, kind):
                raise ColumnsError(
                    f"column {column.name} is {kind}, but has to be {column.kind.value}",
                    named,
                )
    cells = ", ".join(f"{_identifier(name)} := {_identifier(name)}" for name, _ in found)
    return Records(
        source=source,
        fields=tuple(_field(c.name, names, lambda i: _identifier(found[i][0])) for c in columns),
        types=tuple(types.values()),
        columns=named,
        number="file_row_number + 1" if numbered else None,
        # DuckDB can hold a moment that it cannot write: what others have for "no time".
        record=f"coalesce(TRY(to_json(struct_pack({cells}))::VARCHAR), '(not to be written)')",
    )


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
