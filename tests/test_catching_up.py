from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from hm_platform import catching_up
from hm_platform.catching_up import (
    PATIENCE,
    Work,
    files_there,
    landed,
    newest_buildable,
    settled,
    to_build,
    to_load,
    to_refresh,
    touched_files,
)
from hm_platform.landed_weeks import LandedWeek
from hm_platform.landing.zone import LandedFile
from tests.home import FIRST, QUIET, Home, now, week
from tests.landing.landed import header, put

DAY = timedelta(days=1)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    # Files of the tests may be read as soon as they are written.
    monkeypatch.setattr("hm_platform.landing.index.SETTLED_S", 0)
    return Home.at(tmp_path)


def refresh(home: Home, at: datetime | None = None, quiet: timedelta = timedelta()) -> list[Work]:
    return to_refresh(home.settings, home.records, at, quiet)


def weeks_of(works: list[Work]) -> list[tuple[date, date] | None]:
    return [work.weeks for work in works]


NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def touched(*ages: timedelta) -> list[LandedFile]:
    return [
        LandedFile("transactions", f"{i}.csv", Path(), 1, "", (NOON - age).timestamp())
        for i, age in enumerate(ages)
    ]


def test_files_are_read_once_nobody_has_touched_any_for_a_while() -> None:
    assert settled([], QUIET, NOON)
    assert settled(touched(QUIET, 3 * QUIET), QUIET, NOON)
    assert not settled(touched(QUIET - timedelta(seconds=1), 3 * QUIET), QUIET, NOON)


def test_one_file_that_grows_does_not_hold_up_the_others_for_ever() -> None:
    growing = timedelta()
    assert not settled(touched(growing, PATIENCE - timedelta(seconds=1)), QUIET, NOON)
    assert settled(touched(growing, PATIENCE), QUIET, NOON)
    assert not settled(touched(growing), QUIET, NOON)


def test_a_longer_quiet_than_the_patience_counts() -> None:
    hour = timedelta(hours=1)
    assert not settled(touched(timedelta(), PATIENCE), hour, NOON)
    assert settled(touched(timedelta(), hour), hour, NOON)


def test_a_file_of_the_future_holds_up_nothing() -> None:
    assert settled(touched(-DAY), QUIET, NOON)


def test_nothing_is_needed_of_a_landing_zone_that_is_as_it_was(home: Home) -> None:
    home.land_weeks(3)
    assert "nothing is loaded yet" in refresh(home)[0].because
    home.refresh()
    assert refresh(home) == []
    assert touched_files(home.settings, home.records, files_there(home.settings), now()) == []


def test_a_file_that_comes_changes_or_goes_is_a_reason_to_look(home: Home) -> None:
    home.land_weeks(2)
    home.refresh()
    path = home.land("new.csv", week(1))
    assert refresh(home)[0].because.endswith("transactions/new.csv")
    home.refresh()
    home.land("new.csv", week(0), week(1))
    assert refresh(home)[0].because.endswith("transactions/new.csv")
    home.refresh()
    path.unlink()
    home.land("another.csv", week(0))
    assert refresh(home)[0].because.endswith("transactions/new.csv and 1 more")


def test_other_rules_are_a_reason_to_look(home: Home) -> None:
    home.land_weeks(2)
    home.refresh()
    other = home.settings.model_copy(update={"max_refused_share": 0.5})
    assert len(touched_files(other, home.records, files_there(other), now())) == 3
    assert len(to_refresh(other, home.records)) == 1


