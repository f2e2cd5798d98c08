"""The customer with articles of the same kind: its product type, variants of its product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hamilton.function_modifiers import check_output_custom, tag

from hm_platform.features.arrays import Float32s
from hm_platform.modelling.ranker.pair_features.values import POSITIVE, ratio, repeated


@dataclass(frozen=True)
class GroupHistory:
    """How the customer bought articles of one kind, for each pair; float32, shape (pairs,).

    All NaN where the kind is unknown or was never bought.
    """

    days_since_last: Float32s
    days_since_first: Float32s
    shopping_days: Float32s
    decayed_60: Float32s
    articles: Float32s


@tag(group="kind")
@check_output_custom(POSITIVE)
def type_days_since_last(product_type: GroupHistory) -> Float32s:
    """Days since the customer last bought the product type."""
    return product_type.days_since_last


@tag(group="kind")
@check_output_custom(POSITIVE)
def type_shopping_days(product_type: GroupHistory) -> Float32s:
    """How often the customer bought the product type, summed over its articles."""
    return product_type.shopping_days


@tag(group="kind")
@check_output_custom(POSITIVE)
def type_articles(product_type: GroupHistory) -> Float32s:
    """How many articles of the product type the customer has bought."""
    return product_type.articles


@tag(group="kind")
@check_output_custom(POSITIVE)
def type_decayed_60(product_type: GroupHistory) -> Float32s:
    """Decayed purchases of the product type."""
    return product_type.decayed_60


@tag(group="kind")
@check_output_custom(POSITIVE)
def share_of_type(decayed_60: Float32s, product_type: GroupHistory) -> Float32s:
    """The article's share of the customer's purchases of its product type."""
    return ratio(decayed_60, product_type.decayed_60)


def _group_due(group: GroupHistory) -> Float32s:
    between = (group.days_since_first - group.days_since_last) / np.maximum(
        group.shopping_days - 1, 1
    )
    return repeated(ratio(group.days_since_last, np.maximum(between, 1)), group.shopping_days)


@tag(group="kind")
@check_output_custom(POSITIVE)
def type_due(product_type: GroupHistory) -> Float32s:
    """Days since the product type was bought in units of the mean gap between its purchases."""
    return _group_due(product_type)


@tag(group="kind")
@check_output_custom(POSITIVE)
def product_days_since_last(product: GroupHistory) -> Float32s:
    """Days since the customer last bought a variant of the product."""
    return product.days_since_last


@tag(group="kind")
@check_output_custom(POSITIVE)
def product_decayed_60(product: GroupHistory) -> Float32s:
    """Decayed purchases of variants of the product."""
    return product.decayed_60


@tag(group="kind")
@check_output_custom(POSITIVE)
def share_of_product(decayed_60: Float32s, product: GroupHistory) -> Float32s:
    """The article's share of the customer's purchases of variants of its product."""
    return ratio(decayed_60, product.decayed_60)


@tag(group="kind")
@check_output_custom(POSITIVE)
def product_due(product: GroupHistory) -> Float32s:
    """Days since the product was bought in units of the mean gap between its purchases."""
    return _group_due(product)


@tag(group="kind")
@check_output_custom(POSITIVE)
def product_articles(product: GroupHistory) -> Float32s:
    """How many variants of the product the customer has bought."""
    return product.articles
