"""Features of any distribution as numbers that a network can read, without tuning.

Each feature is replaced by its normal score: where its quantile among the training pairs lies in a
normal distribution (cf. scikit-learn's QuantileTransformer). Counts, days and ratios become
comparable, outliers harmless, and data of another shop needs no other constants. The few pairs at
the ends, among whom the best places are decided, stay apart as they would not in even quantiles.
What does not apply (NaN) is 0, the middle, so that a layer's weights for the feature have no part
in the score.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float32]
LEVELS = 64
SPREAD = 3.5
SCORES = np.linspace(-SPREAD, SPREAD, LEVELS)
"""The normal scores of the levels."""
SHARES = np.array([0.0, *ndtr(SCORES[1:-1]), 1.0])
"""The share of the pairs that lies below each level; all lie between the first and the last."""


def fit_levels(sample: Floats) -> Floats:
    """The values with the normal scores SCORES; shape (features, LEVELS), not decreasing.

    sample : shape (pairs, features), NaN where a feature does not apply. A feature that never
        applies gets levels of 0.
    """
    levels = np.zeros((sample.shape[1], LEVELS), dtype=np.float32)
    for column in range(sample.shape[1]):
        values = sample[:, column]
        known = values[np.isfinite(values)]
        if len(known):
            levels[column] = np.quantile(known, SHARES)
    return levels


def scale(features: Floats, levels: Floats) -> Floats:
    """The features as normal scores in [-SPREAD, SPREAD]; shape as ``features``.

    A value that fills several levels (many pairs have it) is in their middle. A feature with one
    level alone is 0. Goes by features, and so is fastest where a feature's values are next to each
    other, as they are in what it returns.
    """
    features = np.asfortranarray(features)
    scaled = np.zeros_like(features)
    for column, level in enumerate(levels):
        distinct, first, counts = np.unique(level, return_index=True, return_counts=True)
        if len(distinct) < 2:
            continue
        place = (SCORES[first] + SCORES[first + counts - 1]) / 2
        values = features[:, column]
        found = np.interp(values, distinct, place)
        scaled[:, column] = np.where(np.isfinite(values), found, 0.0)
    return scaled
