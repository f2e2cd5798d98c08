"""One process at a time: the others wait for their turn."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def taking_turns(lock: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the file ``lock``, after whoever holds it now has let go of it.

    The lock belongs to the operating system and goes with the process that holds it, however that
    ends; the file stays and means nothing.

    waiting : called once when there is somebody to wait for
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
