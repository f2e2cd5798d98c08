"""What the behavioural tests of a week have found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from hm_platform.behaviour.effects import Effect
from hm_platform.behaviour.inputs import BehaviourError
from hm_platform.behaviour.thresholds import declared, judge
from hm_platform.behaviour.verdict import Verdict


@dataclass(frozen=True)
class BehavioralResult:
    """One test's outcome.

    effects : what thresholds can be set on
    result : what the page shows beside them: dicts, lists, strings and numbers only
    """

    name: str
    description: str
    effects: tuple[Effect, ...]
    result: Any


@dataclass(frozen=True)
class BehavioralResults:
    """All tests of one week, in the order in which they ran.

    board : recommender -> its metrics with their intervals
    """

    week: date
    tests: tuple[BehavioralResult, ...]
    board: Mapping[str, Sequence[Effect]]

    def __getitem__(self, name: str) -> BehavioralResult:
        for test in self.tests:
            if test.name == name:
                return test
        raise BehaviourError(f"there is no behavioural test {name!r}")

    def verdict(self) -> Verdict:
        """What the platform's thresholds say of every effect."""
        found = {test.name: test.effects for test in self.tests}
        return Verdict(judge(found, declared()), tuple(found))
