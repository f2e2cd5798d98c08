"""What the check of a stored split's days finds."""

from __future__ import annotations

from datetime import date

import pyarrow as pa

from hm_platform.datasets.checks import SplitDays, split_days

BOUNDS = date(2017, 1, 2), date(2017, 1, 9)


def days(*found: date | None) -> SplitDays:
    return split_days(pa.table({"t_dat": pa.array(found, pa.date32())}).to_reader(), BOUNDS)


def test_the_first_and_the_last_day_belong_to_the_split() -> None:
    first, last = date(2017, 1, 2), date(2017, 1, 8)
    assert days(last, first, first) == SplitDays(first, last, 3, 0)


def test_days_before_and_after_and_no_day_are_outside() -> None:
    before, after = date(2017, 1, 1), date(2017, 1, 9)
    assert days(before, date(2017, 1, 5), after, None) == SplitDays(before, after, 4, 3)


def test_an_empty_split_has_nothing_outside() -> None:
    assert days() == SplitDays(None, None, 0, 0)
