"""Customers without a history and articles without a sale: what thresholds can be set on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hm_platform.behaviour.bootstrap import Bootstrap
from hm_platform.behaviour.cold_customers import REFERENCE
from hm_platform.behaviour.effects import Effect
from hm_platform.behaviour.inputs import ReportInputs

LEAD = f"map above {REFERENCE}"


def customers(inputs: ReportInputs, bootstrap: Bootstrap) -> list[Effect]:
    """MAP over the test customers without any purchase before the cut-off."""
    new = inputs.snapshot.customers["purchases_total"][inputs.customers] == 0
    mine = inputs.recommender(inputs.challenger).metrics.map
    return [bootstrap.mean("map", mine, among=new)] if new.any() else [Effect("map", None, 0)]


def leads(inputs: ReportInputs, bootstrap: Bootstrap) -> dict[str, Effect]:
    """Recommender -> its lead in MAP over the best sellers of the segment, for customers whose past
    is hidden; empty where nobody was asked."""
    found = inputs.as_if_new
    if found is None or not len(found.customers):
        return {}
    precision = found.average_precision
    return {
        name: _mean(inputs, bootstrap, LEAD, found.customers, mine - precision[REFERENCE])
        for name, mine in precision.items()
    }


def as_if_new(inputs: ReportInputs, found: Mapping[str, Effect]) -> list[Effect]:
    """The challenger's lead. ``found`` : as :func:`leads` gives them"""
    return [found.get(inputs.challenger, Effect(LEAD, None, 0))]


def articles(inputs: ReportInputs, bootstrap: Bootstrap) -> dict[str, Effect]:
    """Method -> where it would have put articles without a sale that were then bought, the mean
    over the customers who bought one: 0.5 is chance."""
    found = inputs.cold_articles
    if found is None:
        return {}
    return {
        method: _mean(
            inputs, bootstrap, f"percentile by {method}", found.customers, scores.percentile
        )
        for method, scores in found.methods.items()
    }


def _mean(
    inputs: ReportInputs,
    bootstrap: Bootstrap,
    name: str,
    some: NDArray[np.int32],
    values: NDArray[np.float64],
) -> Effect:
    """The mean over some of the test customers, who stand in the same order as all of them."""
    among = np.isin(inputs.customers, some)
    everybody = np.zeros(inputs.n)
    everybody[among] = values
    return bootstrap.mean(name, everybody, among)
