"""Names for what is still being written, and the removal of what a killed process left of it.

A file or folder is written under its unfinished name and renamed once it is complete. The name
carries the process that writes, so that others know whether it will ever be complete.
"""

from __future__ import annotations

import os
import re
import shutil
from datetime import timedelta
from pathlib import Path

ABANDONED = timedelta(days=1)
"""Where nobody can tell whether a writer still lives: what has not been touched for so long belongs
to one that is gone."""

NAME = re.compile(r"\..+\.(\d+)\.tmp")


def unfinished(path: Path) -> Path:
    """Where this process writes what will be ``path``: beside it."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def remove_abandoned(folder: Path) -> None:
    """Remove from ``folder`` what processes of this machine that are gone did not finish."""
    for path in folder.glob(".*.tmp"):
        writer = NAME.fullmatch(path.name)
        if writer is None or alive(int(writer[1])):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def alive(pid: int) -> bool:
    """Whether a process with this id runs on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
