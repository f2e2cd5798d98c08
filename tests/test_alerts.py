from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from hm_platform.alerts import (
    FAILURES_TAG,
    JOB_FAILURES_TAG,
    LATE_AFTER,
    failure_notice,
    late_notice,
    late_week,
    not_passed_notice,
    unseen_week,
)
from hm_platform.calendar import WEEK, Calendar

FIRST = date(2018, 9, 19)
CALENDAR = Calendar(FIRST)
LATE = FIRST + 10 * WEEK
"""The week that the tests ask about."""
END = datetime(LATE.year, LATE.month, LATE.day, tzinfo=UTC) + WEEK
LAST_DAY = (END - timedelta(days=1)).date()


def failed_before(failures: int) -> dict[str, str]:
    return {FAILURES_TAG: str(failures)}


@pytest.mark.parametrize("failures", [0, 1])
def test_a_run_that_is_soon_tried_again_is_not_worth_a_notice(failures: int) -> None:
    assert failure_notice("load_weeks", failed_before(failures), "run", "why") is None


@pytest.mark.parametrize(
    ("failures", "says"),
    [
        (2, "failed 3 times in a row and is tried again in 1 hour,"),
        (3, "failed 4 times in a row and is tried again in 1 day,"),
        (30, "failed 31 times in a row and is tried again in 1 day,"),
    ],
)
def test_from_the_third_failure_in_a_row_on_people_are_told(failures: int, says: str) -> None:
    notice = failure_notice("load_weeks", failed_before(failures), "abc", "no space left")
    assert notice is not None
    assert notice.severity == "error"
    assert notice.subject == "load_weeks failed"
    assert notice.text.startswith("no space left\n")
    assert says in notice.text
    assert "What was published stays." in notice.text
    assert "abc" in notice.text


def test_of_a_job_that_fails_with_whatever_files_people_are_told_more_and_more_seldom() -> None:
    told = []
    for before in range(100):
        tags = {**failed_before(0), JOB_FAILURES_TAG: str(before)}
        if notice := failure_notice("refresh_landing", tags, "abc", "why"):
            told.append(before + 1)
            assert f"The {before} runs of refresh_landing before it have failed too" in notice.text
            assert "It is tried again in a moment, or at once when files change" in notice.text
    assert told == [3, 6, 12, 24, 48, 96]
    # The third failure with the same work is told whatever others do.
    assert failure_notice("load_weeks", {**failed_before(2), JOB_FAILURES_TAG: "4"}, "abc", "why")


def test_a_failed_run_of_a_persons_is_always_told_and_that_nobody_tries_it_again() -> None:
    notice = failure_notice("build_week", {"dagster/partition": "2018-11-07"}, "abc", "why")
    assert notice is not None
    assert notice.subject == "build_week of 2018-11-07 failed"
    assert "Mend what is wrong and start it again" in notice.text


def test_a_run_of_the_sensors_that_is_not_tried_again_is_told_at_once() -> None:
    notice = failure_notice("build_week", failed_before(0), "abc", "why", tried_again=False)
    assert notice is not None
    assert "it is not tried again, and yet not all of its steps have run" in notice.text
    assert "Mend what is wrong and start it again" in notice.text


def test_a_notice_names_the_weeks_of_a_range() -> None:
    tags = {
        "dagster/asset_partition_range_start": "2018-11-07",
        "dagster/asset_partition_range_end": "2018-11-21",
    }
    notice = failure_notice("load_weeks", tags, "abc", "why")
    assert notice is not None
    assert notice.subject == "load_weeks of 2018-11-07 to 2018-11-21 failed"


def test_a_model_that_did_not_pass_is_told_with_what_failed_and_what_to_do() -> None:
    tags = {"dagster/partition": "2018-11-07", **failed_before(0)}
    notice = not_passed_notice(tags, "abc", "accuracy: -0.05")
    assert notice.subject == "the model of week 2018-11-07 did not pass"
    assert notice.severity == "error"
    assert notice.text.startswith("accuracy: -0.05\n")
    assert "published all the same" in notice.text
    assert "when-a-model-does-not-pass.md" in notice.text


def late(
    now: datetime = END + LATE_AFTER,
    published: tuple[date, ...] = (LATE - WEEK,),
    last_day: date | None = LAST_DAY,
) -> date | None:
    return late_week(CALENDAR, published, last_day, now)


def test_a_week_is_late_a_day_and_a_half_after_its_end_and_not_before() -> None:
    assert late(END) is None
    assert late(END + LATE_AFTER - timedelta(hours=1)) is None
    assert late(END + LATE_AFTER) == LATE
    assert late(END + timedelta(days=6)) == LATE


def test_a_week_that_is_published_is_not_late() -> None:
    assert late(published=(LATE - WEEK, LATE)) is None


def test_a_later_week_that_is_published_stands_for_it() -> None:
    assert late(published=(LATE + WEEK,)) is None


def test_an_older_week_that_is_missing_is_of_no_use_to_anyone() -> None:
    assert late(published=(LATE - 3 * WEEK, LATE)) is None


def test_it_is_late_when_nothing_was_ever_published() -> None:
    assert late(published=()) == LATE


def test_files_that_do_not_come_make_a_week_late_too() -> None:
    assert late(last_day=LATE - timedelta(days=1)) == LATE


def test_a_shop_that_has_not_sold_for_long_owes_no_week() -> None:
    assert late(last_day=LATE - 5 * WEEK) == LATE
    assert late(last_day=LATE - 5 * WEEK - timedelta(days=1)) is None
    assert late(last_day=None) is None


def test_while_nobody_can_look_the_week_after_the_last_seen_becomes_late_as_any() -> None:
    def unseen(seen: date | None, now: datetime = END + LATE_AFTER) -> date | None:
        return unseen_week(CALENDAR, seen, now)

    assert unseen(LATE - WEEK, END + LATE_AFTER - timedelta(hours=1)) is None
    assert unseen(LATE - WEEK) == LATE
    assert unseen(LATE) is None
    assert unseen(None) is None
    # A shop that has long been closed.
    assert unseen(LATE - 6 * WEEK) is None


def test_nothing_is_due_before_the_first_week_is_over() -> None:
    begins = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
    assert late(begins + LATE_AFTER, (), FIRST) is None
    assert late(begins + WEEK + LATE_AFTER, (), FIRST) == FIRST


def test_a_late_notice_says_what_is_missing() -> None:
    notice = late_notice(LATE, LATE + timedelta(days=3), "everything is up to date")
    assert notice.subject == f"week {LATE} is late"
    assert notice.severity == "warning"
    assert f"of {LATE + timedelta(days=3)}: files are missing" in notice.text
    assert "still served" in notice.text


def test_a_late_notice_says_what_is_being_done_where_nothing_is_missing() -> None:
    notice = late_notice(LATE, LAST_DAY, "load_weeks failed 3 times: again at noon")
    assert "load_weeks failed 3 times: again at noon" in notice.text
    assert "missing" not in notice.text
