"""What a model must hold to be published: ``thresholds.toml`` read, and tests judged by it.

Nothing here needs RecList, so that the code location can name the tests without it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from math import isfinite
from typing import Any, Literal

from hm_platform.behaviour.effects import Effect
from hm_platform.errors import PlatformError

FILE = "thresholds.toml"
FEWEST = 50
"""Over fewer customers than these nothing is judged that is an estimate."""

Severity = Literal["warn", "block"]
Verdict = Literal["passed", "failed", "not measured", "reported"]


class ThresholdsError(PlatformError, ValueError):
    """Thresholds that make no sense."""


@dataclass(frozen=True)
class Threshold:
    """A bound on the effects of one test.

    effect : their name, with ``*`` for any text
    at_least, at_most : the bound; one of them is None
    severity : ``block``: a model that misses it is not published; ``warn``: people are told
    because : why it is there, and why there
    """

    effect: str
    at_least: float | None
    at_most: float | None
    severity: Severity
    because: str

    def __str__(self) -> str:
        if self.at_least is not None:
            return f"at least {self.at_least:g}"
        return f"at most {self.at_most:g}"

    def judge(self, effect: Effect) -> Verdict:
        """Failed is what is beyond the bound with its whole interval.

        So chance alone fails a test that is true in one of forty weeks at most. What is counted has
        no interval and is held to the bound itself.
        """
        if effect.value is None or (effect.estimated and effect.count < FEWEST):
            return "not measured"
        best = effect.high if self.at_least is not None else effect.low
        best = effect.value if best is None else best
        if self.at_least is not None:
            return "passed" if best >= self.at_least else "failed"
        return "passed" if self.at_most is None or best <= self.at_most else "failed"


@dataclass(frozen=True)
class Bounds:
    """What is asked of one test.

    asks : the question that it answers, in one line
    """

    asks: str
    thresholds: tuple[Threshold, ...] = ()

    def on(self, effect: Effect) -> Threshold | None:
        """The first threshold on that effect; None where it is only reported."""
        return next((t for t in self.thresholds if fnmatchcase(effect.name, t.effect)), None)


@dataclass(frozen=True)
class Judged:
    """One effect of a test, and what the thresholds say of it; ``threshold`` None: nothing."""

    test: str
    effect: Effect
    threshold: Threshold | None
    verdict: Verdict

    def __str__(self) -> str:
        bound = f", not {self.threshold}" if self.failed and self.threshold else ""
        return f"{self.test}: {self.effect}{bound}"

    @property
    def failed(self) -> bool:
        return self.verdict == "failed"

    @property
    def blocks(self) -> bool:
        """Whether it keeps the model from being published."""
        return self.failed and self.threshold is not None and self.threshold.severity == "block"

    @property
    def warns(self) -> bool:
        """Whether people are told of it, and no more."""
        return self.failed and not self.blocks


def judge(
    found: Mapping[str, Iterable[Effect]], bounds: Mapping[str, Bounds]
) -> tuple[Judged, ...]:
    """Every effect of every test, in the order in which they were found.

    Raises ThresholdsError when a test is not in the thresholds.
    """
    if unknown := sorted(set(found) - set(bounds)):
        raise ThresholdsError(f"{FILE} says nothing of the tests {', '.join(unknown)}")
    judged = []
    for test, effects in found.items():
        for effect in effects:
            threshold = bounds[test].on(effect)
            verdict: Verdict = "reported" if threshold is None else threshold.judge(effect)
            judged.append(Judged(test, effect, threshold, verdict))
    return tuple(judged)


@cache
def declared() -> Mapping[str, Bounds]:
    """The platform's thresholds, by test, in the file's order."""
    text = resources.files("hm_platform.behaviour").joinpath(FILE).read_text("utf-8")
    return read(text)


def read(text: str) -> Mapping[str, Bounds]:
    """The thresholds of a TOML document. Raises ThresholdsError where one makes no sense."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ThresholdsError(f"{FILE} is not TOML: {error}") from None
    return {test: _bounds(test, about) for test, about in document.items()}


def _bounds(test: str, about: object) -> Bounds:
    if (
        not isinstance(about, dict)
        or not set(about) <= {"asks", "threshold"}
        or not _is_text(about.get("asks"))
        or not isinstance(about.get("threshold", []), list)
        or not all(isinstance(t, dict) for t in about.get("threshold", []))
    ):
        raise ThresholdsError(f"{FILE}: [{test}] needs `asks` and may have [[{test}.threshold]]")
    return Bounds(about["asks"], tuple(_threshold(test, t) for t in about.get("threshold", [])))


def _threshold(test: str, about: Mapping[str, Any]) -> Threshold:
    where = f"{FILE}: a threshold of [{test}]"
    if unknown := set(about) - {"effect", "at_least", "at_most", "severity", "because"}:
        raise ThresholdsError(f"{where} has {', '.join(sorted(unknown))}, which mean nothing")
    bounds = [about.get(name) for name in ("at_least", "at_most")]
    numbers = [
        b for b in bounds if isinstance(b, int | float) and type(b) is not bool and isfinite(b)
    ]
    if len(numbers) != 1 or sum(b is not None for b in bounds) != 1:
        raise ThresholdsError(f"{where} needs one number, `at_least` or `at_most`")
    if about.get("severity") not in ("warn", "block"):
        raise ThresholdsError(f"{where}: severity is warn or block, not {about.get('severity')!r}")
    for name in ("effect", "because"):
        if not _is_text(about.get(name)):
            raise ThresholdsError(f"{where} needs `{name}`")
    return Threshold(
        about["effect"], bounds[0], bounds[1], about["severity"], about["because"].strip()
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
