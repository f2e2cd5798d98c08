"""Blocks of customers side by side, on all processors.

Torch is imported where it is used: who only looks for a baseline by its name does without it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from hm_platform.machine import memory

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKER_BYTES = 1 << 30
"""What a worker has room for, scores and features of its block; half of the memory is for all."""


def in_parallel(
    function: Callable[[Item], Result], items: Iterable[Item]
) -> Generator[Result, None, None]:
    """``map(function, items)``, by several threads where torch may use several.

    Most of scoring are many small steps of numpy and torch that leave the interpreter to others,
    and that one thread each is faster for than all threads for one after the other. Each is done by
    one thread in any case: how a product is rounded may depend on how many share it, and what is
    said of a customer must not depend on the machine. That is so until the last result has been
    taken, or what this returns is closed.

    The first exception that ``function`` raises is raised, in the order of the items, once those
    under way have ended. Called within ``function``, it goes through its items by itself.
    """
    import torch

    items = list(items)
    workers = min(torch.get_num_threads(), memory() // 2 // WORKER_BYTES, len(items))
    with _one_torch_thread():
        if workers <= 1:
            yield from map(function, items)
            return
        with ThreadPoolExecutor(workers, "scoring") as pool:
            yield from pool.map(function, items)


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    """One for each operation, in this thread and in those that begin within."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
