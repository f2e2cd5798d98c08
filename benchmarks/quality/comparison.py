"""How much better one recommender is than another, with an interval.

Both are scored on the same customers in the same weeks. What varies is who happens to be a
customer: whole customers are drawn again, with all their weeks (a cluster bootstrap, e.g. Davison
and Hinkley, Bootstrap Methods and their Application, section 3.8).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
LEVEL = 0.95
BLOCK = 200


@dataclass(frozen=True)
class Difference:
    """The mean of ours minus the other's over customer-weeks, and relative to the other's mean.

    low, high, relative_low, relative_high : 95 % bootstrap percentile intervals
    """

    mean: float
    low: float
    high: float
    relative: float
    relative_low: float
    relative_high: float


def paired_difference(
    customers: NDArray[np.integer],
    ours: NDArray[np.floating],
    others: NDArray[np.floating],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference:
    """Compare two values per customer-week; all of shape (customer-weeks,), in the same order."""
    _, who = np.unique(customers, return_inverse=True)
    n = int(who.max()) + 1
    sums = np.stack(
        [np.bincount(who, values, minlength=n) for values in (ours - others, others)], axis=1
    )
    sums = np.column_stack([sums, np.bincount(who, minlength=n)])
    random = np.random.default_rng(seed)
    drawn = np.concatenate(
        [
            random.multinomial(n, np.full(n, 1 / n), size=min(BLOCK, resamples - start)) @ sums
            for start in range(0, resamples, BLOCK)
        ]
    )
    tails = 50 * (1 - LEVEL), 50 * (1 + LEVEL)
    low, high = np.percentile(drawn[:, 0] / drawn[:, 2], tails)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative_low, relative_high = np.percentile(drawn[:, 0] / drawn[:, 1], tails)
        relative = np.float64(sums[:, 0].sum()) / sums[:, 1].sum()
    return Difference(
        *map(float, (np.mean(ours - others), low, high, relative, relative_low, relative_high))
    )
