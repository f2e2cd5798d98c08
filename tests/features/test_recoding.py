"""Features translated to other encoders are those that would have been computed with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hm_platform.features.encoders import (
    ARTICLE_VOCABULARIES,
    CUSTOMER_VOCABULARIES,
    VOCABULARIES,
    Encoders,
    Scaler,
)
from hm_platform.features.errors import FeatureError
from hm_platform.features.loading import load_snapshot
from hm_platform.features.recoding import recoded
from hm_platform.features.snapshot import Snapshot
from tests.features.world import CUTOFFS, NOTHING_FITTED, WEEK, World, days_before, world

UNIT = Scaler()
WORDS = ("A", "B", "C", "D")
"""The categories of the shop; an encoder may know some of them, and others that nobody has."""


def shop() -> World:
    """Five articles and customers, of which some lack every attribute, price or age."""
    day = days_before(CUTOFFS["validation"], 3)
    return world(
        [(day, "x", "a", 10.0), (day, "y", "b", 25.5), (day, "z", "c", None), (day, "w", "d", 0.3)],
        articles=("a", "b", "c", "d", "e"),
        customers=("x", "y", "z", "w", "v"),
        article_rows=[
            {
                "article_id": article,
                **dict.fromkeys(("product_code", "product_group_name", "department_name"), word),
                **dict.fromkeys(("index_code", "section_name", "product_type_name"), word),
            }
            for article, word in zip("abcd", WORDS, strict=True)
        ],
        customer_rows=[
            {"customer_id": "x", "club_member_status": "A", "age": 23},
            {"customer_id": "y", "club_member_status": "B", "fashion_news_frequency": "C"},
            {"customer_id": "z", "fashion_news_frequency": "D", "age": 71},
            {"customer_id": "w", "club_member_status": "C", "age": 0},
        ],
    )


SHOP = shop()
TABLES = SHOP.feature_tables()


def snapshot(encoders: Encoders) -> Snapshot:
    """What is computed with these encoders."""
    tables = replace(
        TABLES,
        articles=SHOP.article_features(encoders),
        customers=SHOP.customer_features(encoders),
    )
    return load_snapshot(WEEK, "serving", tables)


def encoders(words: tuple[str, ...], age: Scaler = UNIT, price: Scaler = UNIT) -> Encoders:
    return Encoders(dict.fromkeys(VOCABULARIES, words), {"age_scaled": age, "price_scaled": price})


scalers = st.builds(
    Scaler,
    st.floats(-5, 60, allow_nan=False, width=32),
    st.floats(0.25, 40, allow_nan=False, width=32),
)


def assert_same(found: Snapshot, expected: Snapshot) -> None:
    for mine, theirs in (
        (found.articles, expected.articles),
        (found.customers, expected.customers),
    ):
        assert mine.keys() == theirs.keys()
        for name in theirs:
            assert mine[name].dtype == theirs[name].dtype, name
            np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)


@given(
    st.permutations((*WORDS, "never bought")),
    st.lists(st.sampled_from((*WORDS, "unknown here")), unique=True),
    scalers,
    scalers,
    scalers,
    scalers,
)
def test_it_is_what_the_wanted_encoders_compute_of_all_that_the_given_ones_know(
    given_words: list[str],
    wanted_words: list[str],
    given_age: Scaler,
    given_price: Scaler,
    wanted_age: Scaler,
    wanted_price: Scaler,
) -> None:
    have = encoders(tuple(given_words), given_age, given_price)
    want = encoders(tuple(wanted_words), wanted_age, wanted_price)
    assert_same(recoded(snapshot(have), have, want), snapshot(want))


def test_the_same_encoders_give_the_very_same_snapshot() -> None:
    fitted = encoders(WORDS, Scaler(30, 9))
    before = snapshot(fitted)
    assert recoded(before, fitted, Encoders.from_json(fitted.to_json())) is before


def test_what_the_given_encoders_do_not_know_stays_unknown() -> None:
    found = recoded(snapshot(encoders(("B",))), encoders(("B",)), encoders(("A", "B")))
    for name in ARTICLE_VOCABULARIES:
        assert set(found.articles[name]) <= {0, 2}, name
    assert found.articles["department_code"].tolist() == [0, 2, 0, 0, 0]
    assert found.customers["club_member_status_code"].tolist() == [0, 2, 0, 0, 0]


def test_what_is_missing_stays_missing() -> None:
    have, want = encoders(WORDS, Scaler(30, 9)), encoders(WORDS[::-1], Scaler(-7, 2), Scaler(3, 2))
    found = recoded(snapshot(have), have, want)
    assert all(found.articles[name][4] == 0 for name in ARTICLE_VOCABULARIES)
    assert all(found.customers[name][4] == 0 for name in CUSTOMER_VOCABULARIES)
    assert found.articles["price_scaled"][[2, 4]].tolist() == [0, 0]
    # An age of 0 is known, and is not 0 on another scale.
    assert found.customers["age_scaled"].tolist() == [15, 0, 39, 3.5, 0]


def test_what_is_not_fitted_is_shared() -> None:
    before = snapshot(NOTHING_FITTED)
    found = recoded(before, NOTHING_FITTED, encoders(WORDS))
    assert found.histories is before.histories
    assert found.copurchases is before.copurchases
    assert found.articles["purchases_total"] is before.articles["purchases_total"]


def test_features_of_other_encoders_than_the_given_ones_are_refused() -> None:
    with pytest.raises(FeatureError, match=r"know 0 to 1: build the week's features again"):
        recoded(snapshot(encoders(WORDS)), encoders(("A",)), NOTHING_FITTED)


def test_prices_need_the_mean_price_only_where_the_scale_differs() -> None:
    whole = snapshot(encoders(WORDS))
    less = {k: v for k, v in whole.articles.items() if k != "mean_price"}
    bare = replace(whole, articles=less)
    recoded(bare, encoders(WORDS), encoders(("A",)))
    with pytest.raises(FeatureError, match="mean_price"):
        recoded(bare, encoders(WORDS), encoders(WORDS, price=Scaler(1, 2)))
