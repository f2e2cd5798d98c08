"""On misses: how near the first recommendation is to what the customer bought.

The idea is "being less wrong" of P. J. Chia et al. 2022, "Beyond NDCG: behavioral testing of
recommender systems with RecList", section 4: some misses look sensible to people, others do not.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hm_platform.behaviour import slices
from hm_platform.behaviour.bootstrap import Bootstrap, Statistic, Sums, quotient
from hm_platform.behaviour.effects import Effect
from hm_platform.behaviour.groups import BEST_SELLERS
from hm_platform.behaviour.inputs import ReportInputs

KINDS = {
    "product": "product_code",
    "product type": "product_type_name",
    "department": "department_name",
}
"""What can be the same -> the column of the catalogue."""

PRICE_BAND = np.log(1.25)
"""Prices within a quarter of each other are in one band."""


def near_misses(inputs: ReportInputs, bootstrap: Bootstrap) -> list[Effect]:
    """For customers without a hit: how often the first recommendation is of the same product, type,
    department or price band as something that was bought; and how far that is above the first of
    the best sellers, for the customers whom both lists miss: hits are near too, and would count
    for the best sellers alone."""
    if inputs.catalogue is None:
        return []
    mine = inputs.recommender(inputs.challenger)
    missed = mine.metrics.hit_rate == 0
    first = mine.articles[:, 0]
    reference = next((r for r in inputs.recommenders if r.name == BEST_SELLERS), None)
    if reference is mine:
        reference = None
    found: list[Effect] = []
    for kind in (*KINDS, "price band"):
        near = _near(inputs, kind, first)
        columns = [near & missed, missed]
        statistics = {f"same {kind}": Statistic(quotient(0, 1), int(missed.sum()))}
        if reference is not None:
            both = missed & (reference.metrics.hit_rate == 0)
            theirs = _near(inputs, kind, reference.articles[:, 0])
            columns += [near & both, theirs & both, both]
            statistics[f"same {kind} against {BEST_SELLERS}"] = Statistic(_lead, int(both.sum()))
        found += bootstrap.effects(np.stack(columns, axis=1), statistics)
    return found


def _lead(sums: Sums) -> NDArray[np.float64]:
    return (sums[..., 2] - sums[..., 3]) / sums[..., 4]


def _near(inputs: ReportInputs, kind: str, first: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Whether an article is near one of those that the customer bought; both shape (n,)."""
    owner = np.repeat(np.arange(inputs.n), np.diff(inputs.bought.offsets))
    bought = inputs.bought.articles
    if kind == "price band":
        same = np.abs(_log_prices(inputs)[first[owner]] - _log_prices(inputs)[bought]) <= PRICE_BAND
    else:
        codes = np.append(slices.codes_of(_catalogue(inputs)[KINDS[kind]]), -1)
        same = (codes[first[owner]] == codes[bought]) & (codes[bought] >= 0)
    return np.bincount(owner[same], minlength=inputs.n) > 0


def _catalogue(inputs: ReportInputs) -> Mapping[str, object]:
    return inputs.catalogue  # type: ignore[return-value]


def _log_prices(inputs: ReportInputs) -> NDArray[np.float64]:
    """NaN where no price is known, also at -1, no article."""
    prices = inputs.snapshot.articles.get("mean_price", np.full(inputs.n_articles, np.nan))
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(prices.astype(np.float64))
    return np.append(np.where(np.isfinite(logs), logs, np.nan), np.nan)
