"""Purchases that lose weight with age: the one definition of time decay in this package."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hm_platform.features.snapshot import Histories

HALF_LIVES = (14, 60, 180)
"""Days in which a purchase loses half of its weight: a burst, a habit, a year's staple."""


def decayed_days(histories: Histories, entries: NDArray[np.integer]) -> NDArray[np.float32]:
    """Shopping days of (customer, article) pairs, each worth ``2 ** (-age / half-life)``.

    Read from ``histories.decayed`` where the snapshot has it. Otherwise the pair's days are taken
    to lie evenly between the first and the last: with d days, last seen l days ago and g days
    between two of them, the sum is the geometric series ``r**l * (1 - r**(g * d)) / (1 - r**g)``
    with ``r = 2 ** (-1 / half-life)``.

    Shape (entries, len(HALF_LIVES)).
    """
    exact: NDArray[np.float32] | None = getattr(histories, "decayed", None)
    if exact is not None:
        return exact[entries]
    last = histories.days_since_last[entries].astype(np.float64)
    days = histories.days[entries].astype(np.float64)
    gap = (histories.days_since_first[entries] - last) / np.maximum(days - 1, 1)
    result = np.empty((len(last), len(HALF_LIVES)), dtype=np.float32)
    for column, half_life in enumerate(HALF_LIVES):
        rate = np.log(2.0) / half_life
        ratio = -np.maximum(gap, 1e-9) * rate
        series = np.where(days > 1, np.expm1(ratio * days) / np.expm1(ratio), 1.0)
        result[:, column] = np.exp(-rate * last) * series
    return result
