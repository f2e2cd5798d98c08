from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import pyarrow as pa
import pytest

from hm_platform.calendar import WEEK, Calendar, CalendarError
from hm_platform.datasets.plan import (
    MOST_RANKING_CUSTOMERS,
    DatasetError,
    SplitPlan,
    ranking_customers,
)
from hm_platform.datasets.splits import article_index, build_split, customer_index

FIRST = date(2017, 1, 2)
CALENDAR = Calendar(FIRST)
W = FIRST + 6 * WEEK


def plan(**knobs) -> SplitPlan:
    return SplitPlan.for_week(W, CALENDAR, knobs.pop("train_weeks", 3), **knobs)


def purchases(rows: list[tuple[date, str, str, float]]) -> pa.RecordBatchReader:
    days, customers, articles, prices = zip(*rows, strict=True) if rows else ((), (), (), ())
    return pa.table(
        {
            "t_dat": pa.array(days, pa.date32()),
            "customer_id": pa.array(customers, pa.string()),
            "article_id": pa.array(articles, pa.string()),
            "price": pa.array(prices, pa.float64()),
            "sales_channel_id": pa.array([1] * len(rows), pa.int8()),
        }
    ).to_reader()


def bought(column: str, in_training: Iterable[str], others: Iterable[str] = ()) -> pa.Table:
    ids = [*in_training, *others]
    within = [i < len(ids) - len([*others]) for i in range(len(ids))]
    return pa.table({column: pa.array(ids, pa.string()), "within": pa.array(within, pa.bool_())})


def known(column: str, ids: Iterable[str]) -> pa.RecordBatchReader:
    return pa.table({column: pa.array(ids, pa.string())}).to_reader()


def test_the_splits_touch_and_do_not_overlap() -> None:
    bounds = plan().bounds
    assert bounds["train"] == (W - 4 * WEEK, W - WEEK)
    assert bounds["validation"] == (W - WEEK, W)
    assert bounds["test"] == (W, W + WEEK)
    assert plan().cutoffs == {"validation": W - WEEK, "test": W, "serving": W + WEEK}


def test_validation_is_the_week_before_the_test_unless_a_knob_says_otherwise() -> None:
    assert plan().validates_on_the_week_before
    # Moved back as a whole, it still ends where the test split begins.
    ends = {"training_end": str(W - 2 * WEEK), "validation_end": str(W - WEEK)}
    assert plan(**ends).validates_on_the_week_before
    assert not plan(training_end=str(W - 2 * WEEK)).validates_on_the_week_before
    assert not plan(customer_fraction=0.5).validates_on_the_week_before


def test_ranking_splits_are_the_last_weeks_of_training_less_than_half_of_it() -> None:
    five = plan(train_weeks=50)
    assert five.train_start == FIRST
    assert five.ranking_weeks == 2
    assert five.ranking_cutoffs == {"ranking_1": W - 2 * WEEK, "ranking_2": W - 3 * WEEK}
    assert list(five.feature_cutoffs)[3:] == ["ranking_1", "ranking_2"]
    assert list(five.feature_cutoffs)[:3] == ["validation", "test", "serving"]
    four = plan(train_weeks=4)
    assert four.ranking_weeks == 1


def test_ranking_splits_are_twelve_at_most_and_share_the_earliest_copurchases() -> None:
    later = SplitPlan.for_week(FIRST + 60 * WEEK, CALENDAR, 52)
    end = later.training_end
    assert later.ranking_cutoffs == {f"ranking_{i}": end - i * WEEK for i in range(1, 13)}
    assert later.copurchase_cutoffs == {**later.cutoffs, "ranking_12": end - 12 * WEEK}


@pytest.mark.parametrize(
    ("in_training", "step"),
    [(0, 1), (1, 1), (MOST_RANKING_CUSTOMERS, 1), (MOST_RANKING_CUSTOMERS + 1, 2), (1_370_000, 28)],
)
def test_of_very_many_customers_ranking_splits_have_every_nth(in_training: int, step: int) -> None:
    some = ranking_customers(in_training)
    assert (some.start, some.stop, some.step) == (0, in_training, step)
    assert len(some) <= MOST_RANKING_CUSTOMERS


@pytest.mark.parametrize("train_weeks", [1, 2])
def test_a_short_training_split_has_no_ranking_splits(train_weeks: int) -> None:
    short = plan(train_weeks=train_weeks)
    assert short.ranking_weeks == 0
    assert short.ranking_cutoffs == {}
    assert short.feature_cutoffs == short.copurchase_cutoffs == short.cutoffs


def test_labels_of_ranking_splits_lie_in_training_whatever_the_ends() -> None:
    moved = plan(train_weeks=50, training_end=str(W - 2 * WEEK), validation_end=str(W))
    assert moved.ranking_weeks == 1
    for cutoff in moved.ranking_cutoffs.values():
        assert moved.train_start < cutoff
        assert cutoff + WEEK <= moved.training_end


def test_training_begins_with_the_calendar_when_history_is_short() -> None:
    assert plan(train_weeks=50).train_start == FIRST


def test_the_ends_can_be_moved_earlier() -> None:
    moved = plan(training_end=str(W - 3 * WEEK), validation_end=str(W - WEEK))
    assert moved.bounds == {
        "train": (W - 4 * WEEK, W - 3 * WEEK),
        "validation": (W - 3 * WEEK, W - WEEK),
        "test": (W - WEEK, W + WEEK),
    }


@pytest.mark.parametrize(
    "knobs",
    [
        {"training_end": str(W)},
        {"validation_end": str(W - WEEK)},
        {"validation_end": str(W + WEEK)},
        {"training_end": str(W - 4 * WEEK)},
        {"customer_fraction": 0.0},
        {"customer_fraction": 1.5},
    ],
)
def test_bounds_that_make_no_sense_are_refused(knobs: dict) -> None:
    with pytest.raises(DatasetError):
        plan(**knobs)


