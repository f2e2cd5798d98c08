"""The population stability index: how far two distributions over the same bins are apart.

For shares p (now) and q (before) it is the sum over bins of (p - q) * ln(p / q), the divergence of
Jeffreys (1946), "An invariant form for the prior probability in estimation problems". Its use as a
monitor and the reading of its values (below 0.1 no change to speak of, from 0.25 on a large one)
are those of Siddiqi (2006), "Credit Risk Scorecards", chapter 9.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtri

CHANCE = 0.001
"""How often, in a world without change, chance alone may reach what ``noise`` allows for."""

SMOOTHING = 0.5
"""Observations that are added to each side for every bin."""


def shares(before: ArrayLike, now: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The smoothed shares of the bins that are not empty on both sides.

    To each side half an observation a bin is added, spread over the bins as both sides together
    are: a bin that is empty on one side has a small share there instead of none, and sides that are
    alike stay so, however few they are.

    before, now : counts, shape (bins,), not both without any
    """
    q, p = np.asarray(before, np.float64), np.asarray(now, np.float64)
    there = (q + p) > 0
    q, p = q[there], p[there]
    if not len(q):
        return q, p
    together = (q + p) / (q.sum() + p.sum())
    added = SMOOTHING * len(q)
    return (
        (q + added * together) / (q.sum() + added),
        (p + added * together) / (p.sum() + added),
    )


def contributions(before: ArrayLike, now: ArrayLike) -> NDArray[np.float64]:
    """What each bin adds to the index, shape (bins,); none is negative, and empty bins add 0."""
    there = (np.asarray(before, np.float64) + np.asarray(now, np.float64)) > 0
    q, p = shares(before, now)
    found = np.zeros(len(there))
    found[there] = (p - q) * np.log(p / q)
    return found


def stability_index(before: ArrayLike, now: ArrayLike) -> float:
    """The population stability index of two histograms over the same bins; 0 = the same shares."""
    return float(contributions(before, now).sum())


def noise(bins: int, before: float, now: float) -> float:
    """What the index of two samples of one distribution exceeds with a probability of CHANCE.

    Without change, the index over (1 / before + 1 / now) is distributed as chi-square with bins - 1
    degrees of freedom, and so has a mean of bins - 1: small samples are never alike. (Yurdakul and
    Naranjo 2020, "Statistical properties of the population stability index", Journal of Risk Model
    Validation 14.)

    bins : those that are not empty on both sides
    before, now : independent observations on either side
    """
    if bins < 2:
        return 0.0
    return float(chdtri(bins - 1, CHANCE)) * (1 / before + 1 / now)


def independent(sizes: float, squares: float) -> float:
    """How many independent observations purchases are worth that come in groups.

    What one customer buys in a week is alike, so a thousand purchases of ten customers say little
    more than ten do. This is the effective sample size of Kish (1965), "Survey Sampling", where
    members of a group are the same: the squared sum of the groups' sizes over the sum of squares.
    """
    return sizes * sizes / squares if squares else 0.0
