"""Output checks for Hamilton: what every value of a feature must satisfy.

Hamilton's own checks know pandas and scalars; these know numpy arrays and Arrow lists. A failed
check stops the run (importance "fail"), so a feature that is wrong never reaches a table.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import pyarrow as pa
from hamilton.data_quality.base import DataValidator, ValidationResult
from numpy.typing import DTypeLike, NDArray


def _fault(values: NDArray, dtype: np.dtype, low: float, high: float, nan: bool) -> str | None:
    """What is wrong with the values, or None."""
    if values.dtype != dtype:
        return f"values are {values.dtype}, not {dtype}"
    missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)
    if missing.any() and not nan:
        return f"{missing.sum()} of {len(values)} values are NaN, the first at {missing.argmax()}"
    wrong = ~missing & ~((values >= low) & (values <= high) & np.isfinite(values))
    if wrong.any():
        first = int(wrong.argmax())
        return (
            f"{wrong.sum()} of {len(values)} values lie outside [{low}, {high}], "
            f"the first is {values[first]} at {first}"
        )
    return None


class _Check(DataValidator):
    """A check of dtype, range and NaN; the subclasses say of what container."""

    def __init__(
        self, dtype: DTypeLike, low: float = -np.inf, high: float = np.inf, nan: bool = False
    ) -> None:
        super().__init__(importance="fail")
        self.dtype, self.low, self.high, self.nan = np.dtype(dtype), low, high, nan

    def applies_to(self, datatype: type[type]) -> bool:
        return True

    def description(self) -> str:
        return f"{self.dtype} in [{self.low}, {self.high}]" + (", NaN allowed" * self.nan)

    @classmethod
    def name(cls) -> str:
        return "check"

    @abstractmethod
    def fault(self, dataset: Any) -> str | None:
        """What is wrong with the output, or None."""

    def validate(self, dataset: Any) -> ValidationResult:
        fault = self.fault(dataset)
        return ValidationResult(passes=fault is None, message=fault or self.description())


class Array(_Check):
    """A one-dimensional numpy array of this dtype, every value in [low, high]."""

    def fault(self, dataset: Any) -> str | None:
        if not isinstance(dataset, np.ndarray) or dataset.ndim != 1:
            return f"not a one-dimensional array but {type(dataset).__name__}"
        return _fault(dataset, self.dtype, self.low, self.high, self.nan)


class Lists(_Check):
    """An Arrow list array without nulls, every element of this dtype and in [low, high]."""

    def fault(self, dataset: Any) -> str | None:
        if not isinstance(dataset, pa.ListArray):
            return f"not a list array but {type(dataset).__name__}"
        elements = dataset.flatten()
        if dataset.null_count or elements.null_count:
            return "there are nulls"
        return _fault(
            elements.to_numpy(zero_copy_only=False), self.dtype, self.low, self.high, self.nan
        )
