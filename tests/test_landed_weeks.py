from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa

from hm_platform.calendar import WEEK, Calendar
from hm_platform.landed_weeks import build_fingerprint, landed_weeks, weeks_to_load

FIRST = date(2017, 1, 2)
CALENDAR = Calendar(FIRST)


def index(*files: tuple[str, str, date | None, date | None], state: str = "loaded") -> pa.Table:
    return pa.table(
        {
            "uri": [f[0] for f in files],
            "dataset": ["transactions" if f[2] else "articles" for f in files],
            "content_hash": [f[1] for f in files],
            "first_day": pa.array([f[2] for f in files], pa.date32()),
            "last_day": pa.array([f[3] for f in files], pa.date32()),
            "state": [state] * len(files),
        }
    )


def fingerprints(table: pa.Table, code: str = "code") -> dict[date, str]:
    return {w.week: w.fingerprint for w in landed_weeks(table, CALENDAR, code)}


ONE = ("t/1.csv", "h1", FIRST, FIRST + timedelta(days=8))
TWO = ("t/2.csv", "h2", FIRST + 2 * WEEK, FIRST + 2 * WEEK + timedelta(days=6))


def test_a_week_is_complete_when_its_last_day_has_landed() -> None:
    complete = {w.week: w.complete for w in landed_weeks(index(ONE), CALENDAR, "code")}
    assert complete == {FIRST: True, FIRST + WEEK: False}


def test_a_changed_file_makes_its_weeks_stale_and_no_others() -> None:
    loaded = fingerprints(index(ONE, TWO))
    assert weeks_to_load(landed_weeks(index(ONE, TWO), CALENDAR, "code"), loaded) == []
    changed = (TWO[0], "h3", *TWO[2:])
    stale = weeks_to_load(landed_weeks(index(ONE, changed), CALENDAR, "code"), loaded)
    assert stale == [(FIRST + 2 * WEEK, FIRST + 2 * WEEK)]


def test_late_data_makes_an_old_week_stale() -> None:
    loaded = fingerprints(index(ONE, TWO))
    late = ("t/3.csv", "h9", FIRST, FIRST)
    assert weeks_to_load(landed_weeks(index(ONE, TWO, late), CALENDAR, "code"), loaded) == [
        (FIRST, FIRST)
    ]


def test_neighbouring_weeks_are_one_range() -> None:
    landed = landed_weeks(index(ONE, TWO), CALENDAR, "code")
    assert weeks_to_load(landed, {}) == [(FIRST, FIRST + 2 * WEEK)]
    loaded = {FIRST + WEEK: fingerprints(index(ONE, TWO))[FIRST + WEEK]}
    assert weeks_to_load(landed, loaded) == [
        (FIRST, FIRST),
        (FIRST + 2 * WEEK, FIRST + 2 * WEEK),
    ]


def test_a_week_whose_files_are_all_gone_is_loaded_again() -> None:
    loaded = fingerprints(index(ONE, TWO))
    stale = weeks_to_load(landed_weeks(index(ONE), CALENDAR, "code"), loaded)
    assert stale == [(FIRST + 2 * WEEK, FIRST + 2 * WEEK)]


def test_other_code_makes_everything_stale() -> None:
    loaded = fingerprints(index(ONE))
    assert weeks_to_load(landed_weeks(index(ONE), CALENDAR, "other"), loaded) == [
        (FIRST, FIRST + WEEK)
    ]


def test_files_that_are_held_or_duplicates_do_not_count() -> None:
    assert landed_weeks(index(ONE, state="held"), CALENDAR, "code") == []


def test_later_purchases_leave_a_build_up_to_date_and_a_new_catalogue_does_not() -> None:
    def build(*files: tuple[str, str, date | None, date | None], **parameters: object) -> str:
        return build_fingerprint(index(*files), FIRST + WEEK, CALENDAR, "code", parameters)

    catalogue = ("articles/a.csv", "a", None, None)
    assert build(ONE, catalogue) == build(ONE, TWO, catalogue)
    assert build(ONE, catalogue) != build(ONE, ("articles/a.csv", "b", None, None))
    assert build(ONE, catalogue, seed=0) != build(ONE, catalogue, seed=1)
