"""What is promised of tables, on each of the storages."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from hm_platform.storage.tables import Slice, TableError, Tables, table_exists
from tests.storage.weekly import (
    ALL,
    WEEK,
    breaking,
    content,
    of_weeks,
    put,
    rows,
    values,
    week,
)


def test_a_week_is_replaced_and_the_others_stay(tables: Tables) -> None:
    put(tables, 0, [10, 11])
    put(tables, 1, [20])
    written = tables.replace(of_weeks(0), rows(0, [12]).to_reader())
    assert written.rows == 1
    assert content(tables) == [{"week": week(0), "x": 12}, {"week": week(1), "x": 20}]


def test_weeks_may_come_in_any_order(tables: Tables) -> None:
    for number in (2, 0, 1, 0, 2):
        put(tables, number, [number])
    assert values(tables) == [0, 1, 2]


def test_a_week_that_has_become_empty_is_emptied(tables: Tables) -> None:
    put(tables, 0, [10])
    put(tables, 1, [20])
    assert tables.replace(of_weeks(0), rows(0, [1])[:0].to_reader()).rows == 0
    assert values(tables) == [20]
    assert tables.count(of_weeks(0)) == 0
    assert tables.read(of_weeks(0)).schema == tables.read(of_weeks(1)).schema


def test_a_range_of_weeks_is_replaced_with_its_gaps(tables: Tables) -> None:
    for number in range(5):
        put(tables, number, [number])
    some = pa.concat_tables([rows(3, [31, 32]), rows(1, [11])])
    assert tables.replace(of_weeks(1, 3), some.to_reader()).rows == 3
    assert values(tables) == [0, 11, 31, 32, 4]
    assert values(tables, of_weeks(2)) == []
    assert values(tables, of_weeks(1, 2)) == [11]


def test_a_whole_table_takes_the_shape_of_its_rows(tables: Tables) -> None:
    tables.replace(ALL, pa.table({"a": [1]}).to_reader())
    written = tables.replace(ALL, pa.table({"b": ["x", "y"]}).to_reader())
    assert (written.rows, written.table_rows) == (2, 2)
    assert content(tables) == [{"b": "x"}, {"b": "y"}]
    assert tables.table_rows("marts", "t") == 2


def test_a_whole_table_may_have_no_rows(tables: Tables) -> None:
    tables.replace(ALL, rows(0, [1])[:0].to_reader())
    assert tables.exists("marts", "t")
    assert tables.read(ALL).schema.names == ["week", "x"]
    assert tables.count(ALL) == tables.table_rows("marts", "t") == 0


def test_the_days_of_a_whole_table_may_be_asked_for(tables: Tables) -> None:
    tables.replace(ALL, pa.concat_tables([rows(0, [1, 2]), rows(3, [3])]).to_reader())
    assert values(tables, of_weeks(0)) == [1, 2]
    assert tables.count(of_weeks(3)) == 1
    with tables.sql(of_weeks(3)) as connection:
        found = connection.execute("SELECT x FROM marts.t WHERE week >= '2020-01-22'").fetchall()
    assert found == [(3,)]


def test_a_column_that_was_added_is_null_in_old_weeks(tables: Tables) -> None:
    put(tables, 0, [1])
    put(tables, 1, [2], y=["new"])
    assert content(tables) == [
        {"week": week(0), "x": 1, "y": None},
        {"week": week(1), "x": 2, "y": "new"},
    ]
    assert content(tables, of_weeks(0)) == [{"week": week(0), "x": 1, "y": None}]
    assert tables.read(of_weeks(0, columns=["y"])).to_pylist() == [{"y": None}]
    assert values(tables, of_weeks(0, only={"y": "new"})) == []


def test_a_column_that_has_gone_is_null_in_new_weeks(tables: Tables) -> None:
    put(tables, 0, [1], y=["old"])
    tables.replace(of_weeks(1), rows(1, [2]).select(["x", "week"]).to_reader())
    assert content(tables, of_weeks(1)) == [{"week": week(1), "x": 2, "y": None}]
    put(tables, 0, [3])
    assert content(tables, of_weeks(0)) == [{"week": week(0), "x": 3, "y": None}]
    assert tables.read(of_weeks(7)).schema.field("y").type == pa.string()


@pytest.mark.parametrize("number", [0, 1])
def test_a_changed_type_is_refused_with_what_to_do(tables: Tables, number: int) -> None:
    put(tables, 0, [1])
    with pytest.raises(TableError, match=r"column x of marts\.t is .* build its weeks again"):
        put(tables, number, ["one"])
    assert values(tables) == [1]


@pytest.mark.parametrize("target", [of_weeks(0), of_weeks(0, 1), ALL], ids=["week", "weeks", "all"])
def test_a_source_that_breaks_off_leaves_what_was_there(tables: Tables, target: Slice) -> None:
    before = pa.concat_tables([rows(0, [1]), rows(1, [2])])
    tables.replace(of_weeks(0, 1) if target.days else ALL, before.to_reader())
    with pytest.raises(Exception, match="the source broke off"):
        tables.replace(target, breaking(rows(0, [99])))
    assert values(tables) == [1, 2]


def test_each_row_is_told_once(tables: Tables) -> None:
    put(tables, 0, [1, 1, 2], s=["a", "a", "b"])
    put(tables, 1, [2], s=["b"])
    put(tables, 2, [3], s=["c"])

    days = (week(1), week(2))

    def found(source: Slice) -> list[tuple]:
        return sorted(tuple(row.values()) for row in tables.distinct(source, days).to_pylist())

    assert found(of_weeks(0, 1, columns=["s"])) == [("a", False), ("b", True)]
    assert found(of_weeks(0, columns=["s"])) == [("a", False), ("b", False)]
    assert found(of_weeks(0, 1, columns=["week", "x"])) == [
        (week(0), 1, False),
        (week(0), 2, False),
        (week(1), 2, True),
    ]
    assert found(of_weeks(0, 2, columns=["x"], only={"s": ["b", "c"]})) == [(2, True), (3, False)]
    assert found(of_weeks(7, columns=["s"])) == []
    with pytest.raises(TableError, match=r"there is no table marts\.none"):
        tables.distinct(Slice("marts", "none", columns=["x"]), days)


def test_columns_and_rows_are_chosen(tables: Tables) -> None:
    put(tables, 0, [1, 2, 3], s=["a", "b", None])
    put(tables, 1, [4, 5, 6], s=["b", "", "it's"])
    assert tables.read(of_weeks(0, columns=["x"])).to_pylist() == [{"x": 1}, {"x": 2}, {"x": 3}]
    assert tables.read(of_weeks(0, columns=["s", "x"])).schema.names == ["s", "x"]
    for only, expected in [
        ({"s": "b"}, [2, 4]),
        ({"s": ["a", "it's"]}, [1, 6]),
        ({"s": []}, []),
        ({"s": ""}, [5]),
        ({"x": "4"}, [4]),
        ({"s": "b", "x": ["1", "4"]}, [4]),
        ({"week": str(week(1))}, [4, 5, 6]),
    ]:
        source = Slice("marts", "t", only=only)
        assert values(tables, source) == expected
        assert tables.count(source) == len(expected)
        assert tables.stream(Slice("marts", "t", only=only, columns=["x"])).read_all().num_rows == (
            len(expected)
        )


def test_a_filter_may_name_a_column_that_is_not_asked_for(tables: Tables) -> None:
    put(tables, 0, [1, 2], s=["a", "b"])
    assert tables.read(of_weeks(0, only={"s": "b"}, columns=["x"])).to_pylist() == [{"x": 2}]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ((week(0), week(2)), [1, 2, 3, 4]),
        ((date.min, week(1)), [1, 2]),
        ((week(1), date.max), [3, 4, 5, 6]),
        ((date(2020, 1, 7), date(2020, 1, 9)), [2, 3]),
        ((date(2020, 1, 1), date(2020, 1, 2)), [1]),
        ((date(2020, 1, 14), date(2020, 1, 21)), [4, 5]),
        ((date.min, date.min), []),
        ((week(9), week(10)), []),
    ],
)
def test_any_days_may_be_asked_for(
    tables: Tables, days: tuple[date, date], expected: list[int]
) -> None:
    for number in range(3):
        first, last = week(number), week(number + 1) - WEEK / 7
        table = pa.table({"day": [first, last], "x": [2 * number + 1, 2 * number + 2]})
        tables.replace(Slice("marts", "t", (first, first + WEEK), "day"), table.to_reader())
    source = Slice("marts", "t", days, "day")
    assert values(tables, source) == expected
    assert tables.count(source) == len(expected)


def test_sql_knows_the_tables_by_their_names(tables: Tables) -> None:
    put(tables, 0, [1, 2])
    put(tables, 1, [3])
    tables.replace(Slice("raw", "names"), pa.table({"x": [1], "name": ["one"]}).to_reader())
    missing = Slice("raw", "missing")
    with tables.sql(ALL, Slice("raw", "names"), missing) as connection:
        total = connection.execute("SELECT sum(x) FROM marts.t").fetchone()
        joined = connection.execute("SELECT name FROM raw.names JOIN marts.t USING (x)").fetchall()
        assert not table_exists(connection, "raw", "missing")
    assert total == (6,)
    assert joined == [("one",)]


def test_sql_of_a_week_without_rows_has_the_columns(tables: Tables) -> None:
    put(tables, 0, [1], y=["a"])
    with tables.sql(of_weeks(5)) as connection:
        where = of_weeks(5).where
        assert connection.execute(f"SELECT week, x, y FROM marts.t WHERE {where}").fetchall() == []


def test_sql_of_a_week_has_the_columns_of_all(tables: Tables) -> None:
    put(tables, 0, [1])
    put(tables, 1, [2], y=["new"])
    with tables.sql(of_weeks(0)) as connection:
        where = of_weeks(0).where
        found = connection.execute(f"SELECT x, y FROM marts.t WHERE {where}").fetchall()
    assert found == [(1, None)]


def test_several_are_read_at_once_and_what_is_not_there_is_none(tables: Tables) -> None:
    put(tables, 0, [1])
    put(tables, 1, [2])
    found = tables.read_each(of_weeks(1), Slice("raw", "missing"), ALL, of_weeks(7))
    assert [None if each is None else sorted(each["x"].to_pylist()) for each in found] == [
        [2],
        None,
        [1, 2],
        [],
    ]


def test_what_is_not_there_is_told(tables: Tables) -> None:
    assert tables.is_empty()
    put(tables, 0, [1])
    assert not tables.is_empty()
    assert tables.exists("marts", "t")
    # A name that begins like another's is another one.
    for name in ("missing", "t_", "t2"):
        assert not tables.exists("marts", name)
        assert tables.table_rows("marts", name) is None
        for ask in (tables.read, tables.stream, tables.count):
            with pytest.raises(TableError, match=rf"no table marts\.{name} yet: materialise"):
                ask(Slice("marts", name))


def test_tables_whose_names_begin_alike_are_apart(tables: Tables) -> None:
    put(tables, 0, [1])
    for name in ("t_2", "t2", "tt"):
        tables.replace(Slice("marts", name, of_weeks(0).days), rows(0, [9]).to_reader())
        tables.replace(Slice("marts", f"{name}_all"), rows(0, [8]).to_reader())
    assert values(tables) == [1]
    assert values(tables, of_weeks(0)) == [1]


def test_a_stream_may_feed_what_is_written_meanwhile(tables: Tables) -> None:
    tables.replace(ALL, pa.table({"x": range(300_000)}).to_reader())
    written = tables.replace(Slice("marts", "copy"), tables.stream(ALL))
    assert written.rows == 300_000
    assert tables.read(Slice("marts", "copy"))["x"].to_pylist() == list(range(300_000))


def test_a_stream_that_is_dropped_holds_nobody_up(tables: Tables) -> None:
    tables.replace(ALL, pa.table({"x": range(300_000)}).to_reader())
    stream = tables.stream(ALL)
    assert stream.read_next_batch().num_rows > 0
    del stream
    tables.replace(ALL, pa.table({"x": [1]}).to_reader())
    assert tables.count(ALL) == 1
