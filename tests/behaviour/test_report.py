"""The page: right numbers, nothing from outside, nothing unescaped, the same bytes every time."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pytest

from hm_platform.behaviour.cold_articles import ColdArticles, ColdScores
from hm_platform.behaviour.cold_customers import AsIfNew
from hm_platform.behaviour.inputs import BehaviourError, Evaluated, ReportInputs, Sources
from hm_platform.behaviour.reclist_tests import run_behavioral_tests
from hm_platform.behaviour.report import render_html, render_nobody_bought
from hm_platform.behaviour.tables import GROUPS
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.candidates import CandidateRecall
from hm_platform.modelling.ranker.inputs import feature_groups

Make = Callable[..., ReportInputs]
EVIL = "<script>alert('x')</script>\"><img src=x onerror=y>"
VOID = {"meta", "link", "img", "br"}


def page(inputs: ReportInputs) -> str:
    return render_html(inputs, run_behavioral_tests(inputs))


class Checked(HTMLParser):
    """Refuses tags that are not closed in order; collects tags, attributes and tables."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs)), f"an attribute twice in {tag}"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in {"th", "td"}:
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data


def table(inputs: ReportInputs, first_head: str) -> list[list[str]]:
    return next(t for t in Checked(page(inputs)).tables if t[0][0] == first_head)


def test_the_same_inputs_give_the_same_bytes(make_inputs: Make) -> None:
    assert page(make_inputs()) == page(make_inputs())


def test_the_board(inputs: ReportInputs) -> None:
    assert table(inputs, "Recommender") == [
        ["Recommender", "MAP@3", "Recall@3", "NDCG@3", "Hit rate@3", "MRR@3", "Coverage"],
        ["Two-tower published", "0.4583", "0.7500", "0.5454", "0.7500", "0.5000", "71%"],
        ["Popularity", "0.2917", "0.3750", "0.3266", "0.5000", "0.3333", "43%"],
    ]


def test_the_best_of_each_column_is_marked(inputs: ReportInputs) -> None:
    assert page(inputs).count('<td class="best">') == 6


def test_groups_by_activity(inputs: ReportInputs) -> None:
    assert table(inputs, "Past purchases")[1:3] == [
        ["0", "1", "0.5000", "1.0000"],
        ["1–4", "1", "0.8333", "0.1667"],
    ]


def test_hits_per_thousand_customers(inputs: ReportInputs) -> None:
    html = page(inputs)
    assert ["Two-tower published", "250.0", "750.0"] in [r for t in Checked(html).tables for r in t]


def test_data_volumes(inputs: ReportInputs) -> None:
    assert table(inputs, "Split")[1:3] == [
        ["Train", "12,345", "5", "8", "84", "2020-06-17 to 2020-09-08"],
        ["Validation", "0", "0", "0", "0", "–"],
    ]


def test_the_training_log_of_each_stage(inputs: ReportInputs) -> None:
    html = page(inputs)
    assert [t for t in Checked(html).tables if t[0][0] == "Epoch"] == [
        [
            ["Epoch", "Training loss", "Validation loss", "Validation MAP@3"],
            ["1", "6.5", "6.75", "0.25"],
            ["2", "5.5", "6.25", "0.375"],
            ["3", "5", "6.5", "0.3125"],
        ],
        [["Epoch", "Training loss", "Validation MAP"], ["1", "2.5", "0.5"]],
    ]
    training = html.split('id="training"')[1]
    assert training.index("<h3>Two-tower</h3>") < training.index("<h3>Ranker</h3>")
    assert training.count('<svg class="chart"') == 4


def test_a_stage_without_curves_is_not_named(make_inputs: Make) -> None:
    log = {"two_tower": [{"epoch": 1, "train_loss": 1.0}], "ranker": []}
    assert "<h3>Ranker</h3>" not in page(make_inputs(training=log))
    assert "of different weeks" not in page(make_inputs(training=log))
    assert "of different weeks" in page(make_inputs())
    assert "No training curves were logged." in page(make_inputs(training={"ranker": []}))


def test_candidate_sources_by_recall_and_features_by_importance(inputs: ReportInputs) -> None:
    assert table(inputs, "Source") == [
        ["Source", "Recall", "That no other source has", "Candidates a customer"],
        ["Repurchase", "31%", "12%", "40.2"],
        ["New arrivals", "5.0%", "0.4%", "12.5"],
        ["All together", "52%", "", "212.0"],
    ]
    assert table(inputs, "Features")[1:] == [
        ["How long ago the customer bought it", "0.0125"],
        ["How the customer bought articles of its kind", "0.0010"],
        ["The score of the retrieval model", "-0.0002"],
    ]
    assert "Measured on the validation week." in page(inputs)


def test_recall_of_another_week_is_said(inputs: ReportInputs) -> None:
    assert inputs.sources is not None
    html = page(replace(inputs, sources=replace(inputs.sources, importance={})))
    assert "Nobody bought in the validation week, so this was measured on the last" in html
    assert "MAP@12 lost" not in html


def test_without_a_ranker_the_reason_is_given(make_inputs: Make) -> None:
    html = page(make_inputs(sources=Sources(no_ranker="three customers are too few")))
    assert "There is no ranker: three customers are too few. So each" in html
    assert "That no other source has" not in html


