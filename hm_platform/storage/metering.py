"""What it costs to make an asset: seconds, bytes read and written, and the peak of the memory.

A run is one process that does a step at a time, so there is one meter. What a step reads through
the IO managers and resources is counted as it passes; the IO managers attach the numbers to the
asset. dbt is a process of its own, measured from outside, from one model that it made to the next.

============================ ===================================================================
``seconds``                  from the start of the step, or from its output before this one, until
                             this output is stored
``bytes_read``               Arrow data, uncompressed, that the asset read in that time, and the
                             files of a model; of a dbt model what dbt's process read of files, or
                             from the bucket
``bytes_written``            Arrow data of the output, or the files of a model; of a dbt model what
                             dbt's process wrote to files, or Arrow data for the bucket
``peak_memory_bytes``        the most memory that the process had in that time, all that earlier
                             steps left behind included; not known but on Linux
============================ ===================================================================
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

PROCESSES = Path("/proc")
THIS = PROCESSES / "self"
KEYS = ("seconds", "bytes_read", "bytes_written", "peak_memory_bytes")
"""The names of the numbers in the metadata of an asset."""

TRANSFERRED = "transferred.json"
"""The file in which dbt says, in its target folder, what it has exchanged with a bucket."""

Step = tuple[str, str]
"""Run and step."""


class Meter:
    """Measures one step after the other.

    process : where the system tells of the process
    """

    def __init__(self, process: Path = THIS) -> None:
        self._process = process
        self._step: Step | None = None
        self._read = 0
        self._since: float | None = None

    def read(self, step: Step, bytes_: int) -> None:
        """A step has read so much; it has begun, if it is another one than before."""
        if step != self._step:
            self._start(step, None)
        self._read += bytes_

    def _start(self, step: Step, since: float | None) -> None:
        self._step, self._since, self._read = step, since, 0
        reset_peak(self._process)

    def stored(self, step: Step, began: float, written: int) -> dict[str, float]:
        """An output of a step is stored: its metadata.

        began : when the step began, in seconds since 1970
        written : bytes of the output
        """
        mine = step == self._step
        now = time.time()
        since = max(began, (self._since or began) if mine else began)
        found: dict[str, float] = {
            "seconds": round(max(0.0, now - since), 3),
            "bytes_read": self._read if mine else 0,
            "bytes_written": written,
            **_peak_known(self._process),
        }
        self._start(step, now)
        return found


def counted(batches: pa.RecordBatchReader, count: Callable[[int], None]) -> pa.RecordBatchReader:
    """The same batches, each of whose bytes are counted as it passes."""

    def passing() -> Iterator[pa.RecordBatch]:
        for batch in batches:
            count(batch.nbytes)
            yield batch

    return pa.RecordBatchReader.from_batches(batches.schema, passing())


METER = Meter()
"""That of this process."""


class OtherProcess:
    """Measures another process of this machine from outside.

    transferred : the file in which it says, with :func:`note_transferred`, what it exchanges with a
        server; without one it works with files
    """

    def __init__(self, pid: int, transferred: Path) -> None:
        self._proc = PROCESSES / str(pid)
        self._transferred = transferred
        self._with_files = self._file_bytes()
        self._with_server = (0, 0)
        reset_peak(self._proc)

    def lap(self) -> dict[str, float]:
        """What it has cost since the last lap, as far as the system says it."""
        found: dict[str, float] = dict(_peak_known(self._proc))
        if self._transferred.exists():
            read, written = json.loads(self._transferred.read_text())
            before: tuple[int, int] | None = self._with_server
            self._with_server = (read, written)
            now: tuple[int, int] | None = self._with_server
        else:
            before, now = self._with_files, self._file_bytes()
            self._with_files = now or before
        if now is not None and before is not None:
            found |= {"bytes_read": now[0] - before[0], "bytes_written": now[1] - before[1]}
        reset_peak(self._proc)
        return found

    def _file_bytes(self) -> tuple[int, int] | None:
        try:
            io = dict(line.split(": ") for line in (self._proc / "io").read_text().splitlines())
        except OSError:
            return None
        return int(io["rchar"]), int(io["wchar"])


def note_transferred(file: Path, read: int, written: int) -> None:
    """Say what this process has read from a server, and written to it, since it began."""
    made = file.with_suffix(".tmp")
    made.write_text(json.dumps([read, written]))
    made.replace(file)


def reset_peak(process: Path = THIS) -> bool:
    """Have the system count the peak of a process's memory from now on; whether it does."""
    try:
        (process / "clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak(process: Path = THIS) -> int | None:
    """The peak of a process's memory in bytes, or None where the system does not say."""
    try:
        found = re.search(r"VmHWM:\s*(\d+) kB", (process / "status").read_text())
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def _peak_known(process: Path) -> dict[str, int]:
    found = peak(process)
    return {} if found is None else {"peak_memory_bytes": found}
