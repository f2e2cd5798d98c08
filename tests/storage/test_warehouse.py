from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from hm_platform.storage import warehouse
from hm_platform.storage.local import Warehouse
from hm_platform.storage.tables import Slice
from hm_platform.storage.warehouse import WarehouseError

WEEK_1 = Slice("marts", "t", only={"week": "1"})
WEEK_2 = Slice("marts", "t", only={"week": "2"})
ALL = Slice("marts", "t")


def rows(**columns: list) -> pa.RecordBatchReader:
    return pa.table(columns).to_reader()


def write(path: Path, target: Slice, reader: pa.RecordBatchReader) -> int:
    with warehouse.transaction(path) as connection:
        return warehouse.replace(connection, target, reader)


def content(path: Path, source: Slice = ALL) -> list[dict]:
    with warehouse.connect(path, read_only=True) as connection:
        table = warehouse.read(connection, source)
    return sorted(table.to_pylist(), key=str)


def format_of(path: Path) -> str:
    with duckdb.connect(path, read_only=True) as connection:
        asked = "SELECT tags['storage_version'] FROM duckdb_databases() WHERE path IS NOT NULL"
        ((found,),) = connection.execute(asked).fetchall()
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "warehouse.duckdb"


def test_a_week_is_replaced_and_the_others_stay(path: Path) -> None:
    write(path, WEEK_1, rows(week=[1, 1], x=[10, 11]))
    write(path, WEEK_2, rows(week=[2], x=[20]))
    assert write(path, WEEK_1, rows(week=[1], x=[12])) == 1
    assert content(path) == [{"week": 1, "x": 12}, {"week": 2, "x": 20}]


def test_a_week_that_has_become_empty_is_emptied(path: Path) -> None:
    write(path, WEEK_1, rows(week=[1], x=[10]))
    write(path, WEEK_2, rows(week=[2], x=[20]))
    empty = pa.schema([("week", pa.int64()), ("x", pa.int64())]).empty_table().to_reader()
    assert write(path, WEEK_1, empty) == 0
    assert content(path) == [{"week": 2, "x": 20}]


def test_a_warehouse_of_an_older_format_is_written_on_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    duckdb.connect(path, config={"storage_compatibility_version": "v1.0.0"}).close()
    write(path, WEEK_1, rows(week=[1], x=[10]))
    assert content(path) == [{"week": 1, "x": 10}]
    assert format_of(path) == "v1.0.0+"
    new = path.with_name("new.duckdb")
    write(new, WEEK_1, rows(week=[1], x=[10]))
    assert format_of(new) == "v1.5.0+"


def test_a_failed_write_leaves_the_week_as_it_was(path: Path) -> None:
    write(path, WEEK_1, rows(week=[1, 1], x=[10, 11]))

    def breaks():
        yield pa.record_batch({"week": [1], "x": [99]})
        raise OSError("connection lost")

    broken = pa.RecordBatchReader.from_batches(
        pa.schema([("week", pa.int64()), ("x", pa.int64())]), breaks()
    )
    with pytest.raises(Exception, match="connection lost"):
        write(path, WEEK_1, broken)
    assert content(path) == [{"week": 1, "x": 10}, {"week": 1, "x": 11}]


def test_a_killed_writer_leaves_the_week_as_it_was(path: Path) -> None:
    write(path, WEEK_1, rows(week=[1], x=[10]))
    script = f"""
        import os, pathlib, pyarrow as pa
        from hm_platform.storage import warehouse as w
        def batches():
            for i in range(100):
                yield pa.record_batch({{"week": [1] * 50_000, "x": list(range(50_000))}})
            os.kill(os.getpid(), 9)
        reader = pa.RecordBatchReader.from_batches(
            pa.schema([("week", pa.int64()), ("x", pa.int64())]), batches())
        with w.transaction(pathlib.Path({str(path)!r})) as c:
            w.replace(c, w.Slice("marts", "t", only={{"week": "1"}}), reader)
    """
    died = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert died.returncode == -9
    assert content(path) == [{"week": 1, "x": 10}]


def test_a_column_that_was_added_is_null_in_old_weeks(path: Path) -> None:
    write(path, WEEK_1, rows(week=[1], x=[10]))
    write(path, WEEK_2, rows(week=[2], x=[20], y=["new"]))
    assert content(path) == [{"week": 1, "x": 10, "y": None}, {"week": 2, "x": 20, "y": "new"}]


def test_a_column_that_is_gone_is_null_in_new_weeks_and_order_does_not_matter(path: Path) -> None:
    write(path, WEEK_1, rows(week=[1], x=[10], y=["old"]))
    write(path, WEEK_2, rows(y=["b"], week=[2]))
    assert content(path, WEEK_2) == [{"week": 2, "x": None, "y": "b"}]


def test_a_whole_table_takes_the_shape_of_its_rows(path: Path) -> None:
    write(path, ALL, rows(a=[1]))
    write(path, ALL, rows(b=["x"]))
    assert content(path) == [{"b": "x"}]


