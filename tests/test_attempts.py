from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hm_platform.attempts import MOST_AN_HOUR, PAUSES, Attempt, Later, Ready, next_run
from hm_platform.calendar import WEEK
from hm_platform.catching_up import Work
from tests.home import week

NOW = datetime(2018, 12, 3, 4, tzinfo=UTC)
SECOND = timedelta(seconds=1)
RUN = timedelta(seconds=30)


def load(first: int, last: int, key: str = "") -> Work:
    weeks = (week(first), week(last))
    return Work("load_weeks", weeks, key or f"load {first}..{last}", "of the test")


BUILD = Work("build_week", (week(9), week(9)), "build", "of the test")


def attempts(*endings: tuple[datetime, bool]) -> list[Attempt]:
    """The latest first, as they are given."""
    return [Attempt(f"run {len(endings) - i}", *ending) for i, ending in enumerate(endings)]


def asked(
    needed: Sequence[Work], past: dict[str, list[Attempt]], now: datetime = NOW
) -> Ready | list[Later]:
    return next_run(needed, lambda key: past.get(key, []), now)


def failed(times: int, at: datetime = NOW) -> list[Attempt]:
    return attempts(*[(at, False)] * times)


def test_work_that_was_never_tried_starts_at_once_and_in_order() -> None:
    assert asked([load(0, 3), BUILD], {}) == Ready(load(0, 3), None, 0)
    assert asked([], {}) == []


@pytest.mark.parametrize(
    ("failures", "minutes"), [(1, 1 / 3), (2, 5), (3, 60), (4, 1440), (5, 1440), (40, 1440)]
)
def test_a_failure_is_tried_again_after_longer_and_longer_pauses(
    failures: int, minutes: float
) -> None:
    work, past = load(0, 0), {"load 0..0": failed(failures)}
    again = NOW + timedelta(minutes=minutes)
    assert asked([work], past, again - SECOND) == [Later(work, again, failures)]
    assert asked([work], past, again) == Ready(work, f"run {failures}", failures)


def test_a_success_ends_the_row_of_failures() -> None:
    work = load(0, 0)
    past = {work.key: attempts((NOW, True), *[(NOW, False)] * 3)}
    assert asked([work], past) == [Later(work, NOW + timedelta(hours=1), 0)]
    past = {work.key: attempts((NOW, False), (NOW, True), *[(NOW, False)] * 5)}
    assert asked([work], past) == [Later(work, NOW + PAUSES[0], 1)]


def test_a_cancelled_run_is_left_alone_for_a_day_and_is_no_failure() -> None:
    work = load(0, 3)
    cancelled = Attempt("run 2", NOW, succeeded=False, cancelled=True)
    day = timedelta(days=1)
    for failures in (0, 1):
        past = {work.key: [cancelled, *failed(failures, NOW - SECOND)]}
        waits = Later(work, NOW + day, failures, cancelled=True)
        assert asked([work], past, NOW + day - SECOND) == [waits]
        assert asked([work], past, NOW + day) == Ready(work, "run 2", failures)
    past = {work.key: [*failed(1), cancelled]}
    assert asked([work], past) == [Later(work, NOW + PAUSES[0], 1)]


def test_what_was_cancelled_is_not_done_in_halves_instead() -> None:
    work, later = load(0, 3), NOW + timedelta(hours=2)
    cancelled = Attempt("run 9", NOW, succeeded=False, cancelled=True)
    until = NOW + timedelta(days=1)
    past = {work.key: [cancelled, *failed(2, NOW - SECOND)]}
    assert asked([work], past, later) == [Later(work, until, 2, cancelled=True)]
    first, second = work.halves()
    assert asked([work], {work.key: failed(2)}, later) == Ready(first, None, 0)
    past = {work.key: failed(2), second.key: [cancelled]}
    assert asked([work], past, later) == [Later(second, until, 0, cancelled=True)]


def test_cancelled_runs_do_not_count_as_runs_that_change_nothing() -> None:
    work = load(0, 0)
    cancelled = Attempt("run", NOW - SECOND, succeeded=False, cancelled=True)
    past = {work.key: [*attempts((NOW, True)), *[cancelled] * 9]}
    assert asked([work], past) == Ready(work, "run 1", 0)


def test_each_start_is_named_by_the_run_that_it_comes_after() -> None:
    work, names = load(0, 0), []
    for times in range(20):
        verdict = asked([work], {work.key: failed(times, NOW - timedelta(days=2))})
        assert isinstance(verdict, Ready)
        names.append(verdict.after)
    assert names[0] is None
    assert len(set(names)) == 20


def test_runs_that_succeed_and_change_nothing_are_limited_to_some_an_hour() -> None:
    work = load(0, 0)
    ends = [NOW - timedelta(minutes=5 * i) for i in range(MOST_AN_HOUR)]
    past = {work.key: attempts(*((end, True) for end in ends))}
    until = ends[-1] + timedelta(hours=1)
    assert asked([work], past, until - SECOND) == [Later(work, until, 0)]
    assert isinstance(asked([work], past, until), Ready)
    assert isinstance(asked([work], {work.key: past[work.key][1:]}), Ready)


