"""How evenly the challenger serves groups: gaps between them, the spread, and the worst one.

The spread is EvalRS's MRED (J. Tagliabue et al. 2022, "EvalRS: a rounded evaluation of recommender
systems", section 4): by how much the miss rates of groups differ from the miss rate of all, on
average over the groups.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hm_platform.behaviour.bootstrap import Bootstrap, Statistic, Sums, quotient
from hm_platform.behaviour.effects import Effect
from hm_platform.behaviour.inputs import ReportInputs
from hm_platform.behaviour.slices import Slice
from hm_platform.behaviour.thresholds import FEWEST

SPREAD = "spread of miss rates"
BEST_SELLERS = "segment_popularity"
"""What everybody could be served without a model."""


def of_customers(inputs: ReportInputs, groups: Slice, bootstrap: Bootstrap) -> list[Effect]:
    """For each group that somebody is in its MAP, how far that is from the others' (where there are
    others), and how far above the best sellers'; then the spread over groups that are not tiny."""
    mine = inputs.recommender(inputs.challenger).metrics
    reference = next((r for r in inputs.recommenders if r.name == BEST_SELLERS), None)
    theirs = mine.map if reference is None else reference.metrics.map
    members = np.eye(len(groups.labels))[groups.codes]
    present = np.flatnonzero(members.sum(axis=0))
    members = members[:, present]
    counts = members.sum(axis=0).astype(int)
    g = len(present)
    columns = np.concatenate(
        [members * v[:, None] for v in (mine.map, theirs, mine.hit_rate)] + [members], axis=1
    )
    found: dict[str, Statistic] = {}
    for i, group in enumerate(present):
        label, count = groups.labels[group], int(counts[i])
        found[label] = Statistic(quotient(i, 3 * g + i), count)
        if g > 1:
            found[f"{label} against the others"] = Statistic(
                _gap(i, slice(0, g), slice(3 * g, None)), count
            )
        if reference is not None and reference.name != inputs.challenger:
            found[f"{label} against {BEST_SELLERS}"] = Statistic(_lead(i, g + i, 3 * g + i), count)
    large = [i for i in range(g) if counts[i] >= FEWEST]
    if len(large) > 1:
        found[SPREAD] = Statistic(
            _spread([2 * g + i for i in large], [3 * g + i for i in large]), inputs.n, centred=True
        )
    return bootstrap.effects(columns, found)


def of_articles(inputs: ReportInputs, groups: Slice, bootstrap: Bootstrap) -> list[Effect]:
    """For each group of articles the share of its purchases that was recommended, how far that is
    from the share of the others, and the spread."""
    hits, bought = purchases_by_group(inputs, groups)
    present = np.flatnonzero(bought.sum(axis=0))
    hits, bought = hits[:, present], bought[:, present]
    counts = np.count_nonzero(bought, axis=0)
    g = len(present)
    columns = np.concatenate([hits, bought], axis=1)
    found: dict[str, Statistic] = {}
    for i, group in enumerate(present):
        label, count = groups.labels[group], int(counts[i])
        found[label] = Statistic(quotient(i, g + i), count)
        if g > 1:
            found[f"{label} against the others"] = Statistic(
                _gap(i, slice(0, g), slice(g, None)), count
            )
    large = [i for i in range(g) if counts[i] >= FEWEST]
    if len(large) > 1:
        found[SPREAD] = Statistic(_spread(large, [g + i for i in large]), inputs.n, centred=True)
    return bootstrap.effects(columns, found)


def purchases_by_group(
    inputs: ReportInputs, groups: Slice
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many of the articles that each test customer bought are of each group: those that were
    recommended, and all; both of shape (n, groups)."""
    lists = inputs.recommender(inputs.challenger).articles
    bought = inputs.bought.articles
    owner = np.repeat(np.arange(inputs.n), np.diff(inputs.bought.offsets))
    hit = np.zeros(len(bought), dtype=bool)
    for column in range(inputs.k):
        hit |= lists[owner, column] == bought
    cell = owner * len(groups.labels) + groups.codes[bought]
    shape = (inputs.n, len(groups.labels))
    counted = (np.bincount(cell, weights=w, minlength=shape[0] * shape[1]) for w in (hit, None))
    recommended, everything = (c.astype(np.float64).reshape(shape) for c in counted)
    return recommended, everything


def _lead(mine: int, theirs: int, members: int) -> Callable[[Sums], NDArray[np.float64]]:
    return lambda s: (s[..., mine] - s[..., theirs]) / s[..., members]


def _gap(group: int, values: slice, members: slice) -> Callable[[Sums], NDArray[np.float64]]:
    """A group's mean less that of all others."""

    def gap(s: Sums) -> NDArray[np.float64]:
        value, size = s[..., values], s[..., members]
        others = (value.sum(axis=-1) - value[..., group]) / (size.sum(axis=-1) - size[..., group])
        return value[..., group] / size[..., group] - others

    return gap


def _spread(hits: list[int], members: list[int]) -> Callable[[Sums], NDArray[np.float64]]:
    """The mean distance of groups' miss rates from that of all of them together."""

    def spread(s: Sums) -> NDArray[np.float64]:
        hit, size = s[..., hits], s[..., members]
        overall = hit.sum(axis=-1) / size.sum(axis=-1)
        return np.abs(hit / size - overall[..., None]).mean(axis=-1)

    return spread
