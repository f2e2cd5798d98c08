"""The columns as read from the source text, against Hamilton's own graph and the tables."""

from __future__ import annotations

import pyarrow as pa
import pytest

from hm_platform.features import catalogue
from hm_platform.features.errors import FeatureError
from hm_platform.features.graphs import MODULES, graph
from tests.features.world import WEEK, days_before, world

CODES = [
    "product_code",
    "product_type_code",
    "product_group_code",
    "graphical_appearance_code",
    "colour_group_code",
    "perceived_colour_master_code",
    "department_code",
    "index_code",
    "section_code",
    "garment_group_code",
]


@pytest.mark.parametrize("table", MODULES)
def test_the_catalogue_agrees_with_hamilton(table: str) -> None:
    declared = {
        node.name: (" ".join(node.documentation.split()), node.tags)
        for node in graph(table).list_available_variables()
        if "entity" in node.tags
    }

    listed = {
        column.name: (column.description, dict(column.tags)) for column in catalogue.features(table)
    }

    assert listed.keys() == declared.keys()
    for name, (description, tags) in declared.items():
        own = {key: value for key, value in tags.items() if key in ("entity", "fitted", "unit")}
        assert listed[name] == (description, own)


@pytest.mark.parametrize("table", catalogue.TABLES)
def test_every_column_says_what_it_is(table: str) -> None:
    for column in catalogue.columns(table):
        assert len(column.description) > 10
        assert column.description.endswith(".")


def test_the_tables_have_the_columns_that_they_are_said_to_have() -> None:
    shop = world([(days_before(WEEK, 30), "x", article, 1.0) for article in "ab"])
    encoders = shop.fit()

    tables = {
        "encoders": encoders.to_table(WEEK),
        "articles": shop.article_features(encoders),
        "customers": shop.customer_features(encoders),
        "purchase_histories": shop.purchase_histories(),
        "copurchases": shop.copurchases(),
    }

    assert tables.keys() == set(catalogue.TABLES)
    for name, table in tables.items():
        assert table.num_rows
        assert table.schema == catalogue.schema(name)


def test_the_columns_that_recommenders_rely_on_are_there() -> None:
    articles = {column.name: column.type for column in catalogue.features("articles")}
    customers = {column.name: column.type for column in catalogue.features("customers")}

    assert list(articles)[-len(CODES) :] == CODES
    assert all(articles[name] == customers["segment_code"] == pa.int32() for name in CODES)
    assert articles["mean_price"] == articles["price_scaled"] == pa.float32()


def test_fitted_features_are_those_that_take_the_encoders() -> None:
    for table in ("articles", "customers"):
        nodes = {node.name: node for node in graph(table).list_available_variables()}
        for column in catalogue.features(table):
            takes = "encoders" in nodes[f"{column.name}_raw"].required_dependencies
            assert (column.tags["fitted"] == "training") == takes


def test_an_unknown_table_is_named() -> None:
    with pytest.raises(FeatureError, match="features/prices"):
        catalogue.columns("prices")


@pytest.mark.parametrize(
    "text",
    [
        "@tag(entity='article')\ndef price() -> Float32s:\n    return 1",
        "@tag(entity='article')\ndef price() -> float:\n    '''The price.'''\n    return 1",
    ],
)
def test_a_feature_without_meaning_or_type_is_refused(text: str) -> None:
    with pytest.raises(FeatureError, match="price"):
        catalogue._features(text)
