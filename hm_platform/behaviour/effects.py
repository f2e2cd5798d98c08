"""What a behavioural test finds: effects, each with its size, interval and count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Effect:
    """One number that a test found.

    name : what it is, the same in every week, e.g. ``map against repurchase``
    value : None where it could not be measured
    count : how many customers (or whatever the test looks at) it is over
    low, high : the 95% interval; None for what is counted and not estimated
    """

    name: str
    value: float | None
    count: int
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.name} was not measured"
        between = f" ({self.low:.4g} to {self.high:.4g})" if self.estimated else ""
        return f"{self.name} is {self.value:.4g}{between}"

    @property
    def estimated(self) -> bool:
        """Whether there is an interval: other customers could give another value."""
        return self.low is not None and self.high is not None


@dataclass(frozen=True)
class Outcome:
    """All that one test found.

    effects : what thresholds can be set on, names distinct
    detail : what the page shows beside them: dicts, lists, strings and numbers only
    """

    effects: Sequence[Effect] = ()
    detail: Any = None
