"""Nothing from the cut-off on reaches a feature: a planted leak is caught."""

from __future__ import annotations

import dataclasses
import math
from datetime import date, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hm_platform.features import driver
from hm_platform.features.asof import known_before
from hm_platform.features.errors import FeatureError, LeakageError
from hm_platform.features.workspace import Workspace
from tests.features.world import (
    CUTOFFS,
    NOTHING_FITTED,
    WEEK,
    Purchase,
    World,
    days_before,
    world,
)

TABLES = {
    "article_features": "weekly_article_sales",
    "customer_features": "weekly_customer_purchases",
    "purchase_histories": "weekly_customer_article_purchases",
    "copurchases": "weekly_customer_article_purchases",
}


def plant(shop: World, table: str, week: date, last_day: date) -> World:
    """The shop with one more row: of ``week`` by its week, of ``last_day`` by its days."""
    rows: pa.Table = getattr(shop, table)
    row = rows.slice(0, 1).to_pylist()[0] | {"week": week, "last_day": last_day}
    planted = pa.concat_tables([rows, pa.Table.from_pylist([row], rows.schema)])
    return dataclasses.replace(shop, **{table: planted})


@pytest.mark.parametrize(("features", "table"), TABLES.items())
@pytest.mark.parametrize("split", CUTOFFS)
def test_a_planted_leak_is_caught(features: str, table: str, split: str) -> None:
    cutoff = CUTOFFS[split]
    shop = world([(days_before(WEEK, 30), "x", "a", 1.0)])
    leaky = plant(shop, table, week=cutoff - timedelta(weeks=1), last_day=cutoff)

    with pytest.raises(LeakageError) as caught:
        getattr(leaky, features)(cutoffs={split: cutoff})

    message = str(caught.value)
    assert f"marts.{table}" in message
    assert f"of {cutoff}," in message
    assert f"cut-off is {cutoff}" in message


@pytest.mark.parametrize(("features", "table"), TABLES.items())
def test_the_first_offending_day_is_named(features: str, table: str) -> None:
    shop = world([(days_before(WEEK, 30), "x", "a", 1.0)])
    week = days_before(WEEK, 7)
    leaky = plant(plant(shop, table, week, date(2021, 5, 5)), table, week, date(2021, 4, 4))

    with pytest.raises(LeakageError, match="tells of 2021-04-04"):
        getattr(leaky, features)(cutoffs={"test": WEEK})


def test_streams_report_a_leak_before_they_are_read() -> None:
    shop = world([(days_before(WEEK, 30), "x", "a", 1.0)])
    table = "weekly_customer_article_purchases"
    leaky = plant(shop, table, days_before(WEEK, 7), WEEK)
    tables = (leaky.article_index, leaky.customer_index, getattr(leaky, table))

    with pytest.raises(LeakageError):
        driver.purchase_histories(WEEK, CUTOFFS, *tables)
    with pytest.raises(LeakageError):
        driver.copurchases(WEEK, CUTOFFS, *tables)


def test_a_query_that_forgets_the_cutoff_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = world([(days_before(WEEK, 3), "x", "a", 1.0)])
    honest = Workspace.article_sales
    monkeypatch.setattr(
        Workspace, "article_sales", lambda self, cutoff: honest(self, CUTOFFS["serving"])
    )

    with pytest.raises(LeakageError, match=r"weekly_article_sales.*2020-09-13.*2020-09-09"):
        shop.article_features(NOTHING_FITTED)


