"""Backtests without Dagster: which runs are started, in which order, and what a failure does."""

from __future__ import annotations

from pathlib import Path

import pytest

from hm_platform import backtesting, building
from hm_platform.backtesting import BacktestError, backtest
from hm_platform.calendar import CalendarError
from hm_platform.catching_up import Work, to_build
from hm_platform.running import RunFailedError
from tests.home import Home, week


class Recorded:
    """Runs that leave what successful ones leave, but for weeks that fail."""

    def __init__(self, home: Home, failing: tuple[str, ...] = ()) -> None:
        self.home, self.failing, self.done = home, failing, []  # type: ignore[var-annotated]

    def run(self, _: object, work: Work, doing: str, *__: object) -> bool:
        self.done.append((work.job, work.partition))
        if work.partition in self.failing:
            raise RunFailedError(f"{doing} failed: models__recommender: no")
        if work.job != "backtest":
            self.home.do(work)
        return True


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.at(tmp_path)
    home.land_weeks(6)
    return home


def recorded(
    monkeypatch: pytest.MonkeyPatch, home: Home, failing: tuple[str, ...] = ()
) -> Recorded:
    runs = Recorded(home, failing)
    for module in (backtesting, building):
        monkeypatch.setattr(module, "run_work", runs.run)
    return runs


def test_weeks_are_built_oldest_first_after_all_is_loaded(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, said = recorded(monkeypatch, home), []  # type: ignore[var-annotated]
    result = backtest(home.settings, str(week(2)), str(week(4)), said.append)
    assert runs.done == [
        ("refresh_landing", None),
        ("load_weeks", None),
        *(("backtest", str(week(number))) for number in (2, 3, 4)),
    ]
    assert result.done == (week(2), week(3), week(4))
    assert result.failed == {}
    result.check()
    assert f"week {week(3)} done in 0 s" in said


def test_nothing_is_published_and_each_week_is_still_to_be_built(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(monkeypatch, home)
    backtest(home.settings, str(week(3)), str(week(5)), lambda line: None)
    assert home.records.published == {}
    assert [work.job for work in to_build(home.settings, home.records, week(5))] == ["build_week"]


def test_the_others_go_on_after_a_week_that_fails(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, said = recorded(monkeypatch, home, (str(week(3)),)), []  # type: ignore[var-annotated]
    result = backtest(home.settings, str(week(2)), str(week(4)), said.append)
    assert runs.done[-1] == ("backtest", str(week(4)))
    assert result.done == (week(2), week(4))
    assert any(line.startswith(f"week {week(3)} failed: week 2 of 3") for line in said)
    with pytest.raises(BacktestError, match=f"1 of 3 weeks failed: {week(3)} "):
        result.check()


def test_a_week_that_cannot_be_built_is_not_skipped_silently(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = recorded(monkeypatch, home)
    result = backtest(home.settings, str(week(1)), str(week(7)), lambda line: None)
    assert [partition for job, partition in runs.done if job == "backtest"] == [
        str(week(number)) for number in (2, 3, 4, 5)
    ]
    assert list(result.failed) == [week(1), week(6), week(7)]
    assert "one to train on" in result.failed[week(1)]
    assert "no purchases" in result.failed[week(7)]


@pytest.mark.parametrize(
    ("first", "last", "error", "says"),
    [
        (week(3), week(2), BacktestError, "the older week comes first"),
        ("soon", week(2), CalendarError, "YYYY-MM-DD"),
        (week(2), "2018-10-04", CalendarError, "the week that holds it is 2018-10-03"),
    ],
)
def test_a_range_that_makes_no_sense_starts_nothing(
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    first: object,
    last: object,
    error: type[Exception],
    says: str,
) -> None:
    runs = recorded(monkeypatch, home)
    with pytest.raises(error, match=says):
        backtest(home.settings, str(first), str(last), lambda line: None)
    assert runs.done == []
