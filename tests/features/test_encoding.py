"""What is fitted on the training split, and on nothing else."""

from __future__ import annotations

import dataclasses
import math
from datetime import timedelta

import pyarrow as pa
import pytest

from hm_platform.features.driver import fit_encoders
from hm_platform.features.encoders import SCALERS, VOCABULARIES, Scaler
from hm_platform.features.errors import FeatureError, LeakageError
from tests.features.world import CUTOFFS, Purchase, days_before, world

TRAINED = CUTOFFS["validation"]


def bought(
    article: str, times: int, customer: str = "x", price: float | None = 1.0
) -> list[Purchase]:
    return [(days_before(TRAINED, 1), customer, article, price)] * times


def test_codes_go_by_purchases_and_ties_by_name() -> None:
    shop = world(
        bought("a", 1) + bought("b", 3) + bought("c", 1),
        article_rows=[
            {"article_id": "a", "product_group_name": "zebra"},
            {"article_id": "b", "product_group_name": "middle"},
            {"article_id": "c", "product_group_name": "apple"},
        ],
    )

    assert shop.fit().vocabularies["product_group_code"] == ("middle", "apple", "zebra")


def test_what_is_never_bought_in_training_is_unknown() -> None:
    rows = [
        {"article_id": article, "section_name": f"of {article}", "department_no": 7}
        for article in "abc"
    ]
    later = [(TRAINED, "x", "b", 1.0)]
    shop = world(bought("a", 1) + later, article_rows=rows)

    fitted = shop.fit()

    assert fitted.vocabularies["section_code"] == ("of a",)
    assert fitted.vocabularies["department_code"] == ("7",)
    assert shop.article_features(fitted)["section_code"].to_pylist() == [1, 0, 0] * 3


def test_a_number_tells_categories_of_one_name_apart() -> None:
    rows = [
        {"article_id": "a", "department_no": 1, "department_name": "Blouse"},
        {"article_id": "b", "department_no": 2, "department_name": "Blouse"},
        {"article_id": "c", "department_name": "Blouse"},
    ]
    shop = world(bought("a", 3) + bought("b", 2) + bought("c", 1), article_rows=rows)

    assert shop.fit().vocabularies["department_code"] == ("1", "2", "Blouse")


def test_customers_are_weighed_by_their_purchases() -> None:
    shop = world(
        bought("a", 1, "x") + bought("a", 2, "y"),
        customer_rows=[
            {"customer_id": "x", "club_member_status": "ACTIVE"},
            {"customer_id": "y", "club_member_status": "LEFT CLUB"},
        ],
    )

    assert shop.fit().vocabularies["club_member_status_code"] == ("LEFT CLUB", "ACTIVE")


def test_the_age_scale_counts_each_training_customer_once() -> None:
    shop = world(
        bought("a", 5, "x") + bought("a", 1, "y"),
        customers=["x", "y", "idle", "no row"],
        customer_rows=[
            {"customer_id": "x", "age": 20},
            {"customer_id": "y", "age": 40},
            {"customer_id": "idle", "age": 99},
        ],
    )

    assert shop.fit().scalers["age_scaled"] == Scaler(30.0, 10.0)


def test_the_price_scale_is_of_logarithms_of_positive_prices() -> None:
    shop = world(
        bought("a", 1, price=math.e)
        + bought("a", 1, price=math.e**3)
        + bought("b", 2, price=0.0)
        + bought("b", 1, price=-4.0)
        + bought("b", 1, price=None)
        + bought("b", 1, price=math.nan)
    )

    scale = shop.fit().scalers["price_scaled"]

    assert scale.mean == pytest.approx(2, abs=1e-8)
    assert scale.std == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize("price", [None, 5.0])
def test_no_price_or_one_price_leaves_a_scale_that_can_divide(price: float | None) -> None:
    assert world(bought("a", 3, price=price)).fit().scalers["price_scaled"].std == 1.0


def test_a_shop_without_attributes_can_be_fitted() -> None:
    fitted = world(bought("a", 1)).fit()

    assert fitted.vocabularies == dict.fromkeys(VOCABULARIES, ())
    assert set(fitted.scalers) == set(SCALERS)


def test_the_order_and_the_batches_of_the_training_rows_do_not_matter() -> None:
    purchases = [
        (days_before(TRAINED, 1 + i % 50), "xy"[i % 2], "abc"[i % 3], 0.1 + i / 7)
        for i in range(500)
    ]
    shop = world(purchases, article_rows=[{"article_id": "a", "product_code": "p"}])
    backwards = shop.train.take(list(reversed(range(len(shop.train)))))
    streamed = backwards.to_reader(max_chunksize=17)

    again = dataclasses.replace(shop, train=streamed).fit()

    assert again.to_json() == shop.fit().to_json()


def test_a_training_row_on_the_cutoff_is_leakage() -> None:
    shop = world(bought("a", 2))
    late = pa.Table.from_pylist(
        [{"t_dat": TRAINED, "article_index": 0, "customer_index": 0, "price": 1.0}],
        shop.train.schema,
    )
    leaky = dataclasses.replace(shop, train=pa.concat_tables([shop.train, late]))

    with pytest.raises(LeakageError, match=rf"datasets\.train.*{TRAINED}"):
        leaky.fit()


def test_an_empty_training_split_is_an_error() -> None:
    with pytest.raises(FeatureError, match="no purchases"):
        world([]).fit()


def test_a_training_row_of_an_article_that_is_not_in_the_index_is_an_error() -> None:
    shop = world(bought("c", 2))

    with pytest.raises(FeatureError, match="article_index 2"):
        dataclasses.replace(shop, article_index=shop.article_index.slice(0, 2)).fit()


def test_a_missing_column_is_named() -> None:
    shop = world(bought("a", 1))

    with pytest.raises(FeatureError, match=r"datasets\.train has no column price"):
        dataclasses.replace(shop, train=shop.train.drop_columns(["price"])).fit()


def test_a_later_cutoff_lets_later_rows_in() -> None:
    shop = world(bought("a", 1))

    assert fit_encoders(
        TRAINED + timedelta(weeks=1),
        shop.train,
        shop.articles,
        shop.customers,
        shop.article_index,
        shop.customer_index,
    )
