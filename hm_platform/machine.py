"""What this machine has, from which limits are derived so that nobody has to set them."""

from __future__ import annotations

import ctypes
import gc
import math
import os
import tempfile
from functools import cache
from pathlib import Path

Config = dict[str, str | bool | int | float | list[str]]
"""What ``duckdb.connect`` takes."""

CONTROL_GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
OWN_PAGES = Path("/proc/self/statm")

MOST_FOR_DUCKDB = 4 << 30
"""Bytes. More than that is no faster: the system keeps the files in its own cache."""

STORAGE_VERSION = "v1.5.0"
"""The format of warehouses that are made; one that exists keeps its own. DuckDB's default can be
read by its versions from 2024 on, but does not compress dictionaries of strings: wide tables take
half as much room again, and a quarter longer to write."""


@cache
def memory() -> int:
    """Bytes of memory that this process may have: the machine's, or its container's if less."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *container_limits()])


def container_limits(root: Path = CONTROL_GROUPS, own: Path = OWN_GROUPS) -> list[int]:
    """The limits in bytes of the control groups that this process is in, as far as there are any.

    root : where the system shows control groups, of version 1 or 2
    own : says which ones are this process's, a line ``number:controllers:path`` each
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "memory":
            folder, file = root / "memory", "memory.limit_in_bytes"
        elif controllers == "":
            folder, file = root, "memory.max"
        else:
            continue
        group = folder / path.strip("/")
        # In a container the path is often that outside of it: what is seen is the root.
        for each in {folder, group, *(up for up in group.parents if folder in up.parents)}:
            try:
                found.append(int((each / file).read_text()))
            except (OSError, ValueError):
                continue  # not there, or "max"
    return found


def duckdb_config() -> Config:
    """How a DuckDB of this platform is opened: with a quarter of the memory, and 4 GB at most.

    There may be two in a process, beside Arrow and torch. What has no room is spilled to disk.
    """
    return {
        "memory_limit": f"{min(memory() // 4, MOST_FOR_DUCKDB)}B",
        "storage_compatibility_version": STORAGE_VERSION,
    }


def in_memory_config() -> Config:
    """The same for one without a file, which spills to a folder of this process."""
    spill = Path(tempfile.gettempdir(), f"hm_platform-{os.getpid()}")
    return {**duckdb_config(), "temp_directory": str(spill)}


def dbt_memory_limit() -> str:
    """What dbt's DuckDB may use, in SQL: half of the memory.

    It is a process of its own, while the one that started it waits. Sums over distinct values, as
    models are made of, cannot be spilled: those of a block of weeks have to fit.
    """
    return f"'{memory() // 2}B'"


def give_back_memory() -> None:
    """Return to the system what Arrow and the C library keep of freed memory for later.

    After a table of gigabytes was read in pieces, they keep most of its size. Looking through all
    objects takes a third of a second, so a process that has less than an eighth of the memory is
    left as it is.
    """
    if _resident() < memory() // 8:
        return
    import pyarrow as pa

    gc.collect()
    pa.default_memory_pool().release_unused()
    # Of the C libraries, glibc keeps most, and has a function for it.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _resident() -> float:
    """Bytes of memory that this process has now; infinite where the system does not tell."""
    try:
        pages = OWN_PAGES.read_text().split()[1]
    except OSError:
        return math.inf
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
