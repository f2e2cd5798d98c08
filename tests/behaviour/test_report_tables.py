"""The tables and sections of the page: right numbers, in words where there are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from hm_platform.behaviour.cold_articles import ColdArticles, ColdScores
from hm_platform.behaviour.cold_customers import AsIfNew
from hm_platform.behaviour.inputs import ReportInputs, Sources
from hm_platform.behaviour.tables import GROUPS
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.ranker.inputs import feature_groups
from tests.behaviour.pages import Checked, page, table

Make = Callable[..., ReportInputs]
TWO, NOBODY = np.array([0, 4], np.int32), np.zeros(0, np.int32)


def level(value: float) -> ColdScores:
    """The same of both customers."""
    return ColdScores(np.full(2, value), np.full(2, value))


def test_the_board(inputs: ReportInputs) -> None:
    assert table(inputs, "Recommender") == [
        ["Recommender", "MAP@3", "Recall@3", "NDCG@3", "Hit rate@3", "MRR@3", "Coverage"],
        ["Two-tower under test", "0.4583", "0.7500", "0.5454", "0.7500", "0.5000", "71%"],
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
    assert ["Two-tower under test", "250.0", "750.0"] in [
        r for t in Checked(html).tables for r in t
    ]


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
    assert [row[0] for row in table(both, "Recommender")[1:]] == ["Ranker", "Two-tower under test"]
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
        ["Two-tower under test", "0.5000"],
        ["Popularity", "1.0000"],
    ] in Checked(html).tables
    nobody = page(make_inputs(snapshot=make_snapshot(past=[1] * 5)))
    assert "<p>No customer without a purchase before the test week bought in it.</p>" in nobody


def test_customers_as_if_they_were_new_stand_against_segment_popularity(
    make_inputs: Make,
) -> None:
    html = page(make_inputs())
    assert "MAP@3 over 3 customers whose past is hidden, differences with 95% intervals" in html
    assert [
        ["Recommender", "MAP@3", "Against segment popularity"],
        ["Two-tower under test", "0.2500", "+0.1250 (-0.1250 to +0.2500)"],
        ["Segment popularity", "0.1250", ""],
    ] in Checked(html).tables
    nobody = page(make_inputs(as_if_new=AsIfNew(np.zeros(0, np.int32), 3)))
    assert "No customer with a past to hide bought in the test week." in nobody


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (ColdArticles(TWO, 1, 3, {"two_tower": level(0.5)}), "for 2 customers who bought"),
        (ColdArticles(NOBODY, 4, 3), "Nobody bought one of the 4 articles without a sale"),
        (ColdArticles(NOBODY, 0, 3), "Every article had a sale before the test week."),
    ],
)
def test_articles_without_a_sale_are_counted_in_words(
    make_inputs: Make, found: ColdArticles, words: str
) -> None:
    html = page(make_inputs(cold_articles=found))
    assert words in html
    assert ("Two-tower, from their attributes" in html) == bool(found.methods)


def test_both_ways_to_order_unsold_articles_are_shown(make_inputs: Make) -> None:
    one_of_two = ColdScores(np.array([0.5, 0.0]), np.array([0.0, 1.0]))
    methods = {"two_tower": level(0.5), "product_type": one_of_two}
    found = ColdArticles(TWO, 9, 3, methods)
    assert table(make_inputs(cold_articles=found), "Put in order by") == [
        ["Put in order by", "Recall@3", "Percentile (95% interval)"],
        ["Two-tower, from their attributes", "0.5000", "0.5000 (0.5000 to 0.5000)"],
        [
            "Popularity of their product type in the segment",
            "0.2500",
            "0.5000 (0.0000 to 1.0000)",
        ],
    ]
