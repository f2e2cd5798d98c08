"""What a build says of a week whose model did not pass. Runs are played: see ``tests/cli``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hm_platform import building
from hm_platform.building import NotPassedError, build
from hm_platform.catching_up import week_fingerprint
from hm_platform.running import RunFailedError, Runs
from hm_platform.runs import turns_lock
from hm_platform.storage.taking_turns import is_taken
from tests.home import Home, week

BUILT = week(3)


class PlayedRuns:
    """Runs that leave what they would leave; the build of a week ends as it is told to.

    state : of the publication that it leaves; None where it leaves none
    while_waiting : job -> what happens while a run of it waits for its turn
    """

    def __init__(self, home: Home, state: str | None, fails: bool) -> None:
        self.home, self.state, self.fails = home, state, fails
        self.done: list[str] = []
        self.assets: list[Sequence[str]] = []
        self.while_waiting: dict[str, Callable[[], object]] = {}

    def run(
        self,
        job: str,
        doing: str,
        *,
        assets: Sequence[str] = (),
        needed: Callable[[], bool] | None = None,
        **_: Any,
    ) -> bool:
        if meanwhile := self.while_waiting.get(job):
            meanwhile()
        if needed is not None and not needed():
            return False
        self.done.append(job)
        if job == "refresh_landing":
            self.assets.append(assets)
            self.home.refresh(read={key.removeprefix("raw/") for key in assets})
        elif job == "load_weeks":
            self.home.load()
        else:
            if self.state:
                publish(self.home, self.state)
            if self.fails:
                raise RunFailedError("the run failed")
        return True


def others(home: Home) -> dict[str, Callable[[], object]]:
    """Job -> what it leaves when somebody else runs it."""
    return {
        "refresh_landing": home.refresh,
        "load_weeks": home.load,
        "build_week": lambda: publish(home, "passed"),
    }


def publish(home: Home, state: str) -> None:
    row = {
        "week": pa.array([BUILT], pa.date32()),
        "model_version": ["2018-10-03-0123456789"],
        "recommender": ["ranker"],
        "fingerprint": [week_fingerprint(home.settings, home.records, BUILT)],
        "state": [state],
        "reason": ["It failed\nfairness."],
    }
    home.write("serving", "publications", pa.table(row))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr("hm_platform.landing.index.SETTLED_S", 0)
    home = Home.at(tmp_path)
    home.land_weeks(4)
    return home


def play(
    home: Home, monkeypatch: pytest.MonkeyPatch, state: str | None, fails: bool = True
) -> PlayedRuns:
    runs = PlayedRuns(home, state, fails)
    monkeypatch.setattr(building, "Runs", lambda settings, say: runs)
    return runs


def test_a_week_of_purchases_is_loaded_without_reading_the_catalogue_again(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = play(home, monkeypatch, "passed", fails=False)
    build(home.settings, None, print)
    home.land("4.csv", week(4), week(4) + timedelta(days=6))
    build(home.settings, None, print)
    first, second = runs.assets
    assert {"raw/articles", "raw/customers"} <= {*first}
    assert not {"raw/articles", "raw/customers"} & {*second}


def test_articles_that_come_while_a_look_waits_are_read_before_the_week_is_built(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = play(home, monkeypatch, "passed", fails=False)
    build(home.settings, None, print)
    runs.assets.clear()
    home.land("4.csv", week(4), week(4) + timedelta(days=6))
    articles = partial(home.land_articles, "0108775015", "0108775016")
    runs.while_waiting["refresh_landing"] = articles
    build(home.settings, None, print)
    assert ["raw/articles" in assets for assets in runs.assets] == [False, True]
    assert runs.done[-3:] == ["refresh_landing", "load_weeks", "build_week"]


@pytest.mark.parametrize("job", ["refresh_landing", "load_weeks", "build_week"])
def test_what_another_run_does_while_this_one_waits_is_not_done_again(
    home: Home, monkeypatch: pytest.MonkeyPatch, job: str
) -> None:
    runs = play(home, monkeypatch, "passed", fails=False)
    runs.while_waiting[job] = others(home)[job]
    assert build(home.settings, None, print).changed
    assert runs.done == [each for each in others(home) if each != job]


def test_a_build_that_others_have_done_while_it_waited_has_changed_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = play(home, monkeypatch, "passed", fails=False)
    runs.while_waiting = others(home)
    said: list[str] = []
    assert not build(home.settings, None, said.append).changed
    assert runs.done == []
    assert f"week {BUILT} is up to date: nothing to do" in said


def test_weeks_of_which_another_run_has_loaded_some_are_loaded(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = play(home, monkeypatch, "passed", fails=False)
    runs.while_waiting["load_weeks"] = lambda: home.load(week(0), week(1))
    build(home.settings, None, print)
    assert runs.done == ["refresh_landing", "load_weeks", "build_week"]
    assert {*home.records.loaded} == {week(number) for number in range(4)}


def test_a_second_look_that_another_run_makes_is_not_made_again(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = play(home, monkeypatch, "passed", fails=False)
    build(home.settings, None, print)
    runs.done.clear()
    home.land("4.csv", week(4), week(4) + timedelta(days=6))
    meanwhile = iter([partial(home.land_articles, "0108775015", "0108775016"), home.refresh])
    runs.while_waiting["refresh_landing"] = lambda: next(meanwhile)()
    build(home.settings, None, print)
    assert runs.done == ["refresh_landing", "load_weeks", "build_week"]


def test_whether_a_run_is_needed_is_asked_when_its_turn_has_come(home: Home) -> None:
    turns: list[bool] = []

    def needed() -> bool:
        turns.append(is_taken(turns_lock(home.settings.home)))
        return False

    runs = Runs(home.settings, print)
    assert not runs.run("build_week", "building", partition=str(BUILT), needed=needed)
    assert turns == [True]
    assert not is_taken(turns_lock(home.settings.home))


@pytest.mark.parametrize("state", ["last_published", "baseline"])
def test_a_week_that_is_published_by_another_model_is_told_with_what_failed(
    home: Home, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    runs = play(home, monkeypatch, state)
    with pytest.raises(NotPassedError, match="did not pass, and is not published: It failed fair"):
        build(home.settings, None, print)
    # It is built: the same again has nothing to do, and says who serves.
    said: list[str] = []
    again = build(home.settings, None, said.append)
    assert (again.week, again.changed) == (BUILT, False)
    assert runs.done.count("build_week") == 1
    by = "ranker of 2018-10-03-0123456789"
    assert said[-2:] == [
        f"week {BUILT} is up to date: nothing to do",
        f"week {BUILT} is served by {by}, {state.replace('_', ' ')}: It failed fairness.",
    ]


def test_a_build_that_failed_before_it_published_is_a_failed_run(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(home, monkeypatch, None)
    with pytest.raises(RunFailedError, match="the run failed"):
        build(home.settings, None, print)


def test_one_that_failed_after_an_earlier_fallback_is_a_failed_run(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(home, monkeypatch, "last_published")
    with pytest.raises(NotPassedError):
        build(home.settings, None, print)
    home.land("more.csv", BUILT + (date(2018, 1, 3) - date(2018, 1, 1)))
    play(home, monkeypatch, None)
    with pytest.raises(RunFailedError, match="the run failed"):
        build(home.settings, None, print)


def test_a_week_that_is_published_by_its_own_model_is_simply_built(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(home, monkeypatch, "passed", fails=False)
    assert build(home.settings, None, print).changed


def test_a_week_that_was_tidied_away_is_built_again_when_a_person_names_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = play(home, monkeypatch, "passed", fails=False)
    build(home.settings, None, print)
    runs.done.clear()
    # Its recommendations are published: by itself nobody builds it.
    assert not build(home.settings, None, print).changed
    assert build(home.settings, str(BUILT), print).changed
    assert runs.done == ["build_week"]
    trained = home.settings.home / "models" / "recommender" / f"{BUILT}.json"
    trained.parent.mkdir(parents=True)
    trained.write_text('{"version": "2018-10-10-0123456789"}\n')
    assert not build(home.settings, str(BUILT), print).changed
