"""What several features are computed with: checks of what they return, ratios, repetition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hm_platform.features.arrays import Float32s
from hm_platform.features.checks import Array

NUMBER = Array(np.float32, nan=True)
POSITIVE = Array(np.float32, low=0, nan=True)


def ratio(part: NDArray[np.floating], whole: NDArray[np.floating]) -> Float32s:
    """part / whole, NaN where either is unknown or whole is not positive."""
    result = np.full(part.shape, np.nan, np.float32)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def repeated(values: Float32s, shopping_days: Float32s) -> Float32s:
    """values where the pair has two shopping days or more, else NaN."""
    return np.where(shopping_days > 1, values, np.float32(np.nan))
