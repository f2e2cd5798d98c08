"""Purchase histories, from the functions and through the driver."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from hm_platform.features import histories, workspace
from tests.features.world import CUTOFFS, WEEK, days_before, of_split, world

CUTOFF = date(2020, 9, 16)


def order(
    customer: list[int], article: list[int], purchases: list[int], last: list[str], longest: int = 9
) -> list[int]:
    return histories.history_order(
        np.array(customer, np.int32),
        np.array(article, np.int32),
        np.array(purchases, np.int32),
        np.array(last, "datetime64[D]"),
        longest,
    ).tolist()


def test_the_most_recent_article_comes_first() -> None:
    assert order([0, 0], [1, 2], [1, 1], ["2020-09-01", "2020-09-02"]) == [1, 0]


def test_ties_in_time_go_to_more_purchases_then_to_the_lower_index() -> None:
    day = "2020-09-01"

    assert order([0, 0, 0], [5, 4, 3], [1, 1, 2], [day] * 3) == [2, 1, 0]


def test_customers_are_kept_apart_and_long_histories_cut() -> None:
    found = order([1, 0, 1, 1], [1, 2, 3, 4], [1] * 4, [f"2020-09-0{d}" for d in (1, 2, 3, 4)], 2)

    assert found == [1, 3, 2]


def test_offsets_and_lists_agree() -> None:
    customer = np.array([4, 7, 4], np.int32)
    article = np.array([2, 1, 0], np.int32)
    chosen = np.array([2, 0, 1])

    offsets = histories.history_offsets(customer, chosen)

    assert offsets.tolist() == [0, 2, 3]
    assert histories.customer_index(customer, chosen, offsets).tolist() == [4, 7]
    assert histories.articles(article, chosen, offsets).to_pylist() == [[0, 2], [1]]


def test_days_are_counted_from_the_cutoff() -> None:
    days = np.array(["2020-09-15", "2020-09-09"], "datetime64[D]")
    chosen, offsets = np.array([0, 1]), np.array([0, 2])

    assert histories.days_since_last(days, chosen, offsets, CUTOFF).to_pylist() == [[1, 7]]
    assert histories.days_since_first(days, chosen, offsets, CUTOFF).to_pylist() == [[1, 7]]


def test_a_history_adds_up_weeks_and_repeats() -> None:
    shop = world(
        [
            (days_before(WEEK, 1), "y", "c", 1.0),
            (days_before(WEEK, 3), "y", "b", 1.0),
            (days_before(WEEK, 3), "y", "b", 1.0),
            (days_before(WEEK, 30), "y", "b", 1.0),
        ]
    )

    (row,) = of_split(shop.purchase_histories(), "test")

    assert row == {
        "week": WEEK,
        "split": "test",
        "cutoff": WEEK,
        "customer_index": 1,
        "articles": [2, 1],
        "purchases": [1, 3],
        "days": [1, 2],
        "days_since_last": [1, 3],
        "days_since_first": [1, 30],
        "days_since_previous": [-1, 30],
        "trips_since_last": [0, 1],
        "trips_since_first": [1, 3],
        "decayed_14": [
            pytest.approx(2 ** (-1 / 14)),
            pytest.approx(2 ** (-3 / 14) + 2 ** (-30 / 14)),
        ],
        "decayed_60": [
            pytest.approx(2 ** (-1 / 60)),
            pytest.approx(2 ** (-3 / 60) + 2 ** (-30 / 60)),
        ],
        "decayed_180": [
            pytest.approx(2 ** (-1 / 180)),
            pytest.approx(2 ** (-3 / 180) + 2 ** (-30 / 180)),
        ],
    }


def test_each_split_sees_the_history_up_to_its_cutoff() -> None:
    shop = world([(days_before(CUTOFFS[split], 1), "x", "a", 1.0) for split in CUTOFFS])

    seen = {
        row["split"]: (row["purchases"], row["days_since_last"])
        for row in shop.purchase_histories().to_pylist()
    }

    assert seen == {"validation": ([1], [1]), "test": ([2], [1]), "serving": ([3], [1])}


def test_without_purchases_there_is_no_row() -> None:
    assert world([]).purchase_histories().num_rows == 0


def test_blocks_of_customers_give_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    customers = [f"c{i:02}" for i in range(30)]
    shop = world(
        [(days_before(WEEK, 1 + i % 9), customers[i % 30], "abc"[i % 3], 1.0) for i in range(200)],
        customers=customers,
    )
    whole = shop.purchase_histories()

    monkeypatch.setattr(workspace, "_VISITS_AT_ONCE", 7)
    blocks = shop.purchase_histories()

    assert blocks.equals(whole)
    assert blocks["articles"].num_chunks > whole["articles"].num_chunks
