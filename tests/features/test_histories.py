"""Purchase histories, from the functions and through the driver."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hm_platform.features import histories, workspace
from hm_platform.features.arrays import spread_days
from hm_platform.features.decay import HALF_LIVES
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


# Customer 4 bought article 1 on its first and third shopping day, article 6 on the second.
VISITS = {
    "visit_customer": np.array([4, 4, 4, 7], np.int32),
    "visit_article": np.array([1, 1, 6, 1], np.int32),
}
VISIT_DAY = np.array(["2020-09-02", "2020-09-15", "2020-09-04", "2020-09-01"], "datetime64[D]")
TRIP = np.array([1, 3, 2, 1], np.int32)
PAIRS = np.array([0, 2, 3, 4])


def test_visits_of_a_pair_are_summed() -> None:
    offsets = histories.pair_offsets(**VISITS)

    assert offsets.tolist() == PAIRS.tolist()
    assert histories.bought_customer(VISITS["visit_customer"], offsets).tolist() == [4, 4, 7]
    assert histories.bought_article(VISITS["visit_article"], offsets).tolist() == [1, 6, 1]
    bought = histories.bought_purchases(np.array([2, 1, 1, 5], np.int32), offsets)
    assert (bought.tolist(), bought.dtype) == ([3, 1, 5], np.int32)
    assert histories.bought_days(offsets).tolist() == [2, 1, 1]
    assert histories.bought_first_day(VISIT_DAY, offsets).tolist() == VISIT_DAY[[0, 2, 3]].tolist()
    assert histories.bought_last_day(VISIT_DAY, offsets).tolist() == VISIT_DAY[[1, 2, 3]].tolist()
    customer = np.array([4, 4, 7], np.int32)
    assert histories.bought_trips(customer, TRIP, offsets).tolist() == [3, 3, 1]


def test_the_rhythm_of_pairs() -> None:
    order, lists = np.array([1, 0, 2]), np.array([0, 2, 3])
    days, trips = np.array([2, 1, 1], np.int32), np.array([3, 3, 1], np.int32)

    previous = histories.days_since_previous(VISIT_DAY, PAIRS, days, order, lists, CUTOFF)
    last = histories.trips_since_last(TRIP, PAIRS, trips, order, lists)
    first = histories.trips_since_first(TRIP, PAIRS, trips, order, lists)

    assert previous.to_pylist() == [[-1, 14], [-1]]
    assert last.to_pylist() == [[1, 0], [0]]
    assert first.to_pylist() == [[2, 3], [1]]


@pytest.mark.parametrize("half_life", HALF_LIVES)
def test_days_lose_half_of_their_weight_in_a_half_life(half_life: int) -> None:
    age = np.array([2 * half_life, half_life, 0, half_life], np.int32)

    found = getattr(histories, f"decayed_{half_life}")(
        age, PAIRS, np.array([1, 0, 2]), np.array([0, 2, 3])
    )

    assert found.to_pylist() == [[1, 0.75], [0.5]]
    assert found.type == pa.list_(pa.float32())


def test_days_beyond_two_in_a_week_lie_evenly_between_first_and_last() -> None:
    # The third day of the week is taken for the second, and is no shopping day of its own.
    week = [days_before(WEEK, d) for d in (7, 6, 2, 1)]
    shop = world([(day, "x", "a", 1.0) for day in week] + [(days_before(WEEK, 3), "x", "b", 1.0)])

    (row,) = of_split(shop.purchase_histories(), "test")

    assert (row["articles"], row["days"], row["days_since_previous"]) == ([0, 1], [4, 1], [3, -1])
    assert (row["trips_since_last"], row["trips_since_first"]) == ([0, 1], [3, 2])
    expected = sum(2 ** (-age / 14) for age in (1, 3, 5, 7))
    assert row["decayed_14"] == pytest.approx([expected, 2 ** (-3 / 14)])


def test_days_are_spread_like_the_driver_spreads_them() -> None:
    first, last = np.array(["2020-09-09"] * 3, "datetime64[D]"), np.datetime64("2020-09-15")

    row, day = spread_days(first, np.array([first[0], last, last]), np.array([1, 2, 5], np.int32))

    assert row.tolist() == [0, 1, 1, 2, 2, 2, 2, 2]
    assert (day - first[0]).astype(int).tolist() == [0, 6, 0, 6, 5, 3, 2, 0]


@settings(max_examples=25)
@given(
    bought=st.lists(
        st.tuples(
            st.integers(-1, 9),
            st.sampled_from([1, 6]),
            st.sampled_from("xyz"),
            st.sampled_from("abcd"),
        ),
        max_size=40,
    )
)
def test_histories_are_what_the_purchases_say(bought: list[tuple[int, int, str, str]]) -> None:
    past = [(days_before(WEEK, 7 * w + d), who, what, 1.0) for w, d, who, what in bought]
    shop = world(past, articles="abcd", customers="xyz")

    for row in shop.purchase_histories(CUTOFFS).to_pylist():
        who = "xyz"[row["customer_index"]]
        known = [
            ((row["cutoff"] - day).days, what)
            for day, customer, what, _ in past
            if customer == who and day < row["cutoff"]
        ]
        trips = {age for age, _ in known}
        assert len(row["articles"]) == len({what for _, what in known})
        for i, article in enumerate(row["articles"]):
            ages = sorted({age for age, what in known if what == "abcd"[article]})
            found = {name: row[name][i] for name in row if isinstance(row[name], list)}
            assert found["days"] == len(ages)
            assert found["purchases"] == sum(what == "abcd"[article] for _, what in known)
            assert (found["days_since_last"], found["days_since_first"]) == (ages[0], ages[-1])
            assert found["days_since_previous"] == (ages[1] if len(ages) > 1 else -1)
            assert found["trips_since_last"] == sum(age < ages[0] for age in trips)
            assert found["trips_since_first"] == sum(age <= ages[-1] for age in trips)
            for half_life in HALF_LIVES:
                decayed = sum(2 ** (-age / half_life) for age in ages)
                assert found[f"decayed_{half_life}"] == pytest.approx(decayed, rel=1e-6)


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

    monkeypatch.setattr(workspace, "_ROWS_AT_ONCE", 7)
    blocks = shop.purchase_histories()

    assert blocks.equals(whole)
    assert blocks["articles"].num_chunks > whole["articles"].num_chunks