@pytest.mark.parametrize("query", ["visits", "baskets"])
def test_a_stream_whose_query_forgets_the_cutoff_is_caught_while_it_is_read(
    monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    shop = world([(days_before(WEEK, 3), "x", article, 1.0) for article in "ab"])
    honest = getattr(Workspace, query)
    monkeypatch.setattr(
        Workspace,
        query,
        lambda self, cutoff, *rest, **more: honest(self, CUTOFFS["serving"], *rest, **more),
    )
    features = shop.purchase_histories if query == "visits" else shop.copurchases

    with pytest.raises(LeakageError, match=r"customer_article_purchases.*2020-09-13.*2020-09-09"):
        features({"validation": CUTOFFS["validation"], "serving": CUTOFFS["serving"]})


def test_a_row_that_does_not_say_its_day_is_refused() -> None:
    rows = pa.table({"last_day": pa.array([None], pa.date32())})

    with pytest.raises(FeatureError, match="no last_day"):
        known_before("marts.any", rows, WEEK, "last_day")


def test_a_missing_whole_number_is_refused_and_a_missing_price_is_nan() -> None:
    rows = pa.table(
        {
            "last_day": pa.array([days_before(WEEK, 1)], pa.date32()),
            "price": pa.array([None], pa.float64()),
        }
    )

    inputs = known_before("marts.any", rows, WEEK, "last_day")
    assert str(inputs["price"]) == "[nan]"
    assert inputs["last_day"].dtype == "datetime64[D]"
    with pytest.raises(FeatureError, match="no purchases"):
        known_before(
            "marts.any",
            rows.append_column("purchases", pa.array([None], pa.int32())),
            WEEK,
            "last_day",
        )


def test_a_cutoff_in_the_middle_of_a_week_is_refused() -> None:
    shop = world([(days_before(WEEK, 30), "x", "a", 1.0)])

    with pytest.raises(FeatureError, match="split test, 2020-09-15"):
        shop.article_features(cutoffs={"test": days_before(WEEK, 1)})


def purchases(first: int, last: int) -> st.SearchStrategy[list[Purchase]]:
    """Purchases from ``first`` to ``last`` days before WEEK (negative: after it)."""
    purchase = st.tuples(
        st.integers(last, first).map(lambda days: days_before(WEEK, days)),
        st.sampled_from("xyz"),
        st.sampled_from("abcd"),
        st.one_of(st.none(), st.sampled_from([0.0, 0.5, 2.0, 9.0])),
        st.sampled_from([1, 2]),
    )
    return st.lists(purchase, max_size=25)


@settings(max_examples=12)
@given(past=purchases(80, 1), future=purchases(0, -20), other_future=purchases(0, -20))
def test_what_happens_from_the_cutoff_on_changes_nothing(
    past: list[Purchase], future: list[Purchase], other_future: list[Purchase]
) -> None:
    cutoffs = {split: CUTOFFS[split] for split in ("validation", "test")}
    one, other = (
        world(past + later, articles="abcd", customers="xyz") for later in (future, other_future)
    )

    for features in TABLES:
        seen, seen_by_other = (getattr(w, features)(cutoffs=cutoffs) for w in (one, other))
        # NaN is equal to itself only in text.
        assert str(seen.to_pylist()) == str(seen_by_other.to_pylist())


@settings(max_examples=12)
@given(past=purchases(60, 8), future=purchases(7, -20))
def test_what_is_fitted_does_not_see_the_validation_week(
    past: list[Purchase], future: list[Purchase]
) -> None:
    past = [(days_before(WEEK, 60), "x", "a", 1.0), *past]
    rows = {"article_rows": [{"article_id": a, "index_code": a} for a in "abcd"]}
    one, other = (world(p, "abcd", "xyz", **rows) for p in (past, past + future))

    assert one.fit() == other.fit()


@settings(max_examples=12)
@given(past=purchases(80, -6))
def test_features_are_what_the_purchases_say(past: list[Purchase]) -> None:
    shop = world(past, articles="abcd", customers="xyz")
    articles, customers = shop.article_features(), shop.customer_features()

    for row in articles.to_pylist():
        bought = [
            ((row["cutoff"] - day).days, channel == 2)
            for day, _, article, _, channel in past
            if article == row["article_id"] and day < row["cutoff"]
        ]
        ages = [age for age, _ in bought]
        assert row["purchases_total"] == len(ages)
        assert row["purchases_last_week"] == sum(age <= 7 for age in ages)
        assert row["purchases_last_4_weeks"] == sum(age <= 28 for age in ages)
        online = [online for age, online in bought if age <= 28]
        share = sum(online) / len(online) if online else math.nan
        assert row["online_share_last_4_weeks"] == pytest.approx(share, nan_ok=True)
        assert row["days_since_first_sale"] == max(ages, default=-1)
        assert row["days_since_last_sale"] == min(ages, default=-1)
        by_buyer: dict[str, set[int]] = {}
        for day, customer, article, *_ in past:
            if article == row["article_id"] and day < row["cutoff"]:
                by_buyer.setdefault(customer, set()).add((row["cutoff"] - day).days)
        buyers = list(by_buyer.values())
        n, days = len(buyers), sum(map(len, buyers))
        span = sum(max(buyer) - min(buyer) for buyer in buyers)
        earlier = [buyer for buyer in buyers if max(buyer) > 28]
        returned = sum(min(buyer) <= 28 for buyer in earlier)
        assert row["buyers_total"] == n
        assert row["buyers_last_week"] == sum(min(buyer) <= 7 for buyer in buyers)
        assert row["buyers_last_4_weeks"] == sum(min(buyer) <= 28 for buyer in buyers)
        repeat = sum(len(buyer) > 1 for buyer in buyers)
        numbers = {
            "days_per_buyer": days / n if n else 0,
            "repeat_buyers_share": (repeat + 0.5) / (n + 2),
            "mean_gap_days": (span + 30) / (days - n + 1),
            "repurchase_rate_4_weeks": (returned + 0.3) / (len(earlier) + 10),
        }
        assert {name: row[name] for name in numbers} == pytest.approx(numbers)
    for row in customers.to_pylist():
        bought = [
            ((row["cutoff"] - day).days, channel == 2)
            for day, customer, _, _, channel in past
            if customer == row["customer_id"] and day < row["cutoff"]
        ]
        ages = [age for age, _ in bought]
        share = sum(online for _, online in bought) / len(bought) if bought else math.nan
        assert row["online_share"] == pytest.approx(share, nan_ok=True)
        assert row["purchases_total"] == len(ages)
        assert row["purchases_last_4_weeks"] == sum(age <= 28 for age in ages)
        assert row["days_since_last_purchase"] == min(ages, default=-1)
        assert row["shopping_days_total"] == len(set(ages))
        assert row["shopping_days_last_4_weeks"] == sum(age <= 28 for age in set(ages))
        # Days are exact but for weeks with more than two of them: there, by a few days.
        decayed = sum(2 ** (-age / 180) for age in set(ages))
        assert row["decayed_shopping_days_180"] == pytest.approx(decayed, rel=0.02)
