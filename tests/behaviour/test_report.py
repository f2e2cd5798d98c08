"""The page: verdict first, nothing from outside, nothing unescaped, the same bytes every time."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from html import unescape

import numpy as np
import pyarrow as pa
import pytest

from hm_platform.behaviour import wording
from hm_platform.behaviour.cold_customers import AsIfNew
from hm_platform.behaviour.effects import Effect
from hm_platform.behaviour.inputs import (
    CATALOGUE,
    BehaviourError,
    Evaluated,
    ReportInputs,
    Sources,
)
from hm_platform.behaviour.reclist_tests import run_behavioral_tests
from hm_platform.behaviour.report import render_html, render_nobody_bought
from hm_platform.behaviour.results import BehavioralResults
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.candidates import CandidateRecall
from tests.behaviour.conftest import catalogue
from tests.behaviour.pages import Checked, page

NOTHING_COLD = {"as_if_new": None, "cold_articles": None}
Make = Callable[..., ReportInputs]
CHANGES = ["Recommender", "Week before", "This week", "Change"]
EVIL = "<script>alert('x')</script>\"><img src=x onerror=y>"


def test_the_same_inputs_give_the_same_bytes(make_inputs: Make) -> None:
    assert page(make_inputs()) == page(make_inputs())


def header(html: str) -> str:
    return html.split("<main>")[0]


def test_the_verdict_is_said_first(inputs: ReportInputs) -> None:
    html = page(inputs)
    assert html.index("<h1>") < html.index("<h2>Passed, with no warning</h2>") < html.index("MAP@3")
    assert '<div class="verdict">' in html
    assert "Warnings" not in header(html)


def test_bounds_that_are_missed_are_said_with_their_reasons(make_inputs: Make) -> None:
    html = page(make_inputs(lists={"two_tower": [[0, 0, 7]] * 4}))
    assert '<div class="verdict missed">' in html
    said = header(html)
    assert "<h2>Not passed</h2>" in said
    assert "not sellable is 4, and must be at most 0." in said
    assert "Not a matter of degree: such a list must not be shown to anybody." in said


def test_warnings_are_listed_beneath_the_verdict(
    rich_inputs: ReportInputs, rich_results: BehavioralResults
) -> None:
    found = Effect("coverage", 0.001, 500, 0.0005, 0.0015)
    tests = [
        replace(t, effects=(found,)) if t.name == "coverage" else t for t in rich_results.tests
    ]
    said = header(render_html(rich_inputs, replace(rich_results, tests=tuple(tests))))
    assert "<h2>Passed, with 1 warning</h2>" in said
    assert "<h3>Warnings</h3>" in said
    assert "coverage is 0.001 (0.0005 to 0.0015), and must be at least 0.002" in said


def test_the_page_of_a_large_week(
    rich_inputs: ReportInputs, rich_results: BehavioralResults
) -> None:
    html = render_html(rich_inputs, rich_results)
    checked = Checked(html)
    rows = next(t for t in checked.tables if t[0][0] == "Test")
    assert [row[0] for row in rows[1:]] == [wording.title(t.name) for t in rich_results.tests]
    assert "<h3>By club status</h3>" in html
    assert "Last published is Ranker of model 2020-09-09-0123456789" in html
    assert "Held now, and missed then: Age, Coverage." in html
    assert "Missed now" not in html
    (weeks,) = [t for t in checked.tables if t[0] == CHANGES]
    assert weeks[1][0].startswith("Ranker")
    assert "nan" not in re.sub(r"base64,[^\"]+", "", html).lower()


def test_a_week_without_one_before_does_not_compare(inputs: ReportInputs) -> None:
    assert 'id="changes"' not in page(inputs)
    assert "Last published is" not in page(inputs)


def test_a_week_in_which_nobody_bought_has_a_page_that_says_so() -> None:
    html = render_nobody_bought(date(2020, 9, 16), EVIL, "segment_popularity", "It won.")
    assert "Nobody bought anything in the test week" in html
    assert "Segment popularity may be published for 23–29 September 2020 all the same" in html
    assert "It won." in html
    assert "<title>Behavioural report, week 2020-09-16" in html
    assert "<script" not in html
    assert not Checked(html).tables


def test_headline_reason_versions_and_fingerprints_are_there(inputs: ReportInputs) -> None:
    text = unescape(page(inputs))
    for told in (
        "Test week 16–22 September 2020",
        "57% above the best baseline, Popularity (0.2917).",
        "Two-tower was chosen among this week's own on the validation week.",
        "It won on the validation week.",
        "<dt>Data</dt><dd><code>b1946ac9</code></dd>",
        "<dt>hm_platform</dt><dd><code>0.1.0</code></dd>",
    ):
        assert told in text


def test_examples_show_names_hits_and_misses(inputs: ReportInputs) -> None:
    html = page(inputs)
    assert "Strap top <span" in html
    assert "Polo &amp; co" not in html  # nobody was recommended it or bought it
    assert "✓ bought" in html
    assert "A typical miss" in html
    assert "0108775003" in html  # has no name


def test_nothing_comes_from_outside(inputs: ReportInputs) -> None:
    html = page(inputs)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", html)
    for tag, attributes in Checked(html).tags:
        assert tag not in {"script", "iframe", "object", "base", "form"}
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in {"src", "href"}:
                assert value is not None
                assert value.startswith("data:")


def test_tables_and_pictures_are_accessible(inputs: ReportInputs) -> None:
    checked = Checked(page(inputs))
    assert all(a.get("scope") in {"row", "col"} for t, a in checked.tags if t == "th")
    assert all(a.get("aria-label") for t, a in checked.tags if t == "table")
    assert all(a.get("alt") for t, a in checked.tags if t == "img")
    for tag, attributes in checked.tags:
        if tag == "svg" and "aria-hidden" not in attributes and "viewbox" not in attributes:
            assert attributes["role"] == "img"
            assert attributes["aria-label"]
    ids = [a["id"] for _, a in checked.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["aria-labelledby"] for _, a in checked.tags if "aria-labelledby" in a} <= set(ids)


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset": EVIL},
        {"challenger_reason": EVIL},
        {"model_version": EVIL},
        {"catalogue": catalogue([EVIL] * 8)},
        {"catalogue": pa.table(dict.fromkeys(CATALOGUE, [EVIL] * 8))},
        {"versions": {EVIL: EVIL}},
        {"fingerprints": {EVIL: EVIL}},
        {"training": {EVIL: [{"epoch": 1, f"{EVIL}loss": 1.0}]}},
        {"sources": Sources(no_ranker=EVIL)},
        {"sources": Sources({EVIL: CandidateRecall(0.5, 0.1, 3)}, {EVIL: 0.5})},
        {"feature_graph_svg": f"<svg>{EVIL}</svg>"},
    ],
)
def test_data_is_escaped(make_inputs: Make, changes: dict) -> None:
    html = page(make_inputs(**changes))
    assert "<script" not in html
    assert "<img src=x" not in html
    Checked(html)


def test_names_of_recommenders_and_ids_are_escaped(
    inputs: ReportInputs, make_snapshot: Callable[..., Snapshot]
) -> None:
    evil = replace(
        make_snapshot(), article_ids=pa.array([EVIL] * 8), customer_ids=pa.array([EVIL] * 5)
    )
    named: list[Evaluated] = [replace(r, name=EVIL + r.name) for r in inputs.recommenders]
    html = page(replace(inputs, snapshot=evil, recommenders=named, challenger=EVIL + "two_tower"))
    assert "<script" not in html
    assert "<img src=x" not in html
    Checked(html)


def test_a_fault_is_said_at_the_top(make_inputs: Make) -> None:
    lists = [[0, 0, 7], [1, 3, 0], [2, 1, 0], [0, 1, 2]]
    html = page(make_inputs(lists={"two_tower": lists}))
    assert "Two-tower: customers with an article twice (1)" in html.split("<main>")[0]
    assert "recommended articles never sold before (1)" in html.split("<main>")[0]
    assert '<td class="fault">1</td>' in html


def test_without_faults_there_is_no_warning(inputs: ReportInputs) -> None:
    assert "Something is wrong" not in page(inputs)


@pytest.mark.parametrize(
    "changes",
    [
        {"training": {}},
        {"training": {"two_tower": [], "ranker": []}},
        {"training": {"two_tower": [{"epoch": 1, "train_loss": float("nan")}]}},
        {"sources": None},
        {"sources": Sources({"repurchase": CandidateRecall(0, 0, 0)})},
        {"as_if_new": None},
        {"as_if_new": AsIfNew(np.array([4], np.int32), 3, {"segment_popularity": np.ones(1)})},
        {"cold_articles": None},
        {"volumes": []},
        {"versions": {}, "fingerprints": {}},
        {"feature_graph_svg": None},
        {"catalogue": None},
        {"catalogue": catalogue([None] * 8)},
        {"lists": {"two_tower": [[-1, -1, -1]] * 4}},
        {"lists": {"two_tower": [[0, 1, 2]]}, "bought": {3: [0]}, **NOTHING_COLD},
        {"lists": {"two_tower": [[4]], "popularity": [[4]]}, "bought": {2: [0]}, **NOTHING_COLD},
    ],
)
def test_odd_inputs_make_a_whole_page(make_inputs: Make, changes: dict) -> None:
    html = page(make_inputs(**changes))
    Checked(html)
    assert "nan" not in re.sub(r"base64,[^\"]+", "", html).lower().replace("finance", "")


def test_nobody_with_a_history(make_inputs: Make, make_snapshot: Callable[..., Snapshot]) -> None:
    html = page(make_inputs(snapshot=make_snapshot(history={}, past=[0] * 5)))
    assert "No purchase before the test week" in html
    assert "A typical hit" not in html


def test_results_that_lack_a_test_are_refused(inputs: ReportInputs) -> None:
    results = run_behavioral_tests(inputs)
    fewer = tuple(test for test in results.tests if test.name != "sanity")
    with pytest.raises(BehaviourError, match="no behavioural test 'sanity'"):
        render_html(inputs, replace(results, tests=fewer))
