"""What it costs to make an asset: seconds, bytes read and written, and the peak of the memory.

A run is one process that does a step at a time, so there is one meter. It is asked by the IO
managers, which see what an asset reads and writes; they attach what it says to the asset.

============================ ===================================================================
``seconds``                  from the start of the step, or from its output before this one, until
                             this output is stored
``bytes_read``               Arrow data, uncompressed, that the asset took from its inputs in that
                             time, and the files of a model that it read
``bytes_written``            Arrow data of the output, or the files of a model
``peak_memory_bytes``        the most memory that the process had in that time, all that earlier
                             steps left behind included; not known but on Linux
============================ ===================================================================
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

PROC = Path("/proc/self")
KEYS = ("seconds", "bytes_read", "bytes_written", "peak_memory_bytes")
"""The names of the numbers in the metadata of an asset."""

Step = tuple[str, str]
"""Run and step."""


class Meter:
    """Measures one step after the other."""

    def __init__(self) -> None:
        self._step: Step | None = None
        self._read = 0
        self._since: float | None = None
        self._has_peak = False

    def begin(self, step: Step) -> None:
        """A step reads an input: it has begun, if it is another one than before."""
        if step != self._step:
            self._start(step, None)

    def _start(self, step: Step, since: float | None) -> None:
        self._step, self._since, self._read = step, since, 0
        self._has_peak = reset_peak()

    def read(self, bytes_: int) -> None:
        """The step has read so much."""
        self._read += bytes_

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
        }
        top = peak() if mine and self._has_peak else None
        if top is not None:
            found["peak_memory_bytes"] = top
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


def reset_peak() -> bool:
    """Have the system count the peak of this process's memory from now on; whether it does."""
    try:
        (PROC / "clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak() -> int | None:
    """The peak of this process's memory in bytes, or None where the system does not say."""
    try:
        found = re.search(r"VmHWM:\s*(\d+) kB", (PROC / "status").read_text())
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None