def test_an_end_that_is_no_week_is_refused() -> None:
    with pytest.raises(CalendarError):
        plan(training_end=str(W - WEEK + timedelta(days=1)))


def test_trained_articles_come_first_then_all_others_each_by_id() -> None:
    sold = bought("article_id", in_training="ba", others=["0c", "z"])
    index = article_index(plan(), sold, known("article_id", "ya"))
    assert index["article_id"].to_pylist() == ["a", "b", "0c", "y", "z"]
    assert index["article_index"].to_pylist() == [0, 1, 2, 3, 4]
    assert index["in_training"].to_pylist() == [True, True, False, False, False]


def test_numbers_of_trained_entities_do_not_depend_on_others() -> None:
    def index(others: str, catalogue: str) -> pa.Table:
        sold = bought("article_id", "mc", others)
        return article_index(plan(), sold, known("article_id", catalogue))

    assert index("a", "b").slice(0, 2).equals(index("", ""))


def indices(ids: list[str]) -> tuple[pa.Table, pa.Table]:
    articles = article_index(plan(), bought("article_id", ids), known("article_id", []))
    customers = customer_index(plan(), bought("customer_id", ids), known("customer_id", []))
    return articles, customers


def test_a_split_holds_its_days_only_with_indices_beside_the_ids() -> None:
    rows = [
        (W - WEEK - timedelta(days=1), "b", "a", 1.0),
        (W - WEEK, "a", "b", 2.0),
        (W, "a", "a", 3.0),
    ]
    validation = build_split("validation", plan(), purchases(rows), *indices(["a", "b"]))
    assert validation.rows.read_all().to_pylist() == [
        {
            "week": W,
            "t_dat": W - WEEK,
            "customer_id": "a",
            "article_id": "b",
            "customer_index": 0,
            "article_index": 1,
            "price": 2.0,
            "sales_channel_id": 1,
        }
    ]


def test_the_fingerprint_knows_content_and_not_the_order_of_arrival() -> None:
    rows = [(W - 2 * WEEK + timedelta(days=i % 7), "ab"[i % 2], "ba"[i % 2], i) for i in range(20)]
    one = build_split("train", plan(), purchases(rows), *indices(["a", "b"]))
    other = build_split("train", plan(), purchases(rows[::-1]), *indices(["a", "b"]))
    changed = build_split("train", plan(), purchases(rows[:-1]), *indices(["a", "b"]))
    assert one.fingerprint == other.fingerprint != changed.fingerprint
    assert one.rows.read_all().equals(other.rows.read_all())


def test_ids_are_those_of_the_numbers_in_whatever_order_the_indices_come() -> None:
    rows = [(W, "a", "b", 1.0), (W, "b", "c", 2.0), (W, "c", "a", 3.0)]
    articles, customers = indices(["a", "b", "c"])
    test = build_split("test", plan(), purchases(rows), articles, customers)
    reverse = pa.array([2, 1, 0])
    other = build_split(
        "test", plan(), purchases(rows), articles.take(reverse), customers.take(reverse)
    )
    assert test.fingerprint == other.fingerprint
    found = test.rows.read_all()
    assert found.equals(other.rows.read_all())
    assert found["customer_id"].to_pylist() == ["a", "b", "c"]
    assert found["article_id"].to_pylist() == ["b", "c", "a"]


def test_the_fingerprint_knows_whom_the_numbers_stand_for() -> None:
    rows = [(W, "a", "a", 1.0)]
    renamed = [(W, "z", "a", 1.0)]
    articles, _ = indices(["a"])
    prints = {
        build_split("test", plan(), purchases(each), articles, indices([who])[1]).fingerprint
        for each, who in ((rows, "a"), (renamed, "z"))
    }
    assert len(prints) == 2


def test_equal_purchases_are_two_purchases() -> None:
    rows = [(W, "a", "a", 1.0)] * 2
    assert build_split("test", plan(), purchases(rows), *indices(["a"])).count == 2


def test_an_empty_training_split_says_what_to_do() -> None:
    with pytest.raises(DatasetError, match="load them first"):
        build_split("train", plan(), purchases([]), *indices(["a"]))


def test_a_purchase_that_the_indices_do_not_know_is_an_error() -> None:
    for customer, article in (("new", "a"), ("a", "new")):
        what = f"article {article} by customer {customer} is not in the indices"
        with pytest.raises(DatasetError, match=what):
            build_split("test", plan(), purchases([(W, customer, article, 1.0)]), *indices(["a"]))


def test_the_sample_keeps_whole_customers_the_same_ones_each_time() -> None:
    ids = [f"c{i:03}" for i in range(200)]
    rows = [(W - 2 * WEEK + timedelta(days=d), i, "c001", 1.0) for i in ids for d in range(3)]
    half = plan(customer_fraction=0.5, seed=7)
    split = build_split("train", half, purchases(rows), *indices(ids)).rows.read_all()
    kept = set(split["customer_id"].to_pylist())
    assert 60 < len(kept) < 140
    assert split.num_rows == 3 * len(kept)
    tenth = plan(customer_fraction=0.1, seed=7)
    fewer = build_split("train", tenth, purchases(rows), *indices(ids)).rows.read_all()
    assert set(fewer["customer_id"].to_pylist()) < kept
    index = customer_index(half, bought("customer_id", ids), known("customer_id", []))
    trained = index.filter(index["in_training"])
    assert set(trained["customer_id"].to_pylist()) == kept
    assert index.num_rows == 200
