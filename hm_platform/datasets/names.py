"""What the splits of features are called.

Beside the three splits that the pipeline looks at, a week has *ranking splits*, the past weeks that
a ranker of candidates is trained on: ``ranking_<i>`` has the cut-off i weeks before training ends,
and its labels are what was bought in the week that starts there.
"""

from __future__ import annotations

SPLITS = ("validation", "test", "serving")
"""The splits of every week. Their cut-offs for week W are the first day of the validation week, the
first day of W, and the day after W."""

RANKING = "ranking_"
"""How the name of every ranking split starts."""


def ranking_split(weeks: int) -> str:
    """The ranking split whose cut-off lies so many weeks before training ends."""
    return f"{RANKING}{weeks}"


def ranking_weeks(split: str) -> int | None:
    """How many weeks before training ends a ranking split has its cut-off; None for the others."""
    weeks = split.removeprefix(RANKING)
    if weeks == split or not weeks.isdecimal() or ranking_split(int(weeks)) != split:
        return None
    return int(weeks) or None


def is_split(name: str) -> bool:
    """Whether features may exist for a split of this name."""
    return name in SPLITS or ranking_weeks(name) is not None
