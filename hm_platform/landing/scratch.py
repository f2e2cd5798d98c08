"""Temporary folders that do not stay for ever where the process that made them died."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
import weakref
from contextlib import suppress
from pathlib import Path

LOCK = "lock"
"""The file in the folder that its process holds a lock on, which goes with the process."""

YOUNG_S = 60
"""So long after it was made a folder is left alone: its process may not have the lock yet."""


class ScratchFolder(tempfile.TemporaryDirectory[str]):
    """A temporary folder whose name begins with ``prefix``.

    Makes away with those of that prefix, and of this user, whose processes were killed.
    """

    def __init__(self, prefix: str) -> None:
        _remove_abandoned(prefix)
        super().__init__(prefix=prefix)
        lock = os.open(Path(self.name, LOCK), os.O_CREAT | os.O_RDWR)
        fcntl.flock(lock, fcntl.LOCK_EX)
        self._unlock = weakref.finalize(self, os.close, lock)

    def cleanup(self) -> None:
        super().cleanup()
        self._unlock()


def _remove_abandoned(prefix: str) -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        # Another one may be at it, and what cannot be removed is in nobody's way.
        with suppress(OSError):
            status = folder.lstat()
            is_ours = status.st_uid == os.getuid() and not folder.is_symlink()
            if is_ours and time.time() - status.st_mtime > YOUNG_S:
                _remove_unheld(folder)


def _remove_unheld(folder: Path) -> None:
    """Raises OSError where its process has the lock, or it has none."""
    lock = os.open(folder / LOCK, os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    finally:
        os.close(lock)
