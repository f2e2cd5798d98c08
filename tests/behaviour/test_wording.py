"""Numbers, days and sentences read as people write them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from hm_platform.behaviour import measures, wording
from hm_platform.behaviour.inputs import ReportInputs


@pytest.mark.parametrize(
    ("share", "text"),
    [
        *((0, "0%"), (0.0001, "<0.1%"), (0.004, "0.4%"), (0.0995, "10%"), (0.314, "31%")),
        *((0.5, "50%"), (0.961, "96.1%"), (0.9999, ">99.9%"), (1, "100%"), (2.5, "250%")),
    ],
)
def test_percent(share: float, text: str) -> None:
    assert wording.percent(share) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0.0000"), (0.02413, "0.0241"), (1, "1.0000"), (0.00001, "1.0e-05")]
)
def test_score(value: float, text: str) -> None:
    assert wording.score(value) == text


@pytest.mark.parametrize(
    ("estimate", "gain", "plain"),
    [
        (
            (0.00824, -0.00001, 0.0128),
            "+0.0082 (+0.0000 to +0.0128)",
            "0.0082 (-1.0e-05 to 0.0128)",
        ),
        ((-0.0005, -0.0005, 0.0), "-0.0005 (-0.0005 to +0.0000)", "-0.0005 (-0.0005 to 0.0000)"),
        ((0.25, None, None), "+0.2500", "0.2500"),
    ],
)
def test_estimates(
    estimate: tuple[float, float | None, float | None], gain: str, plain: str
) -> None:
    assert wording.gain(*estimate) == gain
    assert wording.estimate(*estimate) == plain


@pytest.mark.parametrize(
    ("first", "text"),
    [
        (date(2017, 6, 5), "5–11 June 2017"),
        (date(2017, 5, 29), "29 May – 4 June 2017"),
        (date(2017, 12, 27), "27 December 2017 – 2 January 2018"),
    ],
)
def test_week(first: date, text: str) -> None:
    assert wording.week(first) == text


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("train_loss", "Training loss"),
        ("val_loss", "Validation loss"),
        ("val_map@12", "Validation MAP@12"),
        ("validation_map", "Validation MAP"),
        ("validation_hit_rate", "Validation hit rate"),
        ("map@12", "MAP@12"),
        ("learning_rate", "Learning rate"),
    ],
)
def test_series_label(key: str, text: str) -> None:
    assert wording.series_label(key) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.123456, "0.1235"), (-0.0, "0"), (12, "12"), (0.99951, "0.9995")]
)
def test_number(value: float, text: str) -> None:
    assert wording.number(value) == text


def test_a_test_has_a_title() -> None:
    assert wording.title("club_status") == "Club status"


def headline(inputs: ReportInputs) -> str:
    return wording.headline(inputs, measures.accuracy(inputs))


def test_headline_compares_the_model_with_the_best_baseline(inputs: ReportInputs) -> None:
    assert headline(inputs) == (
        "Over the 4 customers who bought in the test week the MAP@3 of Two-tower is 0.4583, 57% "
        "above the best baseline, Popularity (0.2917)."
    )


def test_headline_names_the_best_of_several_baselines(
    make_inputs: Callable[..., ReportInputs],
) -> None:
    lists = {"two_tower": [1, 2, 0], "popularity": [2, 3, 0], "repurchase": [3, 2, 4]}
    inputs = make_inputs(lists={name: [row] * 4 for name, row in lists.items()})
    # Article 3 is what customer 1 bought, and nobody else.
    assert "17% above the best baseline, Repurchase (0.2500)." in headline(inputs)


def test_the_other_stage_of_the_model_is_no_baseline(
    make_inputs: Callable[..., ReportInputs],
) -> None:
    # The retrieval stage alone is better than the ranker here, the baseline worse.
    lists = {"ranker": [1, 2, 0], "two_tower": [1, 3, 0], "popularity": [2, 3, 0]}
    inputs = make_inputs(lists={n: [row] * 4 for n, row in lists.items()}, challenger="ranker")
    told = headline(inputs)
    assert (
        "the MAP@3 of Ranker is 0.2917, 75% above the best baseline, Popularity (0.1667)." in told
    )
    assert "Two-tower" not in told
    other = headline(replace(inputs, challenger="two_tower"))
    assert "the best baseline, Popularity (0.1667)." in other
    assert "Ranker" not in other


def test_a_baseline_under_test_is_compared_with_both_models(
    make_inputs: Callable[..., ReportInputs],
) -> None:
    lists = {"ranker": [1, 2, 0], "two_tower": [1, 3, 0], "popularity": [2, 3, 0]}
    inputs = make_inputs(lists={n: [row] * 4 for n, row in lists.items()}, challenger="popularity")
    assert headline(inputs).endswith("the best of the others, Two-tower (0.4167).")


def test_headline_says_below_when_it_is_below(make_inputs: Callable[..., ReportInputs]) -> None:
    worse = make_inputs(lists={"two_tower": [[2, 3, 0]] * 4, "popularity": [[1, 2, 0]] * 4})
    assert "is 0.1667, 43% below the best baseline, Popularity (0.2917)." in headline(worse)


def test_headline_when_a_baseline_is_under_test(inputs: ReportInputs) -> None:
    told = headline(replace(inputs, challenger="popularity"))
    assert told.endswith(
        "the MAP@3 of Popularity is 0.2917, 36% below the best of the others, Two-tower (0.4583)."
    )


def test_headline_without_anything_to_compare_with(inputs: ReportInputs) -> None:
    told = headline(replace(inputs, recommenders=inputs.recommenders[:1]))
    assert told.endswith("MAP@3 of Two-tower is 0.4583; there is no baseline to compare it with.")


@pytest.mark.parametrize(
    ("model", "other", "words"),
    [
        ([1, 2, 0], [1, 2, 0], "is 0.2917, level with the best baseline"),
        ([1, 2, 0], [2, 4, 7], "is 0.2917, above the best baseline, Popularity (0.0000)"),
        ([2, 4, 7], [2, 4, 7], "is 0.0000, level with the best baseline"),
    ],
)
def test_headline_with_equal_or_zero_scores(
    make_inputs: Callable[..., ReportInputs], model: list[int], other: list[int], words: str
) -> None:
    assert words in headline(
        make_inputs(lists={"two_tower": [model] * 4, "popularity": [other] * 4})
    )
