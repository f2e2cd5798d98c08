"""What an asset costs is attached to it, and counts its own step and no other."""

from __future__ import annotations

import mmap
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from dagster import AssetIn, AssetKey, AssetOut, DagsterInstance, asset, materialize, multi_asset

from hm_platform.storage import metering
from hm_platform.storage.io_managers import ArrowIOManager
from hm_platform.storage.metering import KEYS, Meter, OtherProcess, counted
from hm_platform.storage.resource import LocalStorage

ROWS = pa.table({"x": pa.array(range(1000), pa.int64())})
BYTES = 8000


@asset(key=["raw", "rows"])
def rows() -> pa.Table:
    return ROWS


@asset(key=["raw", "large"])
def large() -> pa.Table:
    return pa.concat_tables([ROWS] * 5)


@asset(key=["marts", "some"], ins={"rows": AssetIn(["raw", "rows"])})
def some(rows: pa.RecordBatchReader) -> pa.RecordBatchReader:
    def first() -> Iterator[pa.RecordBatch]:
        for batch in rows:
            yield batch.slice(0, 100)

    return pa.RecordBatchReader.from_batches(rows.schema, first())


@multi_asset(
    ins={"large": AssetIn(["raw", "large"])},
    outs={
        "one": AssetOut(key=AssetKey(["marts", "one"])),
        "two": AssetOut(key=AssetKey(["marts", "two"])),
    },
)
def both(large: pa.Table) -> tuple[pa.Table, pa.Table]:
    return large, ROWS


def test_every_asset_says_what_it_has_cost(tmp_path: Path) -> None:
    tables = ArrowIOManager(storage=LocalStorage(home=str(tmp_path)))
    instance = DagsterInstance.ephemeral()
    done = materialize(
        [rows, large, some, both], resources={"io_manager": tables}, instance=instance
    )
    assert done.success

    def cost(*key: str) -> dict[str, object]:
        event = instance.get_latest_materialization_event(AssetKey(key))
        assert event is not None
        assert event.asset_materialization is not None
        metadata = event.asset_materialization.metadata
        return {name: metadata[name].value for name in KEYS if name in metadata}

    def thousands(*key: str) -> tuple[float, ...]:
        # DuckDB adds a bit a value, which says whether it is null.
        moved = (cost(*key)["bytes_read"], cost(*key)["bytes_written"])
        return tuple(round(float(str(bytes_)) / 1000, 1) for bytes_ in moved)

    moved = {
        key: thousands(*key)
        for key in [("raw", "rows"), ("raw", "large"), ("marts", "some"), ("marts", "one"),
                    ("marts", "two")]
    }  # fmt: skip
    assert moved == {
        ("raw", "rows"): (0, 8),
        ("raw", "large"): (0, 40),
        ("marts", "some"): (8.1, 0.8),
        ("marts", "one"): (40.6, 40.6),
        # What the step read is not counted twice.
        ("marts", "two"): (0, 8),
    }
    assert all(0 <= float(str(cost(*key)["seconds"])) < 60 for key in moved)
    if metering.reset_peak():
        assert 10e6 < int(str(cost("marts", "some")["peak_memory_bytes"])) < 100e9


def test_the_peak_is_that_of_the_step() -> None:
    if not metering.reset_peak():
        pytest.skip("only Linux says it")
    meter = Meter()
    touch(300_000_000)
    meter.read(("run", "small"), 0)
    small = meter.stored(("run", "small"), 0, 0)["peak_memory_bytes"]
    meter.read(("run", "large"), 0)
    touch(300_000_000)
    large = meter.stored(("run", "large"), 0, 0)["peak_memory_bytes"]
    assert large > small + 200_000_000


def touch(size: int) -> None:
    """Have so many bytes of memory that nobody had before, and give them back."""
    with mmap.mmap(-1, size) as held:
        for at in range(0, size, mmap.PAGESIZE):
            held[at] = 1


def test_where_the_system_says_nothing_there_is_no_peak(
    tmp_path: Path,
) -> None:
    meter = Meter(tmp_path / "nowhere")
    meter.read(("run", "a"), 0)
    assert set(meter.stored(("run", "a"), 0, 1)) == set(KEYS) - {"peak_memory_bytes"}


def test_a_step_without_inputs_counts_nothing_of_the_one_before() -> None:
    meter = Meter()
    meter.read(("run", "before"), 100)
    found = meter.stored(("run", "no inputs"), 0, 5)
    assert (found["bytes_read"], found["bytes_written"]) == (0, 5)


def test_seconds_are_those_since_the_step_began_or_its_output_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meter, now = Meter(), iter([110.0, 113.0, 120.0])
    monkeypatch.setattr(metering.time, "time", lambda: next(now))
    meter.read(("run", "a"), 0)
    assert meter.stored(("run", "a"), 100.0, 0)["seconds"] == 10
    assert meter.stored(("run", "a"), 100.0, 0)["seconds"] == 3
    assert meter.stored(("run", "b"), 119.5, 0)["seconds"] == 0.5


CHILD = """
import mmap, sys
from pathlib import Path
from hm_platform.storage.metering import note_transferred
folder = Path(sys.argv[1])
print("begun", flush=True)
for line in sys.stdin:
    what, size = line.split()
    size = int(size)
    if what == "write":
        (folder / "written").write_bytes(bytes(size))
    elif what == "read":
        (folder / "written").read_bytes()
    elif what == "touch":
        with mmap.mmap(-1, size) as held:
            for at in range(0, size, mmap.PAGESIZE):
                held[at] = 1
    else:
        note_transferred(folder / "transferred", size, 2 * size)
    print("done", flush=True)
"""


def test_another_process_is_measured_from_outside(tmp_path: Path) -> None:
    if not metering.reset_peak():
        pytest.skip("only Linux says it")
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None

        def lap(what: str, size: int) -> dict[str, float]:
            print(what, size, file=child.stdin, flush=True)
            child.stdout.readline()
            return meter.lap()

        child.stdout.readline()
        meter = OtherProcess(child.pid, tmp_path / "transferred")
        wrote = lap("write", 5_000_000)
        assert 5_000_000 <= wrote["bytes_written"] < 5_100_000
        assert wrote["bytes_read"] < 100_000
        read = lap("read", 0)
        assert 5_000_000 <= read["bytes_read"] < 5_100_000
        assert read["bytes_written"] < 100_000
        large, small = lap("touch", 300_000_000), lap("read", 0)
        assert large["peak_memory_bytes"] > small["peak_memory_bytes"] + 200_000_000
        # From now on it says what it exchanges with a server, and files do not matter.
        first = lap("transfer", 1_000_000)
        assert (first["bytes_read"], first["bytes_written"]) == (1_000_000, 2_000_000)
        told = lap("transfer", 1_000_300)
        assert (told["bytes_read"], told["bytes_written"]) == (300, 600)
        child.kill()
        child.wait()
        assert meter.lap() == {"bytes_read": 0, "bytes_written": 0}


def test_counted_batches_are_the_same() -> None:
    sizes: list[int] = []
    reader = counted(ROWS.to_reader(max_chunksize=300), sizes.append)
    assert sizes == []
    assert reader.read_all() == ROWS
    assert sum(sizes) == BYTES
