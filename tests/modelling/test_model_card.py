"""The model card says what the manifest says, in words."""

from __future__ import annotations

import copy
from typing import Any

from hm_platform.modelling.model_card import METRICS, model_card


def scores(value: float) -> dict[str, float]:
    return {
        **{metric: value + place / 100 for place, metric in enumerate(METRICS)},
        "customers": 1234.0,
    }


MANIFEST: dict[str, Any] = {
    "week": "2020-03-04",
    "code_version": "1.2.3",
    "seed": 7,
    "chosen": "ranker",
    "data": {"validation": "def", "train": "abc"},
    "network": {"customers": 98765, "articles": 4321},
    "validation": {"popularity": scores(0.1), "ranker": scores(0.3), "two_tower": scores(0.2)},
    "ranker": {
        "lists": 23456,
        "validation_lists": 1234,
        "features": ["due", "gap"],
        "popularity_discount": 0.025,
        "recall": {
            "repurchase": {"recall": 0.5, "only": 0.25, "candidates": 80.04},
            "union": {"recall": 0.75, "only": 0.75, "candidates": 123.4},
        },
        "importance": {"kind": 0.01, "rhythm": 0.2, "price": -0.001},
    },
}


def card(**changed: Any) -> str:
    return model_card(copy.deepcopy(MANIFEST) | changed)


def test_it_has_a_section_for_each_question():
    headings = [line for line in card().splitlines() if line.startswith("#")]
    assert headings == [
        "# Recommender of the week 2020-03-04",
        "## Purpose",
        "## Data",
        "## Scores",
        "## Stages",
        "## Limits",
    ]


def test_it_says_what_is_published_and_why():
    text = card()
    assert "Published: **ranker**; the best on the validation week, or as good as the best" in text
    assert "Code 1.2.3, seed 7." in text


def test_it_says_what_it_was_made_from():
    text = card()
    assert "98,765 customers and 4,321 articles" in text
    assert text.index("- train: `abc`") < text.index("- validation: `def`")


def test_scores_stand_best_first():
    text = card()
    rows = [line for line in text.splitlines() if line.endswith(".3400 |")]
    assert rows == ["| ranker | 0.3000 | 0.3100 | 0.3200 | 0.3300 | 0.3400 |"]
    assert text.index("| ranker |") < text.index("| two_tower |") < text.index("| popularity |")
    assert "all 1,234 customers who bought" in text


def test_recall_and_importance_are_told_by_source_and_by_group():
    text = card()
    assert "learnt from 23,456 customers' lists of past weeks and 1,234 of the validation" in text
    assert "reads 2 features" in text
    assert "0.025 times the logarithm of the article's sales" in text
    assert "| repurchase | 0.5000 | 0.2500 | 80.0 |" in text
    assert "| union | 0.7500 | 0.7500 | 123.4 |" in text
    rows = ["| rhythm | 0.2000 |", "| kind | 0.0100 |", "| price | -0.0010 |"]
    assert "\n".join(rows) in text


def test_without_importance_there_is_no_table_of_it():
    text = card(ranker={**MANIFEST["ranker"], "importance": {}})
    assert "when shuffled" not in text
    assert "| union |" in text


def test_without_a_ranker_it_says_why():
    text = card(ranker={"reason": "there was nothing to learn from"}, chosen="two_tower")
    assert "There is no ranker: there was nothing to learn from." in text
    assert "candidate source" not in text


def test_it_says_what_the_validation_week_was_used_for():
    text = card()
    assert "The week also chose the discount on best sellers and who is published, so these" in text
    assert "The ranker has learnt from it since." in text
    unlearnt = card(ranker={**MANIFEST["ranker"], "validation_lists": 0})
    assert "learnt from it since" not in unlearnt
    alone = card(ranker={"reason": "there was nothing to learn from"})
    assert "The week also chose the epoch and who is published, so these" in alone
    assert "learnt from it since" not in alone


def test_without_a_validation_week_nothing_was_the_best_on_it():
    text = card(validation={})
    assert "Nobody bought in the validation week, so there are none." in text
    assert "Published: **ranker**; there was no validation week to compare by." in text
    assert "the best on" not in text
