"""Articles bought together: the score, its ties, and what does not count."""

from __future__ import annotations

import math
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hm_platform.features import copurchases
from hm_platform.features.driver.pairs import DAMPING
from tests.features.world import CUTOFFS, WEEK, days_before, of_split, world

DAY = days_before(WEEK, 2)


def pairs(
    rows: list[tuple[int, int]], n: int, damping: float = 0.0, each: int = 20, largest: int = 200
) -> dict[int, list[tuple[int, float]]]:
    """Article -> neighbours with scores, for rows of (basket, article)."""
    baskets = copurchases.baskets(
        np.array([basket for basket, _ in rows], np.int32),
        np.array(["2020-09-09"] * len(rows), "datetime64[D]"),
        np.array([article for _, article in rows], np.int32),
        n,
        largest,
    )
    held = copurchases.baskets_of_article(baskets)
    found = copurchases.strongest_pairs(baskets, held, damping, each)
    result: dict[int, list[tuple[int, float]]] = {}
    for article, neighbour, score in zip(
        found.article.tolist(), found.neighbour.tolist(), found.score.tolist(), strict=True
    ):
        result.setdefault(article, []).append((neighbour, score))
    return result


def expected(
    rows: list[tuple[int, int]], n: int, damping: float, each: int
) -> dict[int, list[tuple[int, float]]]:
    """The definition, spelt out."""
    baskets: dict[int, set[int]] = {}
    for basket, article in rows:
        baskets.setdefault(basket, set()).add(article)
    held = [sum(a in basket for basket in baskets.values()) for a in range(n)]
    result = {}
    for a in range(n):
        scored = []
        for b in range(n):
            both = sum(a in basket and b in basket for basket in baskets.values())
            if a != b and both:
                score = np.float32(both / (math.sqrt(held[a]) * math.sqrt(held[b]) + damping))
                scored.append((b, float(score)))
        if scored:
            result[a] = sorted(scored, key=lambda pair: (-pair[1], pair[0]))[:each]
    return result


def test_articles_that_always_go_together_have_cosine_one() -> None:
    assert pairs([(0, 0), (0, 1), (1, 0), (1, 1)], 2) == {0: [(1, 1.0)], 1: [(0, 1.0)]}


def test_baskets_with_one_article_count_for_the_norm() -> None:
    found = pairs([(0, 0), (0, 1), (1, 0), (2, 0), (3, 0)], 2)

    assert found[0] == [(1, pytest.approx(0.5))]


def test_damping_prefers_pairs_seen_often() -> None:
    rare = [(0, 0), (0, 1)]
    often = [(b, a) for b in range(1, 11) for a in (2, 3)]

    assert pairs(rare + often, 4, damping=10)[0][0][1] == pytest.approx(1 / 11)
    assert pairs(rare + often, 4, damping=10)[2][0][1] == pytest.approx(10 / 20)


def test_equal_scores_go_to_the_lower_index_and_the_rest_is_cut() -> None:
    found = pairs([(0, article) for article in (4, 1, 3, 0, 2)], 5, each=2)

    assert [neighbour for neighbour, _ in found[4]] == [0, 1]
    assert [neighbour for neighbour, _ in found[0]] == [1, 2]


def test_baskets_that_are_too_large_make_no_pairs() -> None:
    assert pairs([(0, a) for a in range(4)] + [(1, 0), (1, 1)], 4, largest=3) == {
        0: [(1, 1.0)],
        1: [(0, 1.0)],
    }
    assert len(pairs([(0, a) for a in range(4)], 4, largest=4)) == 4


@given(
    rows=st.sets(st.tuples(st.integers(0, 6), st.integers(0, 7)), min_size=1),
    damping=st.sampled_from([0.0, 10.0]),
    each=st.integers(1, 4),
    at_once=st.sampled_from([1, 5, 10**6]),
)
def test_blocks_give_what_the_definition_says(
    rows: set[tuple[int, int]], damping: float, each: int, at_once: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copurchases, "PAIRS_AT_ONCE", at_once)
        found = pairs(sorted(rows), 8, damping, each)

    assert found == expected(sorted(rows), 8, damping, each)


def test_a_basket_is_a_customer_and_a_week() -> None:
    shop = world(
        [
            (DAY, "x", "a", 1.0),
            (DAY + timedelta(days=1), "x", "b", 1.0),
            (DAY, "y", "c", 1.0),
            (days_before(DAY, 7), "y", "a", 1.0),
        ]
    )

    rows = of_split(shop.copurchases(), "test")

    assert [(row["article_index"], row["neighbours"]) for row in rows] == [(0, [1]), (1, [0])]
    assert rows[0]["scores"] == [pytest.approx(1 / (math.sqrt(2) + DAMPING))]


def test_only_the_last_weeks_before_the_cutoff_count() -> None:
    old = days_before(WEEK, 15)
    shop = world([(old, "x", "a", 1.0), (old, "x", "b", 1.0)])

    assert of_split(shop.copurchases(weeks=3), "test")
    assert not of_split(shop.copurchases(weeks=2), "test")


@pytest.mark.parametrize(
    "bought", [[], [(DAY, "x", "a", 1.0)], [(DAY, "x", "a", 1.0), (DAY, "y", "a", 1.0)]]
)
def test_without_pairs_there_is_no_row(bought: list[tuple[date, str, str, float]]) -> None:
    assert world(bought).copurchases().num_rows == 0


def test_a_shop_with_one_article_has_no_neighbours() -> None:
    shop = world([(DAY, "x", "a", 1.0)] * 3, articles=["a"])

    assert shop.copurchases().num_rows == 0
    assert shop.purchase_histories(CUTOFFS)["purchases"].to_pylist() == [[3], [3]]
