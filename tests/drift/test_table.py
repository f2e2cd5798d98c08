"""Drift of a week: changes that were planted are found, and a shop that is the same stays quiet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from hm_platform.drift.quantities import FEATURES, PURCHASES, VOLUMES
from hm_platform.drift.table import SCHEMA, drift_table
from tests.drift.shop import (
    PURCHASES as COLUMNS,
)
from tests.drift.shop import (
    Change,
    measured,
    no_features,
    outcomes,
    purchases,
    sales,
    week,
)

WEEKS = 9
LAST = week(WEEKS - 1)


def times(column: str, factor: float) -> Change:
    def change(columns: dict[str, Any]) -> None:
        columns[column] = columns[column] * factor

    return change


def only(column: str, value: object) -> Change:
    def change(columns: dict[str, Any]) -> None:
        columns[column] = pa.array([value] * len(columns[column]), COLUMNS.field(column).type)

    return change


def older(columns: dict[str, Any]) -> None:
    columns["age"] = columns["age"] + 15


@pytest.mark.parametrize(
    ("change", "quantity", "detail"),
    [
        pytest.param(times("price", 100), "price", "over", id="prices in another unit"),
        pytest.param(times("price", 0.01), "price", "under", id="prices a hundredth"),
        pytest.param(only("price", None), "price", "unknown: 0.0% before, 100.0% now", id="none"),
        pytest.param(only("sales_channel_id", 1), "sales_channel", "online", id="channel gone"),
        pytest.param(only("sales_channel_id", None), "sales_channel", "unknown", id="no channel"),
        pytest.param(older, "age", "", id="ages shifted"),
        pytest.param(only("age", None), "age", "", id="no ages"),
        pytest.param(only("t_dat", LAST), "day_of_week", "Wednesday", id="all on one day"),
        pytest.param(only("has_article", False), "articles_without_catalogue", "", id="catalogue"),
        pytest.param(only("has_customer", False), "customers_without_record", "", id="customers"),
        pytest.param(only("club_member_status", "X"), "club_status", "others", id="new status"),
        pytest.param(only("product_group_name", "Y"), "product_group", "others", id="new group"),
    ],
)
def test_a_planted_change_is_found_and_nothing_else(
    change: Change, quantity: str, detail: str
) -> None:
    found = measured(purchases(1, WEEKS, change=change), LAST)
    assert outcomes(found, "failed") == {quantity}
    row = found[quantity, "stability_index"]
    assert row["value"] > 2 * row["threshold"]
    assert detail in row["detail"]
    assert row["reference_weeks"] == 8


@pytest.mark.parametrize("buyers", [20, 300])
def test_a_shop_that_stays_the_same_is_quiet(buyers: int) -> None:
    failed = [
        (seed, outcomes(measured(purchases(seed, WEEKS, buyers), LAST), "failed"))
        for seed in range(30)
    ]
    assert [(seed, what) for seed, what in failed if what] == []


@pytest.mark.parametrize(("buyers", "quantities"), [(100, {"purchases", "buyers"}), (300, set())])
def test_far_fewer_purchases_are_seen(buyers: int, quantities: set[str]) -> None:
    before = purchases(1, WEEKS - 1)
    last = purchases(2, WEEKS, buyers).filter(pc.field("week") == LAST)
    found = measured(pa.concat_tables([before, last]), LAST)
    assert outcomes(found, "failed") == quantities
    row = found["buyers", "number"]
    assert row["value"] == len(last["customer_id"].unique())
    assert len(row["weeks_before"]) == 8


def test_numbers_by_hand() -> None:
    def bought(number: int, n: int, price: float) -> list[dict[str, Any]]:
        return [
            {"week": week(number), "t_dat": week(number), "customer_id": str(i % 2),
             "article_id": "1", "price": price, "has_article": True, "has_customer": True}
            for i in range(n)
        ]  # fmt: skip

    rows = [*bought(0, 2, 1), *bought(1, 4, 2), *bought(2, 3, 3), *bought(3, 6, 4)]
    found = measured(pa.Table.from_pylist(rows, COLUMNS), week(3))
    assert found["purchases", "ratio"]["value"] == 2.0
    assert found["purchases", "ratio"]["threshold"] == 1.5
    assert found["purchases", "ratio"]["outcome"] == "failed"
    assert found["purchases", "ratio"]["detail"] == "3 before, 6 now"
    assert found["buyers", "ratio"]["value"] == 1.0
    assert found["price", "median"]["value"] == 4.0
    assert [each["value"] for each in found["price", "median"]["weeks_before"]] == [1.0, 2.0, 3.0]
    assert found["purchases_each", "mean"]["value"] == 3.0


def test_the_order_of_the_rows_does_not_matter() -> None:
    rows = purchases(3, 5, 50)
    order = np.random.default_rng(0).permutation(len(rows))
    assert measured(rows.take(order), week(4)) == measured(rows, week(4))


def test_only_the_eight_weeks_before_count() -> None:
    rows = purchases(4, 12, 50)
    recent = rows.filter(pc.field("week") >= week(3))
    different = rows.filter(pc.field("week") < week(3))
    at = different.column_names.index("price")
    different = different.set_column(at, "price", pc.multiply(different["price"], 50))
    old, without = (
        measured(pa.concat_tables([different, recent]), week(11)),
        measured(recent, week(11)),
    )
    # What is new depends on all that was sold before.
    assert {k: v for k, v in old.items() if k[0] != "new_articles"} == {
        k: v for k, v in without.items() if k[0] != "new_articles"
    }


def test_what_comes_after_the_week_is_not_known() -> None:
    rows = purchases(4, 6, 50)
    early = rows.filter(pc.field("week") <= week(4))
    assert measured(rows, week(4)) == measured(early, week(4))


@pytest.mark.parametrize("weeks", [1, 2, 3])
def test_the_first_weeks_of_a_shop_are_not_judged(weeks: int) -> None:
    found = measured(purchases(5, weeks, change=times("price", 100)), week(weeks - 1))
    assert outcomes(found, "failed") == outcomes(found, "passed") == set()
    assert all(row["threshold"] is None for row in found.values())
    price = found["price", "stability_index"]
    assert price["outcome"] == ("not measured" if weeks == 1 else "reported")
    assert (price["value"] is None) == (weeks == 1)


def test_a_week_without_purchases_is_seen_by_its_numbers_alone() -> None:
    found = measured(purchases(6, 5), week(5))
    assert outcomes(found, "failed") == {"purchases", "buyers"}
    assert found["purchases", "ratio"]["value"] == 0
    assert found["price", "stability_index"]["outcome"] == "not measured"
    assert found["price", "stability_index"]["count"] == 0


def test_a_gap_of_weeks_leaves_those_that_have_purchases() -> None:
    rows = purchases(7, WEEKS)
    kept = rows.filter(~pc.field("week").isin([week(2), week(3), week(6)]))
    found = measured(kept, LAST)
    assert {row["reference_weeks"] for (q, _), row in found.items() if q == "price"} == {5}


def test_nothing_at_all() -> None:
    empty = COLUMNS.empty_table()
    found = drift_table(LAST, empty, sales(empty), no_features())
    assert found.schema == SCHEMA
    assert set(found["outcome"].to_pylist()) == {"not measured", "reported"}


def test_nothing_known_of_anything() -> None:
    rows = purchases(8, 5)
    columns = {
        name: rows[name]
        if name in {"week", "t_dat", "customer_id", "article_id", "has_article", "has_customer"}
        else pa.nulls(len(rows), COLUMNS.field(name).type)
        for name in COLUMNS.names
    }
    found = measured(pa.table(columns, schema=COLUMNS), week(4))
    assert outcomes(found, "failed") == set()
    assert found["price", "stability_index"]["value"] == 0
    assert ("price", "median") not in found


def test_what_was_unknown_and_is_not_any_more_is_a_change() -> None:
    rows = purchases(8, 5)
    at = rows.column_names.index("price")
    before = rows.filter(pc.field("week") < week(4))
    before = before.set_column(at, "price", pa.nulls(len(before), pa.float64()))
    now = rows.filter(pc.field("week") == week(4))
    found = measured(pa.concat_tables([before, now]), week(4))
    assert outcomes(found, "failed") == {"price"}


def test_new_articles_are_judged_once_it_is_known_what_was_sold() -> None:
    rows = purchases(9, 18)
    renamed = pc.if_else(
        pc.equal(rows["week"], week(17)),
        pc.binary_join_element_wise("new", rows["article_id"], "-"),
        rows["article_id"],
    )
    changed = rows.set_column(rows.column_names.index("article_id"), "article_id", renamed)
    row = measured(changed, week(17))["new_articles", "stability_index"]
    assert row["outcome"] == "failed"
    assert row["detail"] == "yes: 0.0% before, 100.0% now" or row["detail"].startswith("no: ")
    assert row["reference_weeks"] == 5
    young = measured(changed, week(11))["new_articles", "stability_index"]
    assert young["outcome"] == "not measured"


def test_every_quantity_has_a_row_in_every_week() -> None:
    found = measured(purchases(10, 4, 20), week(3))
    names = {each.name for each in VOLUMES} | {each.name for each in (*PURCHASES, *FEATURES)}
    assert {quantity for quantity, _ in found} == names
