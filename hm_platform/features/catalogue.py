"""What the columns of the ``features/*`` tables are: names, types and meanings.

The feature functions are the source: a function with an ``entity`` tag is a column, its docstring
the description, its return annotation the type, its place in the file the place in the table. They
are read from their source text, so that whoever needs the columns (an asset's column schema, an
empty table) does not wait for Hamilton to be imported.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from inspect import cleandoc

import pyarrow as pa

from hm_platform.features.encoders import SCHEMA as ENCODERS_SCHEMA
from hm_platform.features.errors import FeatureError


@dataclass(frozen=True)
class Column:
    """A column of a feature table; ``tags`` are the Hamilton tags of a feature, empty for a key."""

    name: str
    type: pa.DataType
    description: str
    tags: Mapping[str, str] = field(default_factory=dict)


_TYPES = {
    "Int32s": pa.int32(),
    "Float32s": pa.float32(),
    "Int32Lists": pa.list_(pa.int32()),
    "Float32Lists": pa.list_(pa.float32()),
}

_KEYS = (
    Column("week", pa.date32(), "The week that is built, by its first day."),
    Column(
        "split",
        pa.string(),
        "The split that the features serve: validation, test, serving, or ranking_<weeks before "
        "the end of training>.",
    ),
    Column("cutoff", pa.date32(), "The first day that is not known yet: only earlier ones count."),
)
_ENTITY_KEYS = {
    "articles": (
        Column("article_index", pa.int32(), "The article's number in datasets/article_index."),
        Column("article_id", pa.string(), "The article."),
    ),
    "customers": (
        Column("customer_index", pa.int32(), "The customer's number in datasets/customer_index."),
        Column("customer_id", pa.string(), "The customer."),
    ),
    "purchase_histories": (),
    "copurchases": (),
}
_MODULES = {
    "articles": ("buyers.py", "articles.py"),
    "customers": ("customers.py",),
    "purchase_histories": ("histories.py",),
    "copurchases": ("copurchases.py",),
}
_ENCODER_DESCRIPTIONS = {
    "week": _KEYS[0].description,
    "encoder": "The feature that is coded or scaled.",
    "category": "The category that has the code; for a scale, mean or std.",
    "code": "The category's code, from 1; 0 is left for unknown. Null for a scale.",
    "value": "The mean or the standard deviation of a scale. Null for a category.",
}

TABLES = (*_MODULES, "encoders")
"""The tables of the schema ``features``."""


def _features(source: str) -> list[Column]:
    """The columns that the feature functions in this module text declare."""
    columns = []
    for function in ast.parse(source).body:
        if not isinstance(function, ast.FunctionDef):
            continue
        tags = {
            word.arg: ast.literal_eval(word.value)
            for decorator in function.decorator_list
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "tag"
            for word in decorator.keywords
            if word.arg
        }
        if "entity" not in tags:
            continue
        annotation = ast.unparse(function.returns) if function.returns else "nothing"
        docstring = ast.get_docstring(function)
        if annotation not in _TYPES or not docstring:
            raise FeatureError(
                f"the feature {function.name} needs a docstring and one of the return types "
                f"{', '.join(_TYPES)}; it returns {annotation}"
            )
        description = " ".join(cleandoc(docstring).split())
        columns.append(Column(function.name, _TYPES[annotation], description, tags))
    return columns


@cache
def features(table: str) -> tuple[Column, ...]:
    """The features in ``features/<table>``, in column order, without the key columns.

    Raises FeatureError when there is no such table.
    """
    if table == "encoders":
        return ()
    if table not in _MODULES:
        raise FeatureError(f"there is no table features/{table}, only {', '.join(TABLES)}")
    folder = files("hm_platform.features")
    texts = [folder.joinpath(name).read_text(encoding="utf-8") for name in _MODULES[table]]
    return tuple(column for text in texts for column in _features(text))


@cache
def columns(table: str) -> tuple[Column, ...]:
    """All columns of ``features/<table>``, in order.

    Raises FeatureError when there is no such table.
    """
    if table == "encoders":
        return tuple(
            Column(name, kind, _ENCODER_DESCRIPTIONS[name])
            for name, kind in zip(ENCODERS_SCHEMA.names, ENCODERS_SCHEMA.types, strict=True)
        )
    declared = features(table)
    return (*_KEYS, *_ENTITY_KEYS[table], *declared)


def schema(table: str) -> pa.Schema:
    """The Arrow schema of ``features/<table>``."""
    return pa.schema([(column.name, column.type) for column in columns(table)])
