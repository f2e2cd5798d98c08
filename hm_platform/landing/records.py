"""The records of a landed file as an SQL relation of unchecked fields, one row a record, in order.

A transactions file has no field that could hold a line end, so there a line is a record, always:
whatever is wrong with a line stays in that line. The other data sets may quote line ends, as
RFC 4180 has it; where such a file's quoting is broken, a line is a record there too. Records are
read as one field each and split afterwards, which takes DuckDB no longer than splitting while
reading.
"""

from __future__ import annotations

import re
from dataclasses import replace

import duckdb

from hm_platform.landing.columns import COLUMNS, TEXT_TYPE, Refusal
from hm_platform.landing.content import DAMAGE, LINE_LIMIT, SEPARATOR, Content, write_plain
from hm_platform.landing.errors import LandingError
from hm_platform.landing.layout import Layout, read_layout
from hm_platform.landing.parquet_records import parquet_records
from hm_platform.landing.relation import Records, columns_fault, field_named
from hm_platform.landing.session import SCRATCH_TABLE, Session, sql_text
from hm_platform.landing.zone import LandedFile


def records(session: Session, file: LandedFile, content: Content) -> Records:
    """The records of ``file``; a column that it lacks and need not have is NULL.

    Raises LandingError when nobody can tell what its records are, among that ColumnsError.
    """
    if content.empty:
        raise LandingError("the file is empty: send it again, or remove it")
    if file.is_parquet:
        return parquet_records(session, file)
    layout = read_layout(file)
    # Before anything is done to what may be no file of records at all.
    fault = columns_fault(file.dataset, layout.columns)
    return replace(_csv_records(session, file, content, layout), fault=fault)


def _csv_records(session: Session, file: LandedFile, content: Content, layout: Layout) -> Records:
    address, is_whole = csv_address(session, file, content)
    if file.dataset != "transactions" and content.has_quotes:
        # Of a line that was cut, a record would be what is left of it.
        quoted = _quoted_records(session, file, content, address, layout) if is_whole else None
        if quoted is not None:
            return quoted
        joined = _joined_lines(session, address, layout)
        if joined is not None:
            return _split_records(file, content, joined, layout, breaks="")
    return _split_records(file, content, lines_sql(address, layout.skip), layout)


def csv_address(session: Session, file: LandedFile, content: Content) -> tuple[str, bool]:
    """The first arguments of read_csv, ``file`` or a plain copy of it where it is not plain, and
    whether every line is whole there."""
    if content.is_plain:
        compression = "gzip" if file.is_gzip else "none"
        return f"{session.address(file.fetch())}, compression='{compression}'", True
    copy = session.scratch()
    is_whole = write_plain(file, copy)
    return f"{sql_text(str(copy))}, compression='none'", is_whole


def lines_sql(address: str, skip: int) -> str:
    """The lines of a plain text file that are not blank, as a relation with the column ``line``."""
    return f"{_all_lines_sql(address, skip)} WHERE line <> ''"


def _all_lines_sql(address: str, skip: int) -> str:
    """All of them; a blank one is NULL."""
    return (
        f"SELECT line FROM read_csv({address}, auto_detect=false, header=false, skip={skip}, "
        f"delim={sql_text(SEPARATOR)}, quote='', escape='', columns={{'line': 'VARCHAR'}})"
    )


def fields_sql(delimiter: str) -> str:
    """The expression that splits ``line`` into a list of fields; NULL where its quoting is broken.

    A field that begins with a double quote ends with one, and doubles those it holds; elsewhere in
    a field a double quote is a character like any other (RFC 4180, section 2, read generously).
    A line break is in quotes or nowhere.
    """
    mark, comma = re.escape(delimiter), sql_text(delimiter)
    field = f'{mark}("(?:[^"]|"")*"|[^"{mark}\\n][^{mark}\\n]*|)'
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


def _split_records(
    file: LandedFile, content: Content, lines: str, layout: Layout, breaks: str = "\n\r"
) -> Records:
    """The records of a relation with a record in each ``line``.

    breaks : the characters that break lines and are in none of them
    """
    columns, n = COLUMNS[file.dataset], len(layout.names)
    overlong = _overlong("strlen(line)", "line")
    refusals = [
        *_damages(content, "line"),
        overlong,
        Refusal("f IS NULL", None, "broken quoting"),
        Refusal(f"len(f) < {n}", None, f"too few fields ({n} expected)"),
        Refusal(f"len(f) > {n}", None, f"too many fields ({n} expected)"),
    ]
    return Records(
        source=f"SELECT line, {fields_sql(layout.delimiter)} AS f FROM ({lines})",
        fields=tuple(field_named(c.name, layout.names, lambda i: f"f[{i + 1}]") for c in columns),
        types=(TEXT_TYPE,) * len(columns),
        columns=layout.columns,
        number=None,
        record=_shown(content, "line", overlong),
        refusals=tuple(refusals),
        lacking=breaks + ("" if content.has_underscores else "_"),
    )