def test_a_changed_type_is_refused_with_what_to_do(path: Path) -> None:
    write(path, WEEK_1, rows(week=[1], x=[10]))
    with pytest.raises(WarehouseError, match=r"column x of marts\.t is BIGINT .* drop the table"):
        write(path, WEEK_1, rows(week=[1], x=["ten"]))
    assert content(path) == [{"week": 1, "x": 10}]


def test_a_stream_may_feed_what_is_written_meanwhile(path: Path) -> None:
    write(path, ALL, rows(week=list(range(300_000)), x=list(range(300_000))))
    stream = warehouse.stream(path, ALL)
    assert write(path, Slice("marts", "copy"), stream) == 300_000
    assert content(path, Slice("marts", "copy")) == content(path)


def test_what_is_only_looked_at_can_be_streamed(path: Path) -> None:
    write(path, ALL, rows(week=[1, 2], x=[1, 2]))
    tables = Warehouse(path, read_only=True)
    streams = [tables.stream(ALL), tables.stream(ALL)]
    assert [stream.read_all().num_rows for stream in streams] == [tables.count(ALL)] * 2


def test_streams_close_the_warehouse_when_read_or_dropped(path: Path) -> None:
    write(path, ALL, rows(week=[1], x=[1]))
    warehouse.stream(path, ALL).read_all()
    dropped = warehouse.stream(path, ALL)
    del dropped
    # Read-only is refused while this process has it open for writing.
    duckdb.connect(path, read_only=True).close()


def test_names_with_quotes_are_names(path: Path) -> None:
    odd = Slice('s"; DROP SCHEMA marts; --', "t t", columns=['a"b'])
    write(path, Slice(odd.schema, odd.table), pa.table({'a"b': [1], "c": [2]}).to_reader())
    assert content(path, odd) == [{'a"b': 1}]


HOLD = (
    "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print('held', flush=True); "
    "time.sleep(float(sys.argv[2]))"
)


def hold(path: Path, seconds: float) -> subprocess.Popen:
    held = subprocess.Popen(
        [
            sys.executable,
            "-c",
            HOLD,
            str(path),
            str(seconds),
        ],
        stdout=subprocess.PIPE,
    )
    assert held.stdout is not None
    held.stdout.readline()
    return held


def test_whoever_finds_the_warehouse_taken_waits_for_it(path: Path) -> None:
    write(path, WEEK_1, rows(week=[1], x=[10]))
    holder = hold(path, 1.5)
    started = time.monotonic()
    assert content(path) == [{"week": 1, "x": 10}]
    assert time.monotonic() - started > 0.5
    holder.wait()


def test_a_warehouse_that_stays_taken_is_a_clear_error(path: Path) -> None:
    write(path, WEEK_1, rows(week=[1], x=[10]))
    holder = hold(path, 30)
    try:
        with (
            pytest.raises(WarehouseError, match="in use by another process"),
            warehouse.connect(path, wait_s=0.3),
        ):
            pass
    finally:
        holder.kill()
        holder.wait()
    assert content(path) == [{"week": 1, "x": 10}]


def test_reading_what_is_not_there_says_what_to_run(path: Path) -> None:
    with pytest.raises(WarehouseError, match="hm build"), warehouse.connect(path, read_only=True):
        pass


def test_a_file_that_is_no_warehouse_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    path.write_text("not a database " * 1000)
    with pytest.raises(WarehouseError, match="cannot be read"), warehouse.connect(path):
        pass


@pytest.mark.parametrize("from_end", [False, True], ids=["header", "data"])
def test_a_damaged_warehouse_is_told_at_once_with_what_to_do(path: Path, from_end: bool) -> None:
    with warehouse.connect(path) as connection:
        connection.execute("CREATE TABLE t AS SELECT i, hash(i) AS h FROM range(300000) AS t(i)")
    content = bytearray(path.read_bytes())
    places = [len(content) - 100_000] if from_end else [4096 + 20, 8192 + 20]
    for place in places:
        content[place] ^= 0xFF
    path.write_bytes(content)
    with (
        pytest.raises(WarehouseError, match=r"(?s)cannot be read .*it is damaged: .*`hm build`"),
        warehouse.connect(path, read_only=True, wait_s=3600) as connection,
    ):
        connection.execute("SELECT max(i), max(h) FROM t").fetchall()


def test_a_slice_may_have_one_of_several_values(path: Path) -> None:
    write(path, ALL, rows(split=["a", "b", "it's"], x=[1, 2, 3]))

    def found(**conditions: str | list[str]) -> list[int]:
        return sorted(row["x"] for row in content(path, Slice("marts", "t", only=conditions)))

    assert found(split="b") == [2]
    assert found(split=["a", "it's"]) == [1, 3]
    assert found(split=[]) == []
    assert found(split=["a", "b"], x="2") == [2]
