"""Property: whatever a Parquet file is made of, its rows add up; good rows are exact, and a file
that cannot be read is held with a reason."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from hm_platform.landing.accounting import files_that_do_not_add_up, quarantine_faults
from hm_platform.landing.entry import from_table
from hm_platform.landing.errors import LandingError
from hm_platform.landing.loading import read_quarantine, read_transactions
from hm_platform.landing.zone import LandingZone
from tests.landing.landed import (
    CALENDAR,
    END,
    GOOD,
    LENIENT,
    STRICT,
    TODAY,
    index,
    put,
    put_transactions,
)

COLUMNS = ["t_dat", "customer_id", "article_id", "price", "sales_channel_id"]


@dataclass(frozen=True)
class Written:
    """A way to write a column: good values as they are read back, how they are put down, as what,
    and values that are refused (those that are missing are another matter)."""

    good: st.SearchStrategy[Any]
    type: pa.DataType
    put: Callable[[Any], Any] = lambda value: value
    bad: tuple[Any, ...] = ()


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 23, 59)  # noqa: DTZ001


days = st.dates(CALENDAR.first_week, TODAY)
early, late = date(2018, 9, 18), date(2020, 9, 23)
moments = (_midnight(early), _midnight(late))
texts = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\n"), min_size=1, max_size=9
).filter(lambda text: bool(text.strip()))
whole = st.integers(0, 10**9).map(str)
cents = st.integers(0, 10**6).map(lambda n: n / 100)

DAYS = [
    Written(days, pa.date32(), bad=(early, late, date(9999, 12, 31))),
    *(
        Written(days, pa.timestamp(unit, zone), _midnight, moments)
        for unit in ("s", "ms", "us", "ns")
        for zone in (None, "UTC")
    ),
    Written(days, pa.string(), str, (str(early), "2018-9-20", "20180920", "", "soon")),
]
IDS = [
    Written(texts, pa.string(), bad=("", " \t", "a\nb", "a\rb")),
    Written(texts, pa.large_string(), bad=("", "\n")),
    Written(texts, pa.dictionary(pa.int32(), pa.string()), bad=("",)),
    Written(texts, pa.binary(), str.encode, (b"", b"\n", b"\xff")),
    Written(whole, pa.int64(), int),
    Written(whole, pa.uint32(), int),
]
PRICES = [
    Written(st.floats(0, 1e9), pa.float64(), bad=(-1.0, float("nan"), float("inf"), -1e-300)),
    Written(st.floats(0, 1e9, width=32), pa.float32(), bad=(-1.0, float("nan"))),
    Written(cents, pa.decimal128(12, 2), lambda x: Decimal(str(x)), (Decimal("-0.01"),)),
    Written(st.integers(0, 10**6).map(float), pa.int32(), int, (-1,)),
    Written(st.floats(0, 1e9), pa.string(), repr, ("-1", "nan", "1_0", "free", "", "1,5")),
]
CHANNELS = [
    Written(st.sampled_from([1, 2]), pa.int8(), bad=(0, 3, -1)),
    Written(st.sampled_from([1, 2]), pa.int64(), bad=(0, 2**62)),
    Written(st.sampled_from([1, 2]), pa.float64(), float, (1.5, float("nan"))),
    Written(st.sampled_from([1, 2]), pa.string(), str, ("3", "", "1.0", "one")),
]
WAYS = dict(zip(COLUMNS, [DAYS, IDS, IDS, PRICES, CHANNELS], strict=True))
EXTRAS = ["note", "file_row_number", "row_number", "refusal", "Line", 'a"b', "record", "field_0"]


@st.composite
def tables(draw: st.DrawFn) -> tuple[pa.Table, list[tuple[Any, ...] | None]]:
    """A table, and of each of its rows what is to be loaded (None: nothing)."""
    ways = {name: draw(st.sampled_from(WAYS[name])) for name in COLUMNS}
    count = draw(st.integers(0, 12))
    rows: list[tuple[Any, ...] | None] = []
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for _ in range(count):
        values = [draw(ways[name].good) for name in COLUMNS]
        fields = [ways[name].put(value) for name, value in zip(COLUMNS, values, strict=True)]
        wrong = draw(st.sampled_from([None, None, None, *COLUMNS]))
        if wrong is not None:
            fields[COLUMNS.index(wrong)] = draw(st.sampled_from([None, *ways[wrong].bad]))
        rows.append(tuple(values) if wrong is None else None)
        for name, field in zip(COLUMNS, fields, strict=True):
            columns[name].append(field)
    arrays = {name: pa.array(columns[name], ways[name].type) for name in COLUMNS}
    for name in draw(st.lists(st.sampled_from(EXTRAS), unique=True, max_size=3)):
        arrays[name] = draw(
            st.sampled_from(
                [
                    pa.nulls(count),
                    pa.array([{"a": [1, None]}] * count, pa.struct([("a", pa.list_(pa.int8()))])),
                    pa.array([float("nan")] * count, pa.float64()),
                    pa.array([b"\x89PNG\xff\x00"] * count, pa.binary()),
                    pa.array([-(2**63)] * count, pa.int64()).view(pa.timestamp("us")),
                ]
            )
        )
    order = draw(st.permutations(list(arrays)))
    upper = draw(st.booleans())
    return pa.table({n.upper() if upper else n: arrays[n] for n in order}), rows


@st.composite
def written(draw: st.DrawFn, table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(
        table,
        sink,
        row_group_size=draw(st.integers(1, 12)),
        compression=draw(st.sampled_from(["none", "snappy", "zstd", "gzip"])),
        use_dictionary=draw(st.booleans()),
        write_statistics=draw(st.booleans()),
        version=draw(st.sampled_from(["1.0", "2.6"])),
        use_deprecated_int96_timestamps=draw(st.booleans()),
        data_page_version=draw(st.sampled_from(["1.0", "2.0"])),
    )
    return sink.getvalue()


@settings(max_examples=20)
@given(st.data())
def test_no_row_of_any_type_is_lost_and_good_rows_are_exact(data: st.DataObject) -> None:
    table, rows = data.draw(tables())
    content = data.draw(written(table))
    with tempfile.TemporaryDirectory() as folder:
        zone = LandingZone(Path(folder))
        put(zone, "transactions/a.parquet", content)
        found, strict = index(zone, rules=LENIENT), index(zone, rules=STRICT)
        loaded = read_transactions(zone, found, CALENDAR.first_week, END).read_all().to_pylist()
        refused = read_quarantine(zone, found).read_all().to_pylist()
        assert quarantine_faults(strict, read_quarantine(zone, strict)) == []
        kept = read_transactions(zone, strict, CALENDAR.first_week, END).read_all().to_pylist()
    assert files_that_do_not_add_up(found) == files_that_do_not_add_up(strict) == []
    (entry,), (judged,) = from_table(found), from_table(strict)
    assert (entry.state, entry.rows, judged.rows) == ("loaded", len(rows), len(rows)), entry.reason
    expected = {number: row for number, row in enumerate(rows, start=1) if row is not None}
    assert {r["row_number"]: tuple(r[name] for name in COLUMNS) for r in loaded} == expected
    assert [r["row_number"] for r in refused] == [
        number for number in range(1, len(rows) + 1) if number not in expected
    ]
    assert all(r["record"] and r["reason"] and r["column_name"] for r in refused)
    assert kept == (loaded if 20 * len(refused) <= len(rows) else [])


@settings(max_examples=20)
@given(st.data())
def test_a_file_without_a_column_is_held_with_all_its_rows_counted(data: st.DataObject) -> None:
    table, _ = data.draw(tables())
    lost = data.draw(st.sampled_from(table.column_names))
    with tempfile.TemporaryDirectory() as folder:
        zone = LandingZone(Path(folder))
        put(zone, "transactions/a.parquet", data.draw(written(table.drop([lost]))))
        (entry,) = from_table(index(zone))
    if lost.lower() in COLUMNS:
        assert (entry.state, entry.rows_held) == ("held", len(table))
        assert f"no column {lost.lower()}:" in (entry.reason or "")
    else:
        assert entry.state == "loaded"


@settings(max_examples=20)
@given(st.data())
def test_damaged_bytes_never_raise_nor_touch_another_file(data: st.DataObject) -> None:
    table, _ = data.draw(tables())
    content = bytearray(data.draw(written(table)))
    whole = bytes(content)
    # The last bytes say what lies where: most damage is tried there.
    places = st.one_of(st.integers(0, len(content) - 1), st.integers(1, 400).map(lambda n: -n))
    for place in data.draw(st.lists(places, max_size=4)):
        content[max(place, -len(content))] ^= 1 << data.draw(st.integers(0, 7))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    with tempfile.TemporaryDirectory() as folder:
        zone = LandingZone(Path(folder))
        put(zone, "transactions/a.parquet", bytes(content))
        put_transactions(zone, "b.csv", GOOD)
        for rules in (LENIENT, STRICT):
            found = index(zone, rules=rules)
            damaged, other = from_table(found)
            assert files_that_do_not_add_up(found) == []
            assert (other.state, other.rows_loaded) == ("loaded", 1)
            if damaged.state == "held":
                assert damaged.reason
            if len(content) < len(whole):
                assert damaged.state == "held"
        # What is in it now may be nonsense, but is either read or said to be unreadable.
        with suppress(LandingError):
            read_transactions(zone, found, CALENDAR.first_week, END).read_all()
