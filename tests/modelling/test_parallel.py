"""Blocks side by side: in order, one torch thread each, errors passed on."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from hm_platform.modelling import parallel
from hm_platform.modelling.parallel import in_parallel


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(parallel, "memory", lambda: 64 << 30)
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_results_come_in_the_order_of_the_items(threads: int) -> None:
    second = threading.Event()

    def work(item: int) -> int:
        if threads == 2 and item == 0:
            assert second.wait(30)  # the second item is worked on meanwhile
        second.set()
        return 10 * item

    assert list(in_parallel(work, range(5))) == [0, 10, 20, 30, 40]


def test_an_operation_of_torch_has_one_thread_and_afterwards_what_it_had(threads: int) -> None:
    assert list(in_parallel(lambda _: torch.get_num_threads(), range(3))) == [1, 1, 1]
    assert torch.get_num_threads() == threads


def test_within_there_are_no_further_threads(threads: int) -> None:
    def work(_: int) -> bool:
        return {*in_parallel(lambda _: threading.get_ident(), range(4))} == {threading.get_ident()}

    assert list(in_parallel(work, range(4))) == [True] * 4


def test_a_single_item_is_worked_on_here(threads: int) -> None:
    assert list(in_parallel(lambda _: threading.get_ident(), range(1))) == [threading.get_ident()]


def test_what_is_not_gone_through_to_its_end_is_closed(threads: int) -> None:
    found = in_parallel(lambda item: item, range(9))
    assert next(found) == 0
    found.close()
    assert torch.get_num_threads() == threads


def test_an_error_is_raised_and_the_threads_are_given_back(threads: int) -> None:
    def work(item: int) -> int:
        if item:
            raise ValueError(f"item {item}")
        return item

    found = in_parallel(work, range(3))
    assert next(found) == 0
    with pytest.raises(ValueError, match="item 1"):
        next(found)
    assert torch.get_num_threads() == threads


def test_a_small_machine_has_fewer_workers(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setattr(parallel, "memory", lambda: 3 * parallel.WORKER_BYTES)
    names = set(in_parallel(lambda _: threading.current_thread().name, range(4)))
    assert names == {threading.current_thread().name}
