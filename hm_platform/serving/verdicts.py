"""What the behavioural tests say of a model, read from ``evaluation.behavioral_tests``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Verdict:
    """The tests of one model version for one week.

    failed : the tests that failed and block, each with what was found and what is needed
    """

    failed: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.failed


def versions_tested(tests: pa.Table | None, week: date) -> list[str]:
    """The model versions that were tested for a week, by name.

    tests : ``evaluation.behavioral_tests``; None where there is none yet
    """
    if tests is None:
        return []
    return sorted(pc.unique(tests.filter(pc.field("week") == week)["model_version"]).to_pylist())


def verdict_on(tests: pa.Table | None, week: date, version: str) -> Verdict | None:
    """What the tests for ``week`` say of a model version; None where it was not tested."""
    if tests is None:
        return None
    mine = tests.filter((pc.field("week") == week) & (pc.field("model_version") == version))
    if not mine.num_rows:
        return None
    blocking = mine.filter((pc.field("outcome") == "failed") & (pc.field("severity") == "block"))
    return Verdict(tuple(_said(row) for row in blocking.to_pylist()))


def passed_any(tests: pa.Table | None, version: str) -> bool:
    """Whether a model version has passed the tests of some week."""
    if tests is None:
        return False
    weeks = pc.unique(tests.filter(pc.field("model_version") == version)["week"]).to_pylist()
    verdicts = (verdict_on(tests, week, version) for week in weeks)
    return any(verdict is not None and verdict.passed for verdict in verdicts)


def _said(row: dict) -> str:
    """A failed test in a few words: ``coverage, ranker: 0.03, needs at least 0.05``."""
    name = ", ".join(dict.fromkeys(part for part in (row["test"], row["effect"]) if part))
    value = "no value" if row["value"] is None else f"{row['value']:.4g}"
    return f"{name}: {value}" + (f", needs {row['threshold']}" if row["threshold"] else "")
