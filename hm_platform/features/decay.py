"""Shopping days that lose weight with age: the one definition of time decay in the project."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

HALF_LIVES = (14, 60, 180)
"""Days in which a shopping day loses half of its weight: a burst, a habit, a year's staple."""


def weights(ages: NDArray[np.integer], half_life: int) -> NDArray[np.float64]:
    """``2 ** (-age / half_life)`` of ages in whole days, none negative; shape (ages,)."""
    # Ages repeat: a power for every day of history, not for every purchase.
    every_age = np.arange(int(ages.max(initial=0)) + 1)
    return np.exp2(-every_age / half_life)[ages]