def test_other_code_is_a_reason_to_do_all_again(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.land_weeks(3)
    home.refresh()
    home.load()
    home.build(week(2))
    monkeypatch.setattr(catching_up, "code_fingerprint", lambda: "other")
    assert len(refresh(home)) == 1
    assert weeks_of(to_load(home.settings, home.records)) == [(week(0), week(2))]
    assert len(to_build(home.settings, home.records, week(2))) == 1


def test_rows_of_the_future_are_a_reason_to_look_when_their_day_has_come(home: Home) -> None:
    today = now().astimezone().date()
    home.land_weeks(2)
    home.land("future.csv", *[week(0)] * 30, today + DAY)
    [before] = refresh(home)
    home.refresh()
    assert refresh(home) == []
    [work] = refresh(home, now() + DAY)
    assert work.because.endswith("transactions/future.csv")
    assert work.key != before.key


def test_a_look_that_was_cut_short_is_a_reason_to_look_again(home: Home) -> None:
    home.land_weeks(2)
    home.refresh()
    home.land_articles("0108775015", "0108775016")
    home.index()
    [work] = refresh(home)
    assert work.because == "what was read from the landing zone is not what lies there"
    home.refresh()
    assert refresh(home) == []


def read_again(work: Work) -> set[str]:
    """The data sets that a look reads again, of articles and customers."""
    assert {"raw/landed_files", "raw/quarantine", "marts/loaded_catalogue"} <= {*work.assets}
    raw = {f"raw/{dataset}" for dataset in ("articles", "customers")} & {*work.assets}
    assert {key.replace("raw/", "staging/stg_") for key in raw} <= {*work.assets}
    return {key.removeprefix("raw/") for key in raw}


def test_a_look_reads_again_what_has_changed_and_nothing_else(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.land_weeks(2)
    [first] = refresh(home)
    assert read_again(first) == {"articles", "customers"}
    home.refresh()
    home.land("new.csv", week(1))
    [purchases] = refresh(home)
    assert read_again(purchases) == set()
    home.refresh()
    customers = put(home.settings.landing_zone, "customers/c.csv", [header("customers")])
    assert read_again(*refresh(home)) == {"customers"}
    home.refresh()
    customers.unlink()
    home.land_articles("0108775015", "0108775016")
    home.land("new.csv", week(0))
    assert read_again(*refresh(home)) == {"articles", "customers"}
    home.refresh()
    monkeypatch.setattr(catching_up, "code_fingerprint", lambda: "other")
    assert read_again(*refresh(home)) == {"articles", "customers"}


def test_a_look_that_was_cut_short_is_done_again_with_all_that_it_has_left_undone(
    home: Home,
) -> None:
    home.land_weeks(2)
    home.refresh()
    home.land_articles("0108775015", "0108775016")
    home.index()
    assert read_again(*refresh(home)) == {"articles"}
    # Purchases that come meanwhile do not make it forget the articles.
    home.land("new.csv", week(1))
    assert read_again(*refresh(home)) == {"articles"}


def test_a_look_is_the_same_work_until_anything_is_different(home: Home) -> None:
    home.land_weeks(2)
    [first] = refresh(home)
    assert refresh(home) == [first]
    assert (first.partition, first.weeks) == (None, None)
    assert refresh(home, now() + DAY) == [first]
    keys = {first.key}
    home.land("new.csv", week(0))
    keys.add(refresh(home)[0].key)
    home.land("new.csv", week(1))
    keys.add(refresh(home)[0].key)
    other = home.settings.model_copy(update={"max_refused_share": 0.5})
    keys.add(to_refresh(other, home.records)[0].key)
    assert len(keys) == 4


def test_a_look_that_fails_while_a_file_grows_is_the_same_work(home: Home) -> None:
    home.land_weeks(1)
    home.land("growing.csv", week(0))
    before = refresh(home, quiet=QUIET)
    home.land("growing.csv", week(0), week(1))
    assert refresh(home, quiet=QUIET) == before
    assert refresh(home, now() + 2 * QUIET, QUIET)[0].key != before[0].key


def test_a_file_that_was_being_written_counts_again_once_it_rests(home: Home) -> None:
    home.land_weeks(2)
    home.refresh()
    home.land("growing.csv", week(0))
    assert len(refresh(home, quiet=QUIET)) == 1
    home.refresh(QUIET)
    home.land("growing.csv", week(0), week(1))
    assert refresh(home, quiet=QUIET) == []
    assert len(refresh(home, now() + 2 * QUIET, QUIET)) == 1


def test_the_weeks_whose_rows_changed_are_to_be_loaded(home: Home) -> None:
    home.land_weeks(6)
    home.refresh()
    [all_weeks] = to_load(home.settings, home.records)
    assert all_weeks.weeks == (week(0), week(5))
    assert all_weeks.partition is None
    assert all_weeks.tags["dagster/asset_partition_range_start"] == str(week(0))
    assert all_weeks.tags["dagster/asset_partition_range_end"] == str(week(5))
    home.load()
    assert to_load(home.settings, home.records) == []

    home.land("late.csv", week(1), week(4))
    home.refresh()
    works = to_load(home.settings, home.records)
    assert [work.partition for work in works] == [str(week(1)), str(week(4))]
    assert not any("dagster/asset_partition_range_start" in work.tags for work in works)
    assert len({work.key for work in works}) == 2
    home.load(week(1))
    assert weeks_of(to_load(home.settings, home.records)) == [(week(4), week(4))]


def test_a_load_is_the_same_work_until_its_rows_are_others(home: Home) -> None:
    home.land_weeks(2)
    home.refresh()
    [first] = to_load(home.settings, home.records)
    home.land_articles("0108775016")
    home.refresh()
    assert to_load(home.settings, home.records) == [first]
    home.land("late.csv", week(1))
    home.refresh()
    [second] = to_load(home.settings, home.records)
    assert (second.weeks, second.key != first.key) == (first.weeks, True)


def test_a_week_is_to_be_built_until_it_is_built_from_what_is_loaded(home: Home) -> None:
    home.land_weeks(4)
    home.refresh()
    home.load()
    [work] = to_build(home.settings, home.records, week(2))
    assert work.partition == str(week(2))
    home.build(week(2))
    assert to_build(home.settings, home.records, week(2)) == []

    home.land("later.csv", week(3))
    home.refresh()
    home.load()
    assert to_build(home.settings, home.records, week(2)) == []
    home.land("late.csv", week(0))
    home.refresh()
    home.load()
    [again] = to_build(home.settings, home.records, week(2))
    assert again.key != work.key
    home.build(week(2))
    home.land_articles("0108775015", "0108775016")
    home.refresh()
    assert len(to_build(home.settings, home.records, week(2))) == 1


@pytest.mark.parametrize("change", [{"seed": 1}, {"train_weeks": 5}])
def test_other_parameters_are_another_build(home: Home, change: dict[str, int]) -> None:
    home.land_weeks(3)
    home.refresh()
    home.load()
    home.build(week(2))
    other = home.settings.model_copy(update=change)
    assert to_build(home.settings, home.records, week(2)) == []
    assert len(to_build(other, home.records, week(2))) == 1


def known(*weeks: tuple[bool, int]) -> list[LandedWeek]:
    return [
        LandedWeek(week(number), "", files, complete)
        for number, (complete, files) in enumerate(weeks)
    ]


def test_the_newest_complete_week_with_purchases_and_enough_history_is_built() -> None:
    whole, begun, without = (True, 1), (False, 1), (True, 0)
    assert newest_buildable([]) is None
    assert newest_buildable(known(whole, whole)) is None
    assert newest_buildable(known(whole, whole, whole)) == week(2)
    assert newest_buildable(known(whole, whole, whole, begun)) == week(2)
    assert newest_buildable(known(whole, whole, begun)) is None
    assert newest_buildable(known(whole, whole, whole, without, begun)) == week(2)


def test_a_home_without_a_warehouse_has_no_records(home: Home) -> None:
    assert home.records == catching_up.Records()
    assert landed(home.settings, home.records) == []
    assert to_load(home.settings, home.records) == []
    assert home.settings.calendar.first_week == FIRST
