"""The customers shown are chosen by rule, hits and misses alike."""

from __future__ import annotations

from collections.abc import Callable

from hm_platform.behaviour.examples import BOUGHT, choose, examples
from hm_platform.behaviour.inputs import ReportInputs
from tests.behaviour.conftest import catalogue

Make = Callable[..., ReportInputs]


def test_hits_misses_and_newcomers_are_shown_once_each(inputs: ReportInputs) -> None:
    rows = [row for _, row in choose(inputs)]
    # Of the hits 5/6 and 1/2 the median is the lower; the only miss is row 3; row 2 is new.
    assert rows == [1, 0, 3, 2]


def test_a_miss_shows_what_was_bought_instead(inputs: ReportInputs) -> None:
    miss = next(e for e in examples(inputs) if "miss" in e.why)
    assert miss.average_precision == 0
    assert [a.name for a in miss.bought] == ["Scarf"]
    assert not any(a.bought for a in miss.recommended)
    assert miss.past_purchases == 25


def test_a_hit_says_what_was_bought_and_what_was_known(inputs: ReportInputs) -> None:
    best = next(e for e in examples(inputs) if "best" in e.why)
    assert [(a.name, a.bought, a.known) for a in best.recommended] == [
        ("Strap top", True, True),
        ("Zip hoodie", False, False),
        ("Tights", True, False),
    ]
    assert [(a.name, a.days_ago) for a in best.recent] == [("Strap top", 1), ("Jade slim", 2)]


def test_a_customer_without_history_has_no_past(inputs: ReportInputs) -> None:
    newcomer = next(e for e in examples(inputs) if "No purchase" in e.why)
    assert newcomer.recent == ()
    assert newcomer.past_purchases == 0


def test_names_may_be_null_or_missing(make_inputs: Make) -> None:
    for names in (None, catalogue([None] * 8)):
        shown = examples(make_inputs(catalogue=names))
        assert {a.name for e in shown for a in e.recommended} == {None}
        assert shown[0].recommended[0].article_id == "0108775001"


def test_a_long_basket_is_cut_after_the_articles_that_were_recommended(make_inputs: Make) -> None:
    everything = {c: list(range(8)) for c in (0, 1, 3)} | {4: [*range(3, 8), 0, 1, 2]}
    few = make_inputs(lists={"two_tower": [[7, 6, 5]] * 4}, bought=everything)
    shown = examples(few)[0]
    assert len(shown.bought) == BOUGHT == 8
    assert shown.more_bought == 0
    assert [a.article_id[-1] for a in shown.bought[:3]] == ["5", "6", "7"]
