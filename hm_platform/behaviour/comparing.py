"""How accurate the challenger is, and against others on the same customers, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from hm_platform.behaviour.bootstrap import Bootstrap, Statistic, Sums, quotient
from hm_platform.behaviour.effects import Effect
from hm_platform.behaviour.inputs import Evaluated, ReportInputs

METRICS = ("map", "recall", "ndcg", "hit_rate", "mrr")
"""The fields of CustomerMetrics, as the board shows them."""


def accuracy(inputs: ReportInputs, bootstrap: Bootstrap) -> list[Effect]:
    """The challenger's metrics."""
    return metrics(inputs.recommender(inputs.challenger), bootstrap)


def metrics(recommender: Evaluated, bootstrap: Bootstrap) -> list[Effect]:
    """A recommender's mean metrics, by the names of METRICS."""
    values = [getattr(recommender.metrics, name) for name in METRICS]
    columns = np.stack([*values, np.ones(bootstrap.n)], axis=1)
    statistics = {
        name: Statistic(quotient(i, len(METRICS)), bootstrap.n) for i, name in enumerate(METRICS)
    }
    return bootstrap.effects(columns, statistics)


def against(inputs: ReportInputs, rivals: Iterable[str], bootstrap: Bootstrap) -> list[Effect]:
    """``<metric> against <rival>``: by which share the challenger's mean is above the rival's."""
    mine = inputs.recommender(inputs.challenger).metrics
    found: list[Effect] = []
    for rival in rivals:
        theirs = inputs.recommender(rival).metrics
        columns = np.stack(
            [getattr(metric, name) for name in METRICS for metric in (mine, theirs)], axis=1
        )
        statistics = {
            f"{name} against {rival}": Statistic(_relative(2 * i, 2 * i + 1), bootstrap.n)
            for i, name in enumerate(METRICS)
        }
        found += bootstrap.effects(columns, statistics)
    return found


def against_baselines(inputs: ReportInputs, bootstrap: Bootstrap) -> list[Effect]:
    """Against every baseline but the challenger itself."""
    rivals = [r.name for r in inputs.recommenders if r.is_baseline and r.name != inputs.challenger]
    return against(inputs, rivals, bootstrap)


def against_last_published(inputs: ReportInputs, bootstrap: Bootstrap) -> list[Effect]:
    """Against what serves now; nothing where there is none."""
    if inputs.last_published is None:
        return []
    return against(inputs, [inputs.last_published.name], bootstrap)


def _relative(mine: int, theirs: int) -> Callable[[Sums], NDArray[np.float64]]:
    above = quotient(mine, theirs)
    return lambda sums: above(sums) - 1
