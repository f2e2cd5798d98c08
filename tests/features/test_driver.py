"""The driver as a whole: odd shops, wrong inputs, the same bytes, and size."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from datetime import timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from hm_platform.features import driver, workspace
from hm_platform.features.driver.pairs import NEIGHBOURS_EACH
from hm_platform.features.errors import FeatureError
from tests.features.world import (
    CUTOFFS,
    NOTHING_FITTED,
    WEEK,
    Purchase,
    World,
    catalogue_rows,
    days_before,
    index,
    of_split,
    world,
)

FEATURES = ("article_features", "customer_features", "purchase_histories", "copurchases")


def test_every_split_has_a_row_for_every_entity_in_the_order_of_their_numbers() -> None:
    shop = world([(days_before(WEEK, 1), "x", "a", 1.0)])
    backwards = dataclasses.replace(
        shop,
        article_index=shop.article_index.take([2, 0, 1]),
        customer_index=shop.customer_index.take([1, 0]),
    )

    articles, customers = backwards.article_features(), backwards.customer_features()

    assert articles["split"].to_pylist() == [split for split in CUTOFFS for _ in range(3)]
    assert articles["cutoff"].to_pylist() == [day for day in CUTOFFS.values() for _ in range(3)]
    assert articles["article_index"].to_pylist() == [0, 1, 2] * 3
    assert articles["article_id"].to_pylist() == ["a", "b", "c"] * 3
    assert customers["customer_id"].to_pylist() == ["x", "y"] * 3


def test_one_customer_and_one_article_without_price_or_attributes() -> None:
    shop = world([(days_before(WEEK, 20), "x", "a", None)], articles=["a"], customers=["x"])
    encoders = shop.fit()

    (article,) = of_split(shop.article_features(encoders), "test")
    (customer,) = of_split(shop.customer_features(encoders), "test")

    assert article["price_scaled"] == 0
    assert np.isnan(article["mean_price"])
    assert [article[name] for name in article if name.endswith("_code")] == [0] * 10
    assert [customer[name] for name in customer if name.endswith("_code")] == [0] * 6
    assert customer["age_scaled"] == 0


def test_entities_without_a_catalogue_row_are_there_with_unknown_attributes() -> None:
    shop = world(
        [(days_before(WEEK, 20), "x", article, 1.0) for article in "ab"],
        article_rows=[{"article_id": "b", "index_code": "L"}],
        customer_rows=[{"customer_id": "y", "age": 41, "is_active": True}],
    )
    encoders = shop.fit()

    articles = of_split(shop.article_features(encoders), "test")
    customers = of_split(shop.customer_features(encoders), "test")

    assert [row["index_code"] for row in articles] == [0, 1, 0]
    assert [row["purchases_total"] for row in articles] == [1, 1, 0]
    assert [row["age_band_code"] for row in customers] == [0, 4]
    assert [row["is_active_code"] for row in customers] == [0, 2]


def test_weeks_without_sales_leave_the_rest_as_it_is() -> None:
    shop = world([(days_before(WEEK, 40), "x", "a", 1.0)])

    (row, *_) = of_split(shop.article_features(), "serving")

    assert (row["purchases_total"], row["purchases_last_4_weeks"]) == (1, 0)
    assert row["days_since_last_sale"] == 47


def test_customers_outside_the_index_are_left_out_and_articles_sales_are_not() -> None:
    shop = world([(days_before(WEEK, 2), customer, "a", 1.0) for customer in ("x", "y", "other")])

    assert of_split(shop.article_features(), "test")[0]["purchases_total"] == 3
    assert shop.customer_features()["purchases_total"].to_pylist()[2:4] == [1, 1]
    assert [row["customer_index"] for row in of_split(shop.purchase_histories(), "test")] == [0, 1]


@pytest.mark.parametrize("features", ["article_features", "purchase_histories", "copurchases"])
def test_sales_of_an_article_outside_the_index_are_an_error(features: str) -> None:
    shop = world([(days_before(WEEK, 2), "x", "new", 1.0)])

    with pytest.raises(FeatureError, match="datasets/article_index does not have"):
        getattr(shop, features)()


@pytest.mark.parametrize("features", FEATURES)
def test_sales_after_the_last_cutoff_may_be_of_anything(features: str) -> None:
    shop = world([(CUTOFFS["serving"] + timedelta(days=1), "x", "new", 1.0)])

    table = getattr(shop, features)()

    assert table.num_rows == {"article_features": 9, "customer_features": 6}.get(features, 0)


def test_an_index_that_is_no_numbering_is_refused() -> None:
    shop = world([])
    twice = index("article", ["a", "a"], 2)

    with pytest.raises(FeatureError, match="datasets/article_index is not a numbering"):
        dataclasses.replace(shop, article_index=twice).article_features()
    with pytest.raises(FeatureError, match="datasets/customer_index is not a numbering"):
        dataclasses.replace(
            shop, customer_index=shop.customer_index.slice(1, 1)
        ).customer_features()


def test_a_catalogue_with_an_article_twice_is_refused() -> None:
    shop = world([])
    rows = catalogue_rows(shop.articles.schema, [{"article_id": "a"}] * 2)

    with pytest.raises(FeatureError, match=r"staging\.stg_articles has more than one row"):
        dataclasses.replace(shop, articles=rows).article_features()


def test_a_missing_column_is_named() -> None:
    shop = world([])
    sales = shop.weekly_article_sales.drop_columns(["mean_price"])

    with pytest.raises(FeatureError, match=r"marts\.weekly_article_sales has no .* mean_price"):
        dataclasses.replace(shop, weekly_article_sales=sales).article_features()


def test_shares_bought_online_are_those_of_the_purchases_before_the_cutoff() -> None:
    known: list[Purchase] = [
        (days_before(WEEK, 30), "x", "a", 1.0, 1),
        (days_before(WEEK, 10), "x", "a", 1.0, 2),
        (days_before(WEEK, 10), "y", "b", 1.0, 1),
    ]
    later: list[Purchase] = [(WEEK, "x", "a", 1.0, 2), (WEEK, "z", "b", 1.0, 2)]

    for purchases in (known, known + later):
        shop = world(purchases, customers="xyz")
        articles, customers = (
            of_split(table, "test") for table in (shop.article_features(), shop.customer_features())
        )

        shares = [row["online_share_last_4_weeks"] for row in articles]
        assert shares == pytest.approx([1, 0, np.nan], nan_ok=True)
        assert [row["online_share"] for row in customers] == pytest.approx(
            [0.5, 0, np.nan], nan_ok=True
        )


def test_no_split_is_an_error() -> None:
    with pytest.raises(FeatureError, match="no split"):
        world([]).article_features(NOTHING_FITTED, {})


def busy_shop(purchases: int, articles: int, customers: int) -> World:
    """A shop with that many purchases over 20 weeks, drawn from a fixed seed."""
    random = np.random.default_rng(0)
    names = [f"{i:07}" for i in range(articles)], [f"{i:064x}" for i in range(customers)]
    shop = world([], *names)
    columns = {
        "week": np.datetime64(WEEK) - 7 * random.integers(1, 21, purchases),
        "article": random.integers(0, articles, purchases) ** 2 // articles,
        "customer": random.integers(0, customers, purchases),
        "price": random.random(purchases),
    }
    with duckdb.connect() as db:
        db.register("drawn", pa.table(columns))
        db.register("articles", shop.article_index)
        db.register("customers", shop.customer_index)
        db.execute(
            "CREATE TABLE bought AS SELECT drawn.week, article_id, customer_id, price FROM drawn "
            "JOIN articles ON article = article_index JOIN customers ON customer = customer_index"
        )

        def weekly(columns: str) -> pa.Table:
            return db.execute(
                f"SELECT week, {columns}, count(*)::INTEGER AS purchases, "
                "(count(*) // 2)::INTEGER AS purchases_online, week AS first_day, "
                "week + 2 AS last_day FROM bought GROUP BY ALL ORDER BY ALL"
            ).to_arrow_table()

        return dataclasses.replace(
            shop,
            weekly_article_sales=weekly(
                "article_id, (sum(price::DECIMAL(18, 9)) / count(*))::DOUBLE AS mean_price"
            ),
            weekly_customer_purchases=weekly("customer_id, 1 AS days"),
            weekly_customer_article_purchases=weekly("customer_id, article_id, 1 AS days"),
        )


def test_the_same_rows_in_any_order_and_batches_give_the_same_bytes() -> None:
    shop = busy_shop(5_000, 60, 40)
    random = np.random.default_rng(1)

    def shuffled(table: pa.Table) -> pa.RecordBatchReader:
        return table.take(random.permutation(len(table))).to_reader(max_chunksize=97)

    for features in FEATURES:
        again = dataclasses.replace(
            shop,
            weekly_article_sales=shuffled(shop.weekly_article_sales),
            weekly_customer_purchases=shuffled(shop.weekly_customer_purchases),
            weekly_customer_article_purchases=shuffled(shop.weekly_customer_article_purchases),
        )
        one, other = (getattr(w, features)().combine_chunks().to_batches() for w in (shop, again))
        assert [bytes(b.serialize()) for b in one] == [bytes(b.serialize()) for b in other]


def test_prices_are_added_up_in_the_order_of_the_weeks() -> None:
    # In any other order the 1 is lost.
    days = [days_before(WEEK, 7 * weeks) for weeks in (3, 2, 1)]
    shop = world(
        [(day, "x", "a", price) for day, price in zip(days, [1e17, -1e17, 1], strict=True)]
    )
    backwards = shop.weekly_article_sales.take([1, 2, 0])

    for sales in (shop.weekly_article_sales, backwards):
        table = dataclasses.replace(shop, weekly_article_sales=sales).article_features()
        assert of_split(table, "serving")[0]["mean_price"] == pytest.approx(1 / 3)


def test_a_hundred_thousand_rows_go_through() -> None:
    shop = busy_shop(100_000, 5_000, 2_000)

    articles, histories, pairs = (
        shop.article_features(),
        shop.purchase_histories(),
        shop.copurchases(),
    )

    test = articles.filter(pc.equal(articles["split"], "test"))
    assert pc.sum(test["purchases_total"]).as_py() == 100_000
    bought = [sum(row["purchases"]) for row in of_split(histories, "test")]
    assert sum(bought) == 100_000
    assert all(len(row["neighbours"]) <= NEIGHBOURS_EACH for row in of_split(pairs, "test"))


def test_streams_go_straight_into_a_database() -> None:
    shop = world([(days_before(WEEK, 2), "x", article, 1.0) for article in "ab"])
    tables = (shop.article_index, shop.customer_index, shop.weekly_customer_article_purchases)
    with duckdb.connect() as db:
        db.register("histories", driver.purchase_histories(WEEK, CUTOFFS, *tables))
        db.register("pairs", driver.copurchases(WEEK, CUTOFFS, *tables))

        assert db.execute("SELECT split, articles FROM histories").fetchall() == [
            ("test", [0, 1]),
            ("serving", [0, 1]),
        ]
        assert db.execute("SELECT neighbours FROM pairs WHERE split = 'test'").fetchall() == [
            ([1],),
            ([0],),
        ]


def test_another_models_encoders_give_its_view_of_the_same_tables() -> None:
    shop = world(
        [(days_before(WEEK, 30), "x", article, 1.0) for article in "aab"],
        article_rows=[{"article_id": a, "index_code": a} for a in "abc"],
    )
    older = dataclasses.replace(
        NOTHING_FITTED, vocabularies=NOTHING_FITTED.vocabularies | {"index_code": ("c", "b")}
    )

    now = {"serving": CUTOFFS["serving"]}

    assert shop.article_features(shop.fit(), now)["index_code"].to_pylist() == [1, 2, 0]
    assert shop.article_features(older, now)["index_code"].to_pylist() == [0, 2, 1]


@pytest.mark.parametrize("module", ["snapshot", "loading", "encoders", "catalogue"])
def test_what_a_model_needs_does_not_import_hamilton(module: str) -> None:
    code = (
        f"import sys, hm_platform.features.{module}; "
        "sys.exit(any(m.split('.')[0] in ('hamilton', 'pandas', 'dagster') for m in sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_features_of_blocks_of_customers_are_those_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = busy_shop(3_000, 200, 50)
    whole = shop.customer_features()
    monkeypatch.setattr(workspace, "_ROWS_AT_ONCE", 100)
    blocks = shop.customer_features()
    assert blocks.equals(whole)
    assert blocks["age_scaled"].num_chunks > 2 * whole["age_scaled"].num_chunks
