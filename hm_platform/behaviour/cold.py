"""Customers without a history and articles without a sale: what thresholds can be set on."""

from __future__ import annotations

import numpy as np

from hm_platform.behaviour.bootstrap import Bootstrap
from hm_platform.behaviour.cold_customers import REFERENCE
from hm_platform.behaviour.effects import Effect
from hm_platform.behaviour.inputs import ReportInputs

NORMAL_95 = 1.959964
"""How many standard errors the end of a 95% interval is from the mean."""


def customers(inputs: ReportInputs, bootstrap: Bootstrap) -> list[Effect]:
    """MAP over the test customers without any purchase before the cut-off."""
    new = inputs.snapshot.customers["purchases_total"][inputs.customers] == 0
    mine = inputs.recommender(inputs.challenger).metrics.map
    return [bootstrap.mean("map", mine, among=new)] if new.any() else [Effect("map", None, 0)]


def as_if_new(inputs: ReportInputs) -> list[Effect]:
    """The challenger's lead in MAP over the best sellers of the segment, for customers whose past
    is hidden."""
    name, found = f"map above {REFERENCE}", inputs.as_if_new
    if found is None or inputs.challenger not in found.average_precision:
        return [Effect(name, None, 0)]
    if len(found.customers) < 2:
        return [Effect(name, None, len(found.customers))]
    gain = found.gain(inputs.challenger)
    if gain.standard_error is None:
        raise AssertionError("two customers have a standard error")
    half = NORMAL_95 * gain.standard_error
    return [Effect(name, gain.mean, len(found.customers), gain.mean - half, gain.mean + half)]


def articles(inputs: ReportInputs) -> list[Effect]:
    """Where articles without a sale that were then bought would have stood: 0.5 is chance."""
    found = inputs.cold_articles
    if found is None:
        return []
    return [
        Effect(f"percentile by {method}", float(scores.percentile), found.customers)
        for method, scores in found.methods.items()
        if np.isfinite(scores.percentile)
    ]
