"""How soon articles without a sale are expected to have one: against numbers by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hm_platform.modelling.first_sales import DAYS, PRIOR, first_sale_rates
from tests.modelling.worlds import World, day

# Type 1: articles 0 to 3, of which 0 and 1 were first sold lately. Type 2: 4 and 5, never sold.
# Article 6 is of no type, 7 of type 2 and sold for long.
SHOP = World(
    purchases=[(day(3), 0, 0), (day(DAYS), 0, 1), (day(DAYS + 1), 0, 7), (day(1), 0, 7)],
    articles=8,
    customers=1,
    article_codes={"product_type_code": [1, 1, 1, 1, 2, 2, 0, 2]},
)


def test_numbers_by_hand() -> None:
    rates = first_sale_rates(SHOP.snapshot())
    # Of the seven that had no sale before, two were sold.
    everywhere = 2 / 7
    one, two = (2 + PRIOR * everywhere) / (4 + PRIOR), PRIOR * everywhere / (2 + PRIOR)
    assert rates == pytest.approx([one] * 4 + [two] * 2 + [everywhere, two])


def test_a_kind_is_drawn_to_the_broader_one() -> None:
    shop = replace(
        SHOP,
        article_codes={
            "product_group_code": [1, 1, 1, 1, 1, 1, 0, 1],
            "product_type_code": [1, 1, 1, 1, 2, 2, 2, 0],
            "product_code": [0, 0, 3, 3, 0, 0, 0, 0],
        },
    )
    rates = first_sale_rates(shop.snapshot())
    group = (2 + PRIOR * 2 / 7) / (6 + PRIOR)
    one = (2 + PRIOR * group) / (4 + PRIOR)
    assert rates[[0, 1]] == pytest.approx([one, one])
    assert rates[2:4] == pytest.approx([PRIOR * one / (2 + PRIOR)] * 2)
    assert rates[4:6] == pytest.approx([PRIOR * group / (3 + PRIOR)] * 2)
    # The group is not known, the type is.
    assert rates[6] == pytest.approx(PRIOR * (2 / 7) / (3 + PRIOR))
    assert rates[7] == pytest.approx(group)


def test_nothing_was_ever_sold_and_nothing_is_left_to_sell() -> None:
    nothing = replace(SHOP, purchases=[(day(-1), 0, 0)])
    assert first_sale_rates(nothing.snapshot()).tolist() == [0] * 8
    old = replace(SHOP, purchases=[(day(99), 0, a) for a in range(8)])
    assert first_sale_rates(old.snapshot()).tolist() == [0] * 8


@given(
    st.lists(
        st.tuples(st.integers(1, 60) | st.none(), *(st.integers(0, 3) for _ in range(3))),
        min_size=1,
        max_size=20,
    )
)
def test_rates_are_shares(articles: list[tuple[int | None, int, int, int]]) -> None:
    days, *codes = zip(*articles, strict=True)
    shop = World(
        purchases=[(day(when), 0, a) for a, when in enumerate(days) if when is not None],
        articles=len(articles),
        customers=1,
        article_codes=dict(
            zip(
                ("product_group_code", "product_type_code", "product_code"),
                map(list, codes),
                strict=True,
            )
        ),
    )
    rates = first_sale_rates(shop.snapshot())
    assert np.all((rates >= 0) & (rates <= 1))
    # Articles that are alike are expected to do alike.
    kinds = [kind for _, *kind in articles]
    for article, kind in enumerate(kinds):
        assert rates[article] == rates[kinds.index(kind)]
