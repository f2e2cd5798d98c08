"""Past weeks for training a ranker: whose rows there are, and that only the past is in them."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta

import pytest
from hypothesis import given, settings

from hm_platform.features.errors import FeatureError, LeakageError
from hm_platform.features.loading import load_snapshot
from hm_platform.features.snapshot import Snapshot
from hm_platform.features.workspace import Workspace
from tests.features.test_asof import TABLES, plant, purchases
from tests.features.world import (
    CUTOFFS,
    RANKING_CUTOFFS,
    WEEK,
    Purchase,
    World,
    days_before,
    index,
    of_split,
    world,
)

FIRST, SECOND = RANKING_CUTOFFS["ranking_1"], RANKING_CUTOFFS["ranking_2"]
ALL_CUTOFFS = CUTOFFS | RANKING_CUTOFFS


def histories_of(shop: World, split: str) -> dict[int, dict[str, object]]:
    rows = of_split(shop.purchase_histories(ALL_CUTOFFS), split)
    return {row["customer_index"]: row for row in rows}


def test_histories_are_those_of_the_customers_of_the_week_and_the_one_before() -> None:
    shop = world(
        [
            (days_before(SECOND, 10), "w", "a", 1.0),
            (days_before(SECOND, 7), "x", "a", 1.0),
            (days_before(SECOND, 10), "y", "b", 1.0),
            (SECOND, "y", "a", 1.0),
            (days_before(FIRST, 1), "z", "a", 1.0),
            (FIRST, "x", "b", 1.0),
        ],
        customers="wxyz",
    )

    second, first = histories_of(shop, "ranking_2"), histories_of(shop, "ranking_1")

    # z bought in the week of ranking_2, but never before it: there is no history.
    assert second.keys() == {1, 2}
    assert (second[2]["articles"], second[2]["days_since_last"]) == ([1], [10])
    assert first.keys() == {1, 2, 3}
    assert histories_of(shop, "validation").keys() == {0, 1, 2, 3}


def test_customers_outside_the_training_split_teach_nothing() -> None:
    day = days_before(SECOND, 3)
    shop = world([(d, who, "a", 1.0) for who in "xyz" for d in (day, SECOND)], customers="xyz")
    sampled = dataclasses.replace(shop, customer_index=index("customer", "xyz", 1))

    assert histories_of(sampled, "ranking_2").keys() == {0}
    assert histories_of(sampled, "test").keys() == {0, 1, 2}


def test_of_very_many_customers_some_teach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hm_platform.datasets.plan.MOST_RANKING_CUSTOMERS", 2)
    day, everybody = days_before(SECOND, 3), "uvwxyz"
    shop = world(
        [(d, who, "a", 1.0) for who in everybody for d in (day, SECOND)], customers=everybody
    )

    assert histories_of(shop, "ranking_2").keys() == {0, 3}
    assert histories_of(shop, "validation").keys() == set(range(6))


def test_one_ranking_split_alone_finds_the_customers_of_its_week() -> None:
    shop = world([(days_before(FIRST, 1), "x", "a", 1.0), (FIRST, "x", "b", 1.0)])

    (row,) = shop.purchase_histories({"ranking_1": FIRST}).to_pylist()

    assert row["articles"] == [0]


@pytest.mark.parametrize(("features", "table"), TABLES.items())
@pytest.mark.parametrize("split", RANKING_CUTOFFS)
def test_a_leak_planted_before_a_ranking_cutoff_is_caught(
    features: str, table: str, split: str
) -> None:
    cutoff = RANKING_CUTOFFS[split]
    shop = world([(days_before(WEEK, 30), "x", "a", 1.0), (cutoff, "x", "a", 1.0)])
    leaky = plant(shop, table, week=cutoff - timedelta(weeks=1), last_day=cutoff)

    with pytest.raises(LeakageError, match=f"of {cutoff}, and the cut-off is {cutoff}"):
        getattr(leaky, features)(cutoffs=CUTOFFS | {split: cutoff})


def test_a_query_that_takes_the_labels_along_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = world([(days_before(FIRST, 1), "x", "a", 1.0), (FIRST, "x", "b", 1.0)])
    honest = Workspace.visits
    week_later = FIRST + timedelta(weeks=1)
    monkeypatch.setattr(Workspace, "visits", lambda self, cutoff, active: honest(self, week_later))

    with pytest.raises(LeakageError, match=f"of {FIRST}, and the cut-off is {FIRST}"):
        shop.purchase_histories({"ranking_1": FIRST, "validation": CUTOFFS["validation"]})


@settings(max_examples=15)
@given(
    past=purchases(60, 15),
    future=purchases(14, -10),
    other_future=purchases(14, -10),
)
def test_no_value_changes_when_other_things_happen_from_the_cutoff_on(
    past: list[Purchase], future: list[Purchase], other_future: list[Purchase]
) -> None:
    cutoffs = {"ranking_1": FIRST}
    one, other = (
        world(past + later, articles="abcd", customers="xyz") for later in (future, other_future)
    )

    for features in TABLES:
        seen, seen_by_other = (getattr(w, features)(cutoffs=cutoffs) for w in (one, other))
        if features == "purchase_histories":
            # Whose rows there are depends on the week; what is in them does not.
            rows, others = (
                {row["customer_index"]: str(row) for row in table.to_pylist()}
                for table in (seen, seen_by_other)
            )
            both = rows.keys() & others.keys()
            assert {c: rows[c] for c in both} == {c: others[c] for c in both}
            weeks = [
                {who for day, who, *_ in later if FIRST <= day < FIRST + timedelta(weeks=1)}
                for later in (future, other_future)
            ]
            before = {who for _, who, *_ in past}
            lately = {who for day, who, *_ in past if day >= days_before(FIRST, 7)}
            for found, week in zip((rows, others), weeks, strict=True):
                assert {"xyz"[c] for c in found} == week & before | lately
        else:
            # NaN is equal to itself only in text.
            assert str(seen.to_pylist()) == str(seen_by_other.to_pylist())


def test_a_ranking_row_says_what_the_same_customers_row_says_in_another_split() -> None:
    days = (1, 2, 9, 16, 17, 30)
    shop = world([(days_before(WEEK, d), "x", "abc"[d % 3], 1.0) for d in days], customers="xy")
    cutoffs = {"ranking_1": WEEK - timedelta(weeks=1), "serving": WEEK - timedelta(weeks=1)}

    def without_split(row: dict[str, object]) -> dict[str, object]:
        return row | {"split": ""}

    for table in (getattr(shop, name)(cutoffs=cutoffs) for name in TABLES):
        ranking, serving = (of_split(table, split) for split in cutoffs)
        assert str(list(map(without_split, ranking))) == str(list(map(without_split, serving)))


SHOP = world(
    [
        (days_before(SECOND, 20), "x", "a", 1.0),
        (days_before(SECOND, 20), "x", "b", 1.0),
        (SECOND, "x", "c", 1.0),
        (FIRST, "x", "c", 1.0),
        (FIRST, "y", "c", 1.0),
    ]
)


def snapshot_of(
    split: str, copurchase_cutoffs: dict[str, date], streamed: bool = False
) -> Snapshot:
    near = SHOP.copurchases(copurchase_cutoffs)
    tables = dataclasses.replace(
        SHOP.feature_tables(cutoffs=ALL_CUTOFFS),
        copurchases=near.to_reader() if streamed else near,
    )
    return load_snapshot(WEEK, split, tables)


@pytest.mark.parametrize("streamed", [False, True])
def test_ranking_snapshots_share_the_earliest_copurchases(streamed: bool) -> None:
    cutoffs = CUTOFFS | {"ranking_2": SECOND}

    first = snapshot_of("ranking_1", cutoffs, streamed)
    second = snapshot_of("ranking_2", cutoffs, streamed)

    assert (first.cutoff, second.cutoff) == (FIRST, SECOND)
    assert first.copurchases.articles.tolist() == second.copurchases.articles.tolist() == [1, 0]
    assert first.histories.offsets.tolist() == [0, 3, 3]
    assert second.histories.offsets.tolist() == [0, 2, 2]
    assert first.histories.decayed.shape == (3, 3)


def test_copurchases_of_a_later_cutoff_are_refused() -> None:
    with pytest.raises(FeatureError, match=f"copurchases.*ranking_2 is of {FIRST}"):
        snapshot_of("ranking_2", CUTOFFS | {"ranking_1": FIRST})


def test_of_several_copurchases_the_latest_that_was_known_is_taken() -> None:
    both = snapshot_of("ranking_1", ALL_CUTOFFS)
    alone = snapshot_of("ranking_1", CUTOFFS | {"ranking_1": FIRST})

    assert both.copurchases.scores.tolist() == alone.copurchases.scores.tolist()


@pytest.mark.parametrize("split", ["ranking_0", "ranking_x", "ranking_", "ranking_01", "train"])
def test_a_split_that_cannot_be_is_refused(split: str) -> None:
    with pytest.raises(FeatureError, match="there is no split"):
        snapshot_of(split, CUTOFFS)
