"""The weekly calendar: the one place that knows where a week starts and what it is called.

A week is seven days and is named by its first day, ``YYYY-MM-DD``. The first day of the first
week (``HM_FIRST_WEEK``) fixes the weekday on which every week starts. Python, SQL, file names and
Dagster partitions all derive their weeks from a :class:`Calendar`; none computes its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from hm_platform.errors import PlatformError

if TYPE_CHECKING:
    from dagster import TimeWindow, WeeklyPartitionsDefinition

WEEK = timedelta(weeks=1)


class CalendarError(PlatformError):
    """A day or a week that the calendar does not have."""


@dataclass(frozen=True)
class Calendar:
    """All weeks from ``first_week`` on; ``first_week`` is the first day of the first one."""

    first_week: date

    def week_of(self, day: date) -> date:
        """The first day of the week that holds ``day`` (which may lie before the first week)."""
        return self.first_week + WEEK * ((day - self.first_week).days // 7)

    def parse(self, text: str) -> date:
        """The week named ``text``.

        Raises CalendarError when ``text`` is no date, is not a week's first day, or lies before
        the first week.
        """
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise CalendarError(
                f"{text!r} is not a week: a week is named by its first day, as YYYY-MM-DD"
            ) from None
        if day < self.first_week:
            raise CalendarError(f"week {text} lies before the first week, {self.first_week}")
        if (start := self.week_of(day)) != day:
            raise CalendarError(
                f"{text} is a {day:%A}, but weeks start on {self.first_week:%A}: "
                f"the week that holds it is {start}"
            )
        return day

    def weeks(self, start: date, end: date) -> list[date]:
        """The weeks from the one holding ``start`` to the one holding ``end``, both included."""
        first, last = self.week_of(start), self.week_of(end)
        return [first + WEEK * i for i in range((last - first).days // 7 + 1)]

    def sql_week(self, day: str) -> str:
        """A DuckDB expression for the week that holds the date expression ``day``."""
        return f"time_bucket(INTERVAL 7 DAY, {day}, DATE '{self.first_week}')::DATE"

    def partitions(self) -> WeeklyPartitionsDefinition:
        """Dagster's view of the calendar: a partition a week, up to the week that is going on."""
        from dagster import WeeklyPartitionsDefinition

        # Dagster counts a week's days from Sunday = 0, Python from Monday = 0.
        return WeeklyPartitionsDefinition(
            start_date=self.first_week.isoformat(),
            day_offset=(self.first_week.weekday() + 1) % 7,
            fmt="%Y-%m-%d",
            # Purchases come in day by day: the week that they belong to is not over.
            end_offset=1,
        )


def today() -> date:
    """The day by the clock that Dagster's partitions go by."""
    return datetime.now(UTC).date()


def days_of(window: TimeWindow) -> tuple[date, date]:
    """First day (included) and last day (excluded) of a Dagster time window."""
    return window.start.date(), window.end.date()
