"""One process at a time: the others wait for their turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def taking_turns(lock: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the file ``lock``, after whoever holds it now has let go of it.

    The lock belongs to the operating system and goes with the process that holds it, however that
    ends; the file may stay and means nothing.

    waiting : called once when there is somebody to wait for
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    turn = FileLock(lock)
    try:
        turn.acquire(timeout=0)
    except Timeout:
        if waiting:
            waiting()
        turn.acquire()
    try:
        yield
    finally:
        turn.release()


@contextmanager
def if_free(lock: Path) -> Iterator[bool]:
    """Hold the file ``lock`` if nobody else does; whether it is held."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    turn = FileLock(lock)
    try:
        turn.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        turn.release()


def is_taken(lock: Path) -> bool:
    """Whether somebody holds the file ``lock`` now."""
    if not lock.exists():
        return False
    turn = FileLock(lock)
    try:
        turn.acquire(timeout=0)
    except Timeout:
        return True
    turn.release()
    return False
