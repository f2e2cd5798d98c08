"""Divisions of customers and articles: everybody is in one group, the edges where they are said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from hm_platform.behaviour import slices
from hm_platform.behaviour.inputs import CATALOGUE, ReportInputs
from hm_platform.behaviour.slices import Slice
from tests.behaviour.conftest import build, snapshot


def with_features(
    customers: Mapping[str, object] | None = None, articles: Mapping[str, object] | None = None
) -> ReportInputs:
    """The small week with more features; a value for each of 5 customers or 8 articles."""
    known = snapshot()
    more = [{k: np.asarray(v) for k, v in (given or {}).items()} for given in (customers, articles)]
    return build(
        snapshot=replace(
            known,
            customers={**known.customers, **more[0]},
            articles={**known.articles, **more[1]},
        )
    )


def groups(found: Slice) -> list[str]:
    """The group of each customer or article, in words."""
    return [found.labels[code] for code in found.codes]


def test_every_division_covers_everybody(rich_inputs: ReportInputs) -> None:
    for divisions, size in (
        (slices.of_customers(rich_inputs), rich_inputs.n),
        (slices.of_articles(rich_inputs), rich_inputs.n_articles),
    ):
        for name, found in divisions.items():
            assert found.codes.shape == (size,), name
            assert found.codes.min() >= 0, name
            assert found.codes.max() < len(found.labels), name
            assert len(set(found.labels)) == len(found.labels), name


def test_customers_who_bought_nothing_in_the_week_are_not_divided(inputs: ReportInputs) -> None:
    # Customer 2 has one past purchase and is not there.
    assert groups(slices.activity(inputs)) == ["1–4", "500 or more", "0", "20–99"]


def test_age_bands_are_those_of_the_feature() -> None:
    found = slices.age(with_features({"age_band_code": [0, 1, 9, 2, 7]}))
    assert groups(found) == ["not known", "under 20", "20–29", "70 or more"]
    assert len(found.labels) == 8


@pytest.mark.parametrize("feature", [slices.age, slices.club_status])
def test_customers_of_whom_nothing_is_known_are_one_group(feature: object) -> None:
    assert groups(feature(build())) == ["not known"] * 4  # type: ignore[operator]


def test_a_club_status_that_training_did_not_know_is_unknown() -> None:
    inputs = with_features({"club_member_status_code": [1, 2, 0, 3, 0]})
    inputs = replace(inputs, club_statuses=("ACTIVE", "LEFT CLUB"))
    assert groups(slices.club_status(inputs)) == ["ACTIVE", "LEFT CLUB", "not known", "not known"]


@pytest.mark.parametrize(
    ("share", "group"),
    [
        (0.0, "mostly in stores"),
        (0.049, "mostly in stores"),
        (0.05, "both"),
        (0.949, "both"),
        (0.95, "mostly online"),
        (1.0, "mostly online"),
        (np.nan, "no purchase"),
    ],
)
def test_the_edges_of_channels(share: float, group: str) -> None:
    assert groups(slices.channel(with_features({"online_share": [share] * 5}))) == [group] * 4


def catalogue_of(groups: list[str | None]) -> pa.Table:
    return pa.table({name: pa.array(groups, pa.string()) for name in CATALOGUE})


def test_product_groups_are_in_the_order_of_what_was_bought() -> None:
    # Bought: articles 0, 1, 3, 5 and 6.
    names = ["Socks", "Tops", "Tops", "Socks", "Tops", None, "Socks", "Shoes"]
    found = slices.product_group(build(catalogue=catalogue_of(names)))
    assert found.labels == ("Socks", "Tops", "not known", "Shoes")
    assert groups(found) == [name or "not known" for name in names]


def test_the_smallest_product_groups_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "MOST_GROUPS", 3)
    names = ["A", "A", "B", "C", "C", "C", "D", "E"]
    found = slices.product_group(build(catalogue=catalogue_of([*names])))
    assert found.labels == ("A", "C", "all other groups")
    assert groups(found) == ["A", "A", *["all other groups"], "C", "C", "C", *found.labels[2:] * 2]


def test_without_a_catalogue_there_is_one_product_group() -> None:
    assert groups(slices.product_group(build(catalogue=None))) == ["not known"] * 8


def test_head_middle_and_tail_by_recent_sales() -> None:
    # Seven can be recommended: the head is one, head and middle two; articles 1, then 2, sold most.
    tail = "long tail (80%)"
    assert groups(slices.popularity(build())) == [
        *(tail, "best sellers (1%)", "middle (19%)", tail, tail, tail, tail, "never sold before")
    ]


def test_equal_sales_go_to_the_lower_index() -> None:
    level = replace(build(), snapshot=snapshot(recent=(5,) * 8, sold=(1, 1, 1, 0, 1, 1, 1, 1)))
    assert slices.sales_rank(level).tolist() == [0, 1, 2, 7, 3, 4, 5, 6]


def test_articles_are_new_for_four_weeks_after_their_first_sale() -> None:
    days = [1, 27, 28, 29, 400, 28, 29, 1]
    found = groups(slices.article_age(with_features(articles={"days_since_first_sale": days})))
    new = "new: first sold within 28 days"
    assert found == [new, new, new, "older", "older", new, "older", "never sold before"]


@pytest.mark.parametrize(
    ("edges", "labels"),
    [
        ((0, 1, 5), ("0", "1–4", "5 or more")),
        ((20, 30), ("20–29", "30 or more")),
        ((7,), ("7 or more",)),
    ],
)
def test_ranges(edges: tuple[int, ...], labels: tuple[str, ...]) -> None:
    assert slices.ranges(edges) == labels


def test_codes_of_texts() -> None:
    texts = pa.chunked_array([["a", None], ["b", "a"]])
    codes = slices.codes_of(texts)
    assert codes[0] == codes[3] != codes[2]
    assert codes[1] == -1
    assert min(codes[0], codes[2]) >= 0
