"""From tables to a snapshot: the same numbers, in the same rows, or a clear error."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from hm_platform.features.errors import FeatureError
from hm_platform.features.loading import load_snapshot, load_snapshots
from hm_platform.features.snapshot import Snapshot
from tests.features.world import CUTOFFS, WEEK, days_before, world

SHOP = world(
    [
        (days_before(WEEK, 2), "y", "b", 2.0),
        (days_before(WEEK, 2), "y", "a", 2.0),
        (days_before(WEEK, 20), "y", "a", 2.0),
        (days_before(WEEK, -2), "z", "c", None),
    ],
    customers="xyz",
    customer_rows=[{"customer_id": "y", "age": 30}],
)
TABLES = SHOP.feature_tables()


def load(split: str = "test", **changed: Any) -> Snapshot:
    return load_snapshot(WEEK, split, replace(TABLES, **changed))


def of_test(table: pa.Table) -> pa.Table:
    return table.filter(pc.equal(table["split"], "test"))


def same(one: Snapshot, other: Snapshot) -> bool:
    arrays = [
        {**vars(s.histories), **vars(s.copurchases), **s.articles, **s.customers}
        for s in (one, other)
    ]
    np.testing.assert_equal(*arrays)
    return one.article_ids.equals(other.article_ids)


def test_a_snapshot_holds_what_the_tables_say() -> None:
    snapshot = load()

    assert (snapshot.week, snapshot.split, snapshot.cutoff) == (WEEK, "test", WEEK)
    assert (snapshot.n_articles, snapshot.n_customers) == (3, 3)
    assert snapshot.customer_ids.to_pylist() == ["x", "y", "z"]
    assert snapshot.articles["purchases_total"].tolist() == [2, 1, 0]
    assert snapshot.customers["purchases_total"].tolist() == [0, 3, 0]
    assert snapshot.histories.offsets.tolist() == [0, 0, 2, 2]
    assert snapshot.histories.articles.tolist() == [0, 1]
    assert snapshot.histories.purchases.tolist() == [2, 1]
    assert snapshot.histories.days_since_first.tolist() == [20, 2]
    assert snapshot.copurchases.offsets.tolist() == [0, 1, 2, 2]
    assert snapshot.copurchases.articles.tolist() == [1, 0]
    assert np.isnan(snapshot.articles["mean_price"][2])


def test_types_are_those_of_the_contract() -> None:
    snapshot = load()

    assert snapshot.histories.offsets.dtype == snapshot.copurchases.offsets.dtype == np.int64
    assert snapshot.histories.articles.dtype == np.int32
    assert snapshot.copurchases.scores.dtype == np.float32
    assert snapshot.articles["index_code"].dtype == np.int32
    assert snapshot.customers["age_scaled"].dtype == np.float32


@pytest.mark.parametrize("split", CUTOFFS)
def test_each_split_has_its_own_cutoff(split: str) -> None:
    snapshot = load(split)

    assert snapshot.cutoff == CUTOFFS[split]
    assert snapshot.articles["purchases_total"].sum() == {"validation": 1, "test": 3}.get(split, 4)
    assert len(snapshot.histories.articles) == {"validation": 1, "test": 2}.get(split, 3)


def test_the_order_and_the_chunks_of_the_tables_do_not_matter() -> None:
    def scattered(table: pa.Table) -> pa.Table:
        return pa.concat_tables(table.slice(i, 1) for i in reversed(range(len(table))))

    assert same(load(), load(**{name: scattered(table) for name, table in vars(TABLES).items()}))


def test_streams_will_do_for_what_is_large() -> None:
    streams = {
        name: getattr(TABLES, name).to_reader(max_chunksize=1)
        for name in ("purchase_histories", "copurchases")
    }

    assert same(load(), load(**streams))


def test_arrays_share_memory_with_a_table_of_one_split() -> None:
    only = {
        name: of_test(getattr(TABLES, name)).combine_chunks()
        for name in ("articles", "purchase_histories")
    }

    snapshot = load(**only)

    for array, column in (
        (
            snapshot.articles["purchases_total"],
            only["articles"]["purchases_total"].chunk(0),
        ),
        (
            snapshot.histories.articles,
            only["purchase_histories"]["articles"].chunk(0).flatten(),
        ),
    ):
        assert np.shares_memory(array, column.to_numpy())


def test_what_is_the_same_at_two_cut_offs_is_held_once() -> None:
    test, serving = load_snapshots(WEEK, ["test", "serving"], TABLES)
    assert same(test, load("test"))
    assert same(serving, load("serving"))
    assert test.customers["age_band_code"] is serving.customers["age_band_code"]
    assert test.customers["purchases_total"] is not serving.customers["purchases_total"]


def test_an_id_that_is_not_that_of_its_number_is_refused_from_a_stream_too() -> None:
    features = TABLES.customers
    at = features.column_names.index("customer_id")
    ids = pa.array(["y" if each == "x" else each for each in features["customer_id"].to_pylist()])
    swapped = features.set_column(at, "customer_id", ids)
    for rows in (swapped, swapped.to_reader(2)):
        with pytest.raises(FeatureError, match="another id"):
            load(customers=rows)


def test_how_many_were_in_training_is_taken_from_the_indices() -> None:
    trained = SHOP.article_index.set_column(3, "in_training", pa.array([True, False, False]))

    snapshot = load(article_index=trained)

    assert (snapshot.training_articles, snapshot.training_customers) == (1, 3)


def replaced(table: str, column: str, values: list[Any]) -> pa.Table:
    rows = of_test(getattr(TABLES, table))
    place = rows.schema.get_field_index(column)
    return rows.set_column(place, column, pa.array(values, rows.schema.field(column).type))


@pytest.mark.parametrize(
    ("table", "column", "values", "message"),
    [
        ("articles", "article_id", ["a", "c", "b"], "row i must be the article"),
        ("articles", "article_index", [0, 1, 3], "row i must be the article"),
        ("customers", "customer_id", ["y", "x", "z"], "row i must be the customer"),
        ("articles", "purchases_total", [1, None, 2], "1 nulls in purchases_total"),
        ("customers", "cutoff", [date(2020, 1, 1)] * 3, "different cut-offs"),
        ("copurchases", "cutoff", [date(2020, 1, 1)] * 2, "not of the cut-off"),
        ("copurchases", "article_index", [0, 0], "distinct and below 3"),
        ("copurchases", "article_index", [0, 3], "distinct and below 3"),
        ("copurchases", "neighbours", [[1], [3]], "neighbours holds an index"),
        ("copurchases", "scores", [[1.0], [1.0, 1.0]], "scores does not have an element"),
        ("purchase_histories", "days", [[1, None]], "days does not have an element"),
        ("purchase_histories", "articles", [[0, -1]], "articles holds an index"),
        ("articles", "split", ["serving"] * 3, "no rows for week 2020-09-16, split test"),
    ],
)
def test_what_does_not_fit_is_refused(
    table: str, column: str, values: list[Any], message: str
) -> None:
    with pytest.raises(FeatureError, match=message):
        load(**{table: replaced(table, column, values)})


def test_a_missing_feature_is_named() -> None:
    with pytest.raises(FeatureError, match=r"features/articles has no column index_code"):
        load(articles=TABLES.articles.drop_columns(["index_code"]))


def test_an_index_with_a_gap_or_with_training_last_is_refused() -> None:
    index = SHOP.article_index

    with pytest.raises(FeatureError, match="numbers are not 0 to 1"):
        load(article_index=index.filter(pc.not_equal(index["article_index"], 1)))
    with pytest.raises(FeatureError, match="does not come first"):
        load(article_index=index.set_column(3, "in_training", pa.array([False, True, True])))


def test_an_unknown_split_is_named() -> None:
    with pytest.raises(FeatureError, match="'train'"):
        load("train")


def test_a_shop_without_purchases_is_a_snapshot_too() -> None:
    snapshot = load_snapshot(WEEK, "serving", world([]).feature_tables())

    assert snapshot.histories.lengths().tolist() == [0, 0]
    assert snapshot.copurchases.offsets.tolist() == [0, 0, 0, 0]
    assert snapshot.copurchases.scores.dtype == np.float32
