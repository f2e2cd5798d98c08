"""Fitting on the training split as Hamilton functions: vocabularies and scales.

Inputs, bound by ``hm_platform.features.driver``, besides those of
``hm_platform.features.attributes``; all are counted over the purchases of the training split:

article_purchases : int64, shape (articles,), purchases of each article
customer_purchases : int64, shape (customers,), purchases of each customer
priced_purchases : how many purchases have a positive price
log_price_sum, log_price_square_sum : the sum of their natural logarithms, and of the squares
"""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from hamilton.function_modifiers import group, inject, parameterize, source

from hm_platform.features.arrays import Float32s, Int64s, Strings
from hm_platform.features.encoders import (
    ARTICLE_VOCABULARIES,
    CUSTOMER_VOCABULARIES,
    VOCABULARIES,
    Encoders,
    Scaler,
)


def _vocabulary(category: Strings, purchases: Int64s) -> tuple[str, ...]:
    """The categories that were bought (or bought something), most purchases first, ties by name."""
    counted = (
        pa.table({"category": category, "purchases": purchases})
        .filter((pc.field("purchases") > 0) & pc.field("category").is_valid())
        .group_by("category", use_threads=False)
        .aggregate([("purchases", "sum")])
        .sort_by([("purchases_sum", "descending"), ("category", "ascending")])
    )
    return tuple(counted["category"].to_pylist())


@parameterize(
    **{
        f"{feature}_vocabulary": {"category": source(attribute)}
        for feature, attribute in ARTICLE_VOCABULARIES.items()
    }
)
def article_vocabulary(category: Strings, article_purchases: Int64s) -> tuple[str, ...]:
    """The categories of an article attribute that occur in training purchases, commonest first."""
    return _vocabulary(category, article_purchases)


@parameterize(
    **{
        f"{feature}_vocabulary": {"category": source(attribute)}
        for feature, attribute in CUSTOMER_VOCABULARIES.items()
    }
)
def customer_vocabulary(category: Strings, customer_purchases: Int64s) -> tuple[str, ...]:
    """The categories of a customer attribute that occur in training purchases, commonest first."""
    return _vocabulary(category, customer_purchases)


def _scaler(mean: float, variance: float) -> Scaler:
    """A scale for this distribution; one without spread is only moved to 0.

    A thousandth, of a year or of a price, is no spread: it may be rounding alone.
    """
    spread = math.sqrt(max(variance, 0.0))
    return Scaler(mean, spread if spread > 1e-3 else 1.0)


def age_scale(age: Float32s, customer_purchases: Int64s) -> Scaler:
    """Mean and standard deviation, in years, over the training customers whose age is known."""
    known = age[(customer_purchases > 0) & ~np.isnan(age)].astype(np.float64)
    return _scaler(float(known.mean()), float(known.var())) if len(known) else Scaler()


def price_scale(priced_purchases: int, log_price_sum: float, log_price_square_sum: float) -> Scaler:
    """Mean and standard deviation of the logarithm of the price, over training purchases."""
    if not priced_purchases:
        return Scaler()
    mean = log_price_sum / priced_purchases
    return _scaler(mean, log_price_square_sum / priced_purchases - mean**2)


@inject(vocabularies=group(**{name: source(f"{name}_vocabulary") for name in VOCABULARIES}))
def encoders(
    vocabularies: dict[str, tuple[str, ...]], age_scale: Scaler, price_scale: Scaler
) -> Encoders:
    """Everything that is fitted on the training split."""
    return Encoders(vocabularies, {"age_scaled": age_scale, "price_scaled": price_scale})