def test_a_range_that_failed_twice_goes_on_in_halves() -> None:
    whole = load(0, 4)
    first, second = whole.halves()
    assert (first.weeks, second.weeks) == ((week(0), week(2)), (week(3), week(4)))
    assert len({whole.key, first.key, second.key}) == 3
    assert asked([whole], {whole.key: failed(1)}, NOW + PAUSES[0]) == Ready(whole, "run 1", 1)
    past = {whole.key: failed(2)}
    assert asked([whole], past) == Ready(first, None, 0)
    past[first.key] = failed(1)
    assert asked([whole], past) == Ready(second, None, 0)
    past[second.key] = failed(1)
    assert asked([whole], past) == [
        Later(first, NOW + PAUSES[0], 1),
        Later(second, NOW + PAUSES[0], 1),
    ]


@given(st.integers(0, 200))
def test_halves_are_all_the_weeks_and_none_is_in_both(weeks: int) -> None:
    whole = load(0, weeks)
    parts = whole.halves()
    if weeks == 0:
        assert parts == (whole,)
        return
    (a, b), (c, d) = (part.weeks or (week(0), week(0)) for part in parts)
    assert (a, c, d) == (week(0), b + WEEK, week(weeks))
    assert abs((b - a) - (d - c)) <= WEEK


def test_a_build_waits_for_what_is_tried_again_soon() -> None:
    past = {"load 0..0": failed(1)}
    assert asked([load(0, 0), BUILD], past) == [Later(load(0, 0), NOW + PAUSES[0], 1)]
    assert asked([BUILD], past) == Ready(BUILD, None, 0)


@pytest.mark.parametrize("failures", [3, 4])
def test_a_build_does_not_wait_for_what_is_given_up_for_now(failures: int) -> None:
    past = {"load 0..0": failed(failures)}
    assert asked([load(0, 0), BUILD], past) == Ready(BUILD, None, 0)
    almost = NOW + PAUSES[failures - 1] - timedelta(minutes=9)
    assert asked([load(0, 0), BUILD], past, almost) == [
        Later(load(0, 0), NOW + PAUSES[failures - 1], failures)
    ]


def test_other_loads_do_not_wait_for_one_that_failed() -> None:
    past = {"load 0..0": failed(1)}
    assert asked([load(0, 0), load(2, 3)], past) == Ready(load(2, 3), None, 0)


@dataclass
class Shop:
    """Weeks that have to be loaded, of which some always fail, and a clock that jumps."""

    weeks: int
    bad: Set[int]
    clock: datetime = NOW
    loaded: set[int] = field(default_factory=set)
    past: dict[str, list[Attempt]] = field(default_factory=dict)
    runs: list[tuple[datetime, range]] = field(default_factory=list)

    def needed(self) -> list[Work]:
        ranges: list[list[int]] = []
        for number in sorted(set(range(self.weeks)) - self.loaded):
            if ranges and ranges[-1][1] == number - 1:
                ranges[-1][1] = number
            else:
                ranges.append([number, number])
        return [load(first, last) for first, last in ranges]

    def go_on(self, until: datetime) -> None:
        while self.clock < until and (needed := self.needed()):
            verdict = asked(needed, self.past, self.clock)
            if isinstance(verdict, Ready):
                self.run(verdict.work)
            else:
                self.clock = min(later.until for later in verdict)

    def run(self, work: Work) -> None:
        assert work.weeks is not None
        first, last = ((day - week(0)) // WEEK for day in work.weeks)
        self.runs.append((self.clock, range(first, last + 1)))
        self.clock += RUN
        good = not self.bad & set(range(first, last + 1))
        self.loaded |= set(range(first, last + 1)) if good else set()
        ended = Attempt(f"run {len(self.runs)}", self.clock, good)
        self.past[work.key] = [ended, *self.past.get(work.key, [])]


@given(st.integers(1, 105), st.data())
def test_one_bad_week_keeps_no_other_out_and_is_tried_again_every_day(
    weeks: int, data: st.DataObject
) -> None:
    bad = data.draw(st.integers(0, weeks - 1))
    shop = Shop(weeks, {bad})
    shop.go_on(NOW + timedelta(hours=2))
    assert shop.loaded == set(range(weeks)) - {bad}
    assert len(shop.runs) <= 4 * math.ceil(math.log2(weeks)) + 4

    shop.go_on(NOW + timedelta(days=20))
    tried = [at for at, span in shop.runs if span == range(bad, bad + 1)]
    assert all(len(span) == 1 for at, span in shop.runs if at > NOW + timedelta(hours=2))
    assert {b - a - RUN for a, b in list(pairwise(tried))[4:]} == {PAUSES[-1]}

    shop.bad = set()
    shop.go_on(shop.clock + timedelta(days=2))
    assert shop.loaded == set(range(weeks))


@given(st.integers(1, 60), st.sets(st.integers(0, 59), max_size=5))
def test_however_many_weeks_are_bad_all_others_are_loaded_within_hours(
    weeks: int, bad: set[int]
) -> None:
    shop = Shop(weeks, bad)
    shop.go_on(NOW + timedelta(hours=4))
    assert shop.loaded == set(range(weeks)) - bad
    assert len(shop.runs) <= 1 + (len(bad) or 1) * (4 * math.ceil(math.log2(weeks)) + 4)


def test_a_fault_of_everything_is_not_tried_week_by_week() -> None:
    shop = Shop(105, set(range(105)))
    shop.go_on(NOW + timedelta(days=1))
    assert len(shop.runs) == 2 + 4 + 8 + 8 * 4
    shop.go_on(NOW + timedelta(days=9, hours=2))
    assert {len(span) for _, span in shop.runs[-64:]} == {13, 14}
    assert len([at for at, _ in shop.runs if at > NOW + timedelta(days=1, hours=2)]) == 64

    shop.bad = set()
    shop.go_on(shop.clock + timedelta(days=2))
    assert shop.loaded == set(range(105))
