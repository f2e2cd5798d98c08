"""Ways to divide the test customers into groups, so that each can be looked at by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hm_platform.behaviour.inputs import ReportInputs

ACTIVITY_EDGES = (0, 1, 5, 20, 100, 500)
"""The fewest past purchases of each activity group. The same in every week and data set, so that
weeks can be compared; groups that nobody is in are left out."""


@dataclass(frozen=True)
class Slice:
    """A division of the test customers.

    labels : what to call each group, in order
    codes : shape (n,), each customer's group, a position in labels
    """

    labels: tuple[str, ...]
    codes: NDArray[np.int64]


def activity(inputs: ReportInputs) -> Slice:
    """Test customers by how many purchases they had made before the cut-off."""
    past = inputs.snapshot.customers["purchases_total"][inputs.customers]
    ends = [*(edge - 1 for edge in ACTIVITY_EDGES[1:]), None]
    labels = tuple(
        f"{first} or more" if last is None else str(first) if first == last else f"{first}–{last}"
        for first, last in zip(ACTIVITY_EDGES, ends, strict=True)
    )
    return Slice(labels, np.searchsorted(ACTIVITY_EDGES, past, side="right") - 1)
