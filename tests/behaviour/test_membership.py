"""Looking up pairs in compressed sparse rows agrees with Python's sets, whatever the block size."""

from __future__ import annotations

from unittest import mock

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hm_platform.behaviour import membership

N_VALUES = 6
values = st.integers(0, N_VALUES - 1)


@settings(deadline=None)
@given(
    sets=st.lists(st.lists(values, max_size=5), min_size=1, max_size=8),
    asked=st.lists(
        st.tuples(
            st.integers(0, 7), st.lists(st.integers(-1, N_VALUES - 1), min_size=3, max_size=3)
        ),
        max_size=12,
    ),
    block=st.integers(1, 5),
)
def test_contains_agrees_with_sets(
    sets: list[list[int]], asked: list[tuple[int, list[int]]], block: int
) -> None:
    asked = [(row % len(sets), wanted) for row, wanted in asked]
    offsets = np.cumsum([0, *map(len, sets)]).astype(np.int64)
    flat = np.array([v for s in sets for v in s], dtype=np.int32)
    lists = np.array([wanted for _, wanted in asked], dtype=np.int32).reshape(-1, 3)
    with mock.patch.object(membership, "BLOCK", block):
        found = membership.contains(
            offsets, flat, np.array([row for row, _ in asked], dtype=np.int32), lists, N_VALUES
        )
    assert found.tolist() == [[v in sets[row] for v in wanted] for row, wanted in asked]
