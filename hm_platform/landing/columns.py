"""What the landed tables look like: their columns, and when a value of a column is refused.

A column's kind decides how a field becomes a value and what can be wrong with it. Everything here
is text of SQL expressions over a field; where the fields come from is not this module's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import pyarrow as pa

TEXT_TYPE = "VARCHAR"
INTEGER_TYPES = tuple(
    sign + name
    for sign in ("", "U")
    for name in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
)
TIMESTAMP_TYPES = ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS")
ZONED_TYPE = "TIMESTAMP WITH TIME ZONE"


class Kind(Enum):
    """What the fields of a column are."""

    DAY = "a date"
    IDENTIFIER = "an identifier: text that is never a number"
    PRICE = "a finite number of 0 or more"
    CHANNEL = "1 or 2"
    WHOLE = "a whole number, or nothing"
    TEXT = "text, or nothing"


@dataclass(frozen=True)
class Column:
    """A column of a landed table: its name (lower snake case), kind and DuckDB type.

    used : whether what is recommended depends on it; the others are for people to read
    """

    name: str
    kind: Kind
    type: str
    used: bool = True

    @property
    def arrow_type(self) -> pa.DataType:
        return _ARROW_TYPES[self.type]

    @property
    def required(self) -> bool:
        """Whether a row says nothing without it; any other column may be missing from a file."""
        return self.kind not in (Kind.WHOLE, Kind.TEXT)


_ARROW_TYPES = {
    "DATE": pa.date32(),
    "VARCHAR": pa.string(),
    "DOUBLE": pa.float64(),
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
}

# The bounds of the whole-number types.
_BOUNDS = {"TINYINT": 2**7, "SMALLINT": 2**15, "INTEGER": 2**31}


def _columns(text: str) -> tuple[Column, ...]:
    kinds = {
        "day": (Kind.DAY, "DATE"),
        "id": (Kind.IDENTIFIER, "VARCHAR"),
        "price": (Kind.PRICE, "DOUBLE"),
        "channel": (Kind.CHANNEL, "TINYINT"),
        "tiny": (Kind.WHOLE, "TINYINT"),
        "small": (Kind.WHOLE, "SMALLINT"),
        "int": (Kind.WHOLE, "INTEGER"),
        "text": (Kind.TEXT, "VARCHAR"),
    }
    lines = (line.split() for line in text.strip().splitlines())
    return tuple(Column(name, *kinds[kind], not unused) for name, kind, *unused in lines)


COLUMNS = {
    "articles": _columns("""
        article_id id
        product_code text
        prod_name text unused
        product_type_no int
        product_type_name text
        product_group_name text
        graphical_appearance_no int
        graphical_appearance_name text
        colour_group_code text
        colour_group_name text
        perceived_colour_value_id int unused
        perceived_colour_value_name text unused
        perceived_colour_master_id int
        perceived_colour_master_name text
        department_no int
        department_name text
        index_code text
        index_name text
        index_group_no int unused
        index_group_name text unused
        section_no int
        section_name text
        garment_group_no int
        garment_group_name text
        detail_desc text unused
    """),
    "customers": _columns("""
        customer_id id
        fn tiny
        active tiny
        club_member_status text
        fashion_news_frequency text
        age small
        postal_code text unused
    """),
    "transactions": _columns("""
        t_dat day
        customer_id id
        article_id id
        price price
        sales_channel_id channel
    """),
}
"""The columns of each data set, in the order of the raw tables (H&M's order)."""


def schema(dataset: str) -> pa.Schema:
    """The Arrow schema of the columns of ``dataset``."""
    return pa.schema([(column.name, column.arrow_type) for column in COLUMNS[dataset]])


ARTICLES_SCHEMA = pa.schema([*schema("articles"), ("uri", pa.string())])
CUSTOMERS_SCHEMA = pa.schema([*schema("customers"), ("uri", pa.string())])
TRANSACTIONS_SCHEMA = pa.schema(
    [*schema("transactions"), ("uri", pa.string()), ("row_number", pa.int64())]
)
WEEK_ROWS_TYPE = pa.struct(
    [("week", pa.date32()), ("rows", pa.int64()), ("fingerprint", pa.string())]
)
SOURCE_COLUMN_TYPE = pa.struct([("name", pa.string()), ("type", pa.string())])
LANDED_FILES_SCHEMA = pa.schema(
    [
        ("uri", pa.string()),
        ("dataset", pa.string()),
        ("size", pa.int64()),
        ("content_hash", pa.string()),
        ("content_traits", pa.list_(pa.string())),
        ("first_day", pa.date32()),
        ("last_day", pa.date32()),
        ("rows", pa.int64()),
        ("rows_loaded", pa.int64()),
        ("rows_quarantined", pa.int64()),
        ("rows_held", pa.int64()),
        ("rows_kept", pa.int64()),
        ("state", pa.string()),
        ("reason", pa.string()),
        ("weeks", pa.list_(WEEK_ROWS_TYPE)),
        ("columns", pa.list_(SOURCE_COLUMN_TYPE)),
        ("lost_columns", pa.list_(pa.string())),
        ("stamp", pa.string()),
        ("checked_by", pa.string()),
        ("check_again_on", pa.date32()),
    ]
)
QUARANTINE_SCHEMA = pa.schema(
    [
        ("uri", pa.string()),
        ("row_number", pa.int64()),
        ("column_name", pa.string()),
        ("reason", pa.string()),
        ("record", pa.string()),
    ]
)


def rows_fingerprint(dataset: str) -> str:
    """The SQL aggregate that is equal for equal rows with equal numbers, in any order.

    Of 64 bits: it tells a changed file from an unchanged one, and is no protection against malice.
    """
    return f"format('{{:016x}}', {numbered_hash(row_hash(dataset))})"


def row_hash(dataset: str) -> str:
    """The SQL expression of 64 bits that are equal for rows with equal values."""
    return f"hash({', '.join(column.name for column in COLUMNS[dataset])})"


def numbered_hash(row: str) -> str:
    """The SQL aggregate of rows, told by ``row`` (their row_hash) and their ``row_number``: a
    number that rows_fingerprint() writes out. That of all rows is the exclusive or of its parts'.
    """
    # DuckDB hashes several values to an exclusive or of their hashes: hashed once more, since else
    # swapped numbers would make no difference, and two equal rows would cancel out.
    return f"bit_xor(hash(hash({row}, row_number)))"


def written_fingerprint(number: int) -> str:
    """What rows_fingerprint() makes of a numbered_hash()."""
    return f"{number:016x}"


@dataclass(frozen=True)
class Refusal:
    """Why a row is refused: the SQL condition, the column it is about (None: the row as a whole)
    and the reason in words.

    in_future : whether it may be good another day
    """

    condition: str
    column: str | None
    reason: str
    in_future: bool = False


def accepts(kind: Kind, source_type: str) -> bool:
    """Whether fields of the DuckDB type ``source_type`` can be values of ``kind``."""
    if source_type == TEXT_TYPE:
        return True
    match kind:
        case Kind.DAY:
            return source_type in ("DATE", ZONED_TYPE, *TIMESTAMP_TYPES)
        case Kind.IDENTIFIER:
            return source_type in (*INTEGER_TYPES, "UUID")
        case Kind.PRICE | Kind.CHANNEL:
            return _is_number(source_type)
        case Kind.WHOLE:
            return _is_number(source_type) or source_type == "BOOLEAN"
        case Kind.TEXT:
            return True


def _is_number(source_type: str) -> bool:
    return source_type in (*INTEGER_TYPES, "FLOAT", "DOUBLE") or source_type.startswith("DECIMAL")


def value(column: Column, field: str, source_type: str) -> str:
    """The SQL expression that makes a value of ``column`` from ``field``; NULL where it cannot.

    A timestamp becomes its date; one with a zone is stored in UTC and becomes its date there.
    An integer that is an identifier becomes text as it is. A whole number may be written 1.0.
    """
    match column.kind:
        case Kind.DAY:
            if source_type == ZONED_TYPE:
                return f"make_timestamp(epoch_us({field}))::DATE"
            # Left as it is, a date can be compared with what a Parquet file says about its blocks.
            return field if source_type == "DATE" else f"TRY_CAST({field} AS DATE)"
        case Kind.IDENTIFIER:
            return f"{field}::VARCHAR"
        case Kind.TEXT:
            return f"nullif({field}::VARCHAR, '')"
        case Kind.PRICE:
            return f"TRY_CAST({field} AS DOUBLE)"
        case Kind.CHANNEL:
            if source_type == TEXT_TYPE:
                return f"CASE {field} WHEN '1' THEN 1 WHEN '2' THEN 2 END::TINYINT"
            return f"CASE {field} WHEN 1 THEN 1 WHEN 2 THEN 2 END::TINYINT"
        case Kind.WHOLE:
            number, bound = f"TRY_CAST({field} AS DOUBLE)", _BOUNDS[column.type]
            # Trying once more, since DuckDB may leave out a comparison that a block's statistics
            # decide, and those know nothing of NaN.
            return (
                f"CASE WHEN {number} = trunc({number}) AND {number} BETWEEN {-bound} AND "
                f"{bound - 1} THEN TRY_CAST({number} AS {column.type}) END"
            )


def refusals(column: Column, field: str, source_type: str, lacking: str = "") -> list[Refusal]:
    """What can be wrong with ``field``, whose value() the SQL column ``column.name`` holds.

    lacking : characters that are nowhere in the file's fields, for which they need no search
    """
    name, is_text = column.name, source_type == TEXT_TYPE
    missing = f"{field} IS NULL OR {field} = ''" if is_text else f"{field} IS NULL"
    match column.kind:
        case Kind.DAY:
            # Casting alone lets 2018-9-1 through, and blanks around.
            wrong = f"{name} IS NULL"
            wrong += f" OR {name}::VARCHAR <> {field}" if is_text else ""
            faults = [(missing, "missing"), (wrong, "not a date written YYYY-MM-DD")]
        case Kind.IDENTIFIER:
            # Nearly all begin with something visible: only for the others is there a closer look.
            blank = (
                f"CASE WHEN {field} < '!' THEN regexp_full_match({field}, '\\s*') ELSE false END"
            )
            faults = [(f"{field} IS NULL OR {blank}" if is_text else missing, "missing")]
            if is_text and not {*"\n\r"} <= {*lacking}:
                line_break = f"contains({field}, chr(10)) OR contains({field}, chr(13))"
                faults.append((line_break, "holds a line break"))
        case Kind.PRICE:
            # DuckDB reads 1_000 as a thousand.
            wrong = f"{name} IS NULL OR NOT isfinite({name}) OR {name} < 0"
            wrong += f" OR contains({field}, '_')" if is_text and "_" not in lacking else ""
            faults = [(missing, "missing"), (wrong, "not a number of 0 or more")]
        case Kind.CHANNEL:
            faults = [(missing, "missing"), (f"{name} IS NULL", "neither 1 nor 2")]
        case Kind.WHOLE:
            faults = [(f"{name} IS NULL AND NOT ({missing})", "not a whole number")]
        case Kind.TEXT:
            faults = []
    return [Refusal(condition, name, reason) for condition, reason in faults]