def test_every_group_of_features_has_words() -> None:
    assert set(feature_groups().values()) == set(GROUPS)


def test_two_stages_are_explained_only_where_there_are_two(make_inputs: Make) -> None:
    both = make_inputs(lists={"ranker": [[0, 1, 2]] * 4, "two_tower": [[0, 1, 2]] * 4})
    assert "The ranker is both stages" in page(both)
    assert [row[0] for row in table(both, "Recommender")[1:]] == ["Ranker", "Two-tower published"]
    assert "The ranker is both stages" not in page(make_inputs())


def test_many_recommenders_have_the_whole_width(make_inputs: Make) -> None:
    six = ["ranker", "two_tower", "repurchase", "co_purchase", "segment_popularity", "popularity"]
    html = page(make_inputs(lists={name: [[0, 1, 2]] * 4 for name in six}))
    assert '<div class="pair stacked">' in html
    assert '<div class="pair stacked">' not in page(make_inputs())


def test_customers_without_a_purchase_are_counted_in_words(
    make_inputs: Make, make_snapshot: Callable[..., Snapshot]
) -> None:
    html = page(make_inputs())
    assert "MAP@3 over 1 customer without a purchase before the test week" in html
    assert [
        ["Recommender", "MAP@3"],
        ["Two-tower published", "0.5000"],
        ["Popularity", "1.0000"],
    ] in Checked(html).tables
    nobody = page(make_inputs(snapshot=make_snapshot(past=[1] * 5)))
    assert "<p>No customer without a purchase before the test week bought in it.</p>" in nobody


def test_customers_as_if_they_were_new_stand_against_segment_popularity(
    make_inputs: Make,
) -> None:
    html = page(make_inputs())
    assert "MAP@3 over 3 customers whose past is hidden, differences ± standard error" in html
    assert [
        ["Recommender", "MAP@3", "Against segment popularity"],
        ["Two-tower published", "0.2500", "+0.1250 ± 0.1250"],
        ["Segment popularity", "0.1250", ""],
    ] in Checked(html).tables
    nobody = page(make_inputs(as_if_new=AsIfNew(np.zeros(0, np.int32), 3)))
    assert "No customer with a past to hide bought in the test week." in nobody


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (ColdArticles(2, 1, 3, {"two_tower": ColdScores(0.75, 0.5)}), "for 2 customers who bought"),
        (ColdArticles(0, 4, 3), "Nobody bought one of the 4 articles without a sale"),
        (ColdArticles(0, 0, 3), "Every article had a sale before the test week."),
    ],
)
def test_articles_without_a_sale_are_counted_in_words(
    make_inputs: Make, found: ColdArticles, words: str
) -> None:
    html = page(make_inputs(cold_articles=found))
    assert words in html
    assert ("Two-tower, from their attributes" in html) == bool(found.methods)


def test_both_ways_to_order_unsold_articles_are_shown(make_inputs: Make) -> None:
    methods = {"two_tower": ColdScores(0.75, 0.5), "product_type": ColdScores(0.25, 0.125)}
    assert table(make_inputs(cold_articles=ColdArticles(2, 9, 3, methods)), "Put in order by") == [
        ["Put in order by", "Recall@3", "Percentile"],
        ["Two-tower, from their attributes", "0.7500", "0.5000"],
        ["Popularity of their product type in the segment", "0.2500", "0.1250"],
    ]


def test_a_week_in_which_nobody_bought_has_a_page_that_says_so() -> None:
    html = render_nobody_bought(date(2020, 9, 16), EVIL, "segment_popularity", "It won.")
    assert "Nobody bought anything in the test week" in html
    assert "Segment popularity is published for 23–29 September 2020 all the same" in html
    assert "It won." in html
    assert "<title>Behavioural report, week 2020-09-16" in html
    assert "<script" not in html
    assert not Checked(html).tables


def test_headline_reason_versions_and_fingerprints_are_there(inputs: ReportInputs) -> None:
    text = unescape(page(inputs))
    for told in (
        "Test week 16–22 September 2020",
        "57% above the best baseline, Popularity (0.2917).",
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
        {"published_reason": EVIL},
        {"article_names": pa.array([EVIL] * 8)},
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
    html = page(replace(inputs, snapshot=evil, recommenders=named, published=EVIL + "two_tower"))
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
        {"as_if_new": AsIfNew(np.array([2], np.int32), 3, {"segment_popularity": np.ones(1)})},
        {"cold_articles": None},
        {"volumes": []},
        {"versions": {}, "fingerprints": {}},
        {"feature_graph_svg": None},
        {"article_names": None},
        {"article_names": pa.array([None] * 8, pa.string())},
        {"lists": {"two_tower": [[-1, -1, -1]] * 4}},
        {"lists": {"two_tower": [[0, 1, 2]]}, "bought": {3: [0]}},
        {"lists": {"two_tower": [[4]], "popularity": [[4]]}, "bought": {2: [0]}},
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
    with pytest.raises(BehaviourError, match="no behavioural test 'sanity'"):
        render_html(inputs, replace(results, tests=results.tests[:-1]))