def _joined_lines(session: Session, address: str, layout: Layout) -> str | None:
    """A relation like that of lines_sql() in which lines that one quoted field spans are one, or
    None where quoting is broken anywhere.

    For a file that is not _quoted_records() because some record has too few or too many fields:
    that is a fault of that record alone.
    """
    session.connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE {SCRATCH_TABLE} AS
        WITH lines AS (
            SELECT row_number() OVER () AS place, coalesce(line, '') AS line
            FROM ({_all_lines_sql(address, layout.skip)})
        ), counted AS (
            SELECT *, strlen(line) - strlen(replace(line, '"', '')) AS marks FROM lines
        ), marked AS (
            SELECT *, (sum(marks) OVER (ORDER BY place) - marks) % 2 = 1 AS within,
                within OR marks % 2 = 1 AS of_several
            FROM counted
        ), numbered AS (
            SELECT *, sum((NOT within)::INTEGER) OVER (ORDER BY place) AS record FROM marked
        )
        SELECT line FROM (
            SELECT place, line FROM numbered WHERE NOT of_several AND line <> ''
            UNION ALL
            SELECT min(place), string_agg(line, chr(10) ORDER BY place) FROM numbered
            WHERE of_several GROUP BY record
        ) ORDER BY place"""
    )
    broken = f"SELECT 1 FROM {SCRATCH_TABLE} WHERE {fields_sql(layout.delimiter)} IS NULL LIMIT 1"
    if session.connection.execute(broken).fetchall():
        return None
    return f"SELECT line FROM {SCRATCH_TABLE}"


def _quoted_records(
    session: Session, file: LandedFile, content: Content, address: str, layout: Layout
) -> Records | None:
    """The records of a file whose quoting is sound all through, and all of whose records have as
    many fields as there are columns; else None."""
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
    text = f"concat({', '.join(cells)})"
    size = " + ".join(f"coalesce(strlen({cell}), 0)" for cell in cells)
    overlong = _overlong(size, text)
    delimiter = sql_text(layout.delimiter)
    quoted = ", ".join(_quoted(cell, delimiter) for cell in cells)
    return Records(
        source=source,
        fields=tuple(field_named(c.name, layout.names, cells.__getitem__) for c in columns),
        types=(TEXT_TYPE,) * len(columns),
        columns=layout.columns,
        number=None,
        record=_shown(content, f"concat_ws({delimiter}, {quoted})", overlong),
        refusals=(*_damages(content, text), overlong),
    )


def _overlong(size: str, text: str) -> Refusal:
    """``size`` : the bytes of ``text``, which take less time to count than its characters."""
    condition = f"{size} > {LINE_LIMIT} AND length({text}) > {LINE_LIMIT}"
    return Refusal(condition, None, f"a line of over {LINE_LIMIT:,} characters")


def _damages(content: Content, text: str) -> list[Refusal]:
    """What can be wrong with a record whose ``text`` is not as it came."""
    if content.is_text:
        return []
    separator = f"contains({text}, {sql_text(DAMAGE + '01')})"
    return [
        Refusal(separator, None, "the control characters 1, 2, 3 and 4 in a row"),
        Refusal(f"contains({text}, {sql_text(DAMAGE)})", None, "bytes that are not UTF-8"),
    ]


def _shown(content: Content, text: str, overlong: Refusal) -> str:
    """The record as quarantine has it."""
    shown = f"CASE WHEN {overlong.condition} THEN left({text}, {LINE_LIMIT}) ELSE {text} END"
    if content.is_text:
        return shown
    return f"replace({shown}, {sql_text(DAMAGE)}, {sql_text(DAMAGE[1:])})"


def _quoted(cell: str, delimiter: str) -> str:
    """A field as CSV has it: in quotes where it holds what would end it."""
    marks = ["'\"'", delimiter, "chr(10)", "chr(13)"]
    special = " OR ".join(f"contains({cell}, {mark})" for mark in marks)
    in_quotes = f"""'"' || replace({cell}, '"', '""') || '"'"""
    return f"CASE WHEN {special} THEN {in_quotes} ELSE coalesce({cell}, '') END"
