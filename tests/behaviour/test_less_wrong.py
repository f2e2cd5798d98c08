"""How near a miss is: worked out by hand on the small week."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from hm_platform.behaviour.bootstrap import Bootstrap
from hm_platform.behaviour.inputs import ReportInputs
from hm_platform.behaviour.less_wrong import near_misses
from tests.behaviour.conftest import build
from tests.behaviour.numbers import counts, values

FOUR = Bootstrap(4)
CODES = ["p0", "p0", "p1", "p1", "p2", "p2", "p3", None]
TYPES = ["t0", "t0", "t0", "t0", "t1", "t1", "t1", None]
DEPARTMENTS = ["d0", "d1", "d0", "d1", "d0", None, None, None]
CATALOGUE = pa.table(
    {
        "prod_name": pa.array([None] * 8, pa.string()),
        "product_code": CODES,
        "product_type_name": TYPES,
        "product_group_name": TYPES,
        "department_name": DEPARTMENTS,
    }
)
# Bought: 0 and 5; 3; 1; 6. The first list hits, the others miss.
MISSES = [[0, 2, 4], [2, 4, 5], [2, 3, 4], [5, 4, 2]]


def week(**changes: object) -> ReportInputs:
    lists = {"two_tower": MISSES, **changes.pop("lists", {})}  # type: ignore[dict-item]
    return build(lists=lists, catalogue=CATALOGUE, **changes)


def test_only_first_places_of_misses_are_looked_at() -> None:
    found = near_misses(week(), FOUR)
    assert values(found) == pytest.approx(
        {
            # Article 2 for 3; 2 for 1; 5 for 6.
            "same product": 1 / 3,
            "same product type": 3 / 3,
            "same department": 0,
            "same price band": 0,
        }
    )
    assert set(counts(found).values()) == {3}


def test_what_is_unknown_is_not_the_same() -> None:
    # Articles 5 and 6 have no department: both unknown, and not alike.
    unknown = build(lists={"two_tower": [[5, 4, 2]] * 4}, catalogue=CATALOGUE, bought={4: [6]} | {
        0: [6], 1: [6], 3: [6]
    })  # fmt: skip
    assert values(near_misses(unknown, FOUR))["same department"] == 0


def test_an_empty_first_place_is_near_nothing() -> None:
    found = values(near_misses(build(lists={"two_tower": [[-1]] * 4}, catalogue=CATALOGUE), FOUR))
    assert set(found.values()) == {0}


@pytest.mark.parametrize(("factor", "share"), [(1.24, 1.0), (1 / 1.24, 1.0), (1.26, 0.0)])
def test_price_bands_are_a_quarter_wide(factor: float, share: float) -> None:
    inputs = build(lists={"two_tower": [[2]] * 4}, catalogue=CATALOGUE)
    prices = np.where(np.arange(8) == 2, 10 * factor, 10.0)
    known = replace(inputs.snapshot, articles={**inputs.snapshot.articles, "mean_price": prices})
    found = values(near_misses(replace(inputs, snapshot=known), FOUR))
    assert found["same price band"] == share


def test_best_sellers_are_held_against_it_where_both_miss() -> None:
    # Hits customer 1 with its first; misses 3 and 4, near in type for customer 3.
    best = [[4, 2, 6], [3, 4, 6], [0, 4, 6], [0, 4, 2]]
    found = near_misses(week(lists={"segment_popularity": best}), FOUR)
    told = values(found)
    assert told["same product type"] == pytest.approx(1)
    assert told["same product type against segment_popularity"] == pytest.approx(1 - 1 / 2)
    assert told["same product against segment_popularity"] == pytest.approx(0 - 1 / 2)
    assert counts(found)["same product against segment_popularity"] == 2
    assert counts(found)["same product"] == 3


def test_best_sellers_are_not_held_against_themselves() -> None:
    lists = {"segment_popularity": MISSES}
    found = values(near_misses(week(lists=lists, challenger="segment_popularity"), FOUR))
    assert list(found) == [f"same {x}" for x in ("product", "product type", "department",
                                                 "price band")]  # fmt: skip


def test_without_a_miss_there_is_nothing_to_measure() -> None:
    hits = build(lists={"two_tower": [[0], [3], [1], [6]]}, catalogue=CATALOGUE)
    found = near_misses(hits, FOUR)
    assert set(values(found).values()) == {None}
    assert set(counts(found).values()) == {0}


def test_without_a_catalogue_nothing_is_said() -> None:
    assert near_misses(build(catalogue=None), FOUR) == []
