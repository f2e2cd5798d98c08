"""Everything that is reported about a run, computed from the scored lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.quality.cold import METHODS, HiddenPast, NeverSold
from benchmarks.quality.comparison import Difference, paired_difference
from benchmarks.quality.groups import GroupScore, by_article, by_customer
from benchmarks.quality.ours import NAME, RETRIEVAL
from benchmarks.quality.scoring import Scored, pooled

METRICS = ("map", "recall", "ndcg", "hit_rate")
SEGMENTS = "segment-popularity"
SEGMENTS_OF_TYPES = "product_type"
"""Segment popularity where the articles themselves have no sales."""


@dataclass(frozen=True)
class Row:
    """One recommender over all weeks.

    metrics : means over customer-weeks
    coverage, seconds : means over weeks
    by_week : MAP@12 of each week
    difference : of the reference's MAP@12 to this one's; None for the reference itself
    """

    name: str
    metrics: Mapping[str, float]
    coverage: float
    seconds: float
    by_week: Mapping[str, float]
    difference: Difference | None


@dataclass(frozen=True)
class AsIfNew:
    """hm_platform and segment popularity over buyers whose past was hidden.

    ours, segments : MAP@12
    difference : of ours to segment popularity's
    """

    customer_weeks: int
    ours: float
    segments: float
    difference: Difference


@dataclass(frozen=True)
class Order:
    """How well articles without a sale were put in order, the means over customer-weeks.

    percentile : where what was bought stands, from 0 (first) to 1; 0.5 is chance
    difference : of its percentile to that of segment popularity; None for that itself
    """

    method: str
    percentile: float
    recall: float
    difference: Difference | None


@dataclass(frozen=True)
class WithoutSale:
    """Articles without a sale, for the customers who then bought one.

    articles : how many there were to choose from, the mean over weeks
    orders : best percentile first
    """

    customer_weeks: int
    articles: float
    orders: Sequence[Order]


@dataclass(frozen=True)
class Cold:
    """What was asked of hm_platform about who and what was new, week by week."""

    pasts: Sequence[HiddenPast] = ()
    articles: Sequence[NeverSold] = ()


@dataclass(frozen=True)
class Results:
    """A whole run.

    reference : hm_platform, or the best peer where hm_platform was left out
    rows : best MAP@12 first
    customers, articles : group scores of the reference, the best other one, and segment popularity
    as_if_new : None where hm_platform was left out, or nobody who bought had a history
    without_sale : None where hm_platform was left out, or nobody bought such an article
    """

    weeks: Sequence[str]
    customer_weeks: int
    reference: str
    rows: Sequence[Row]
    customers: Mapping[str, Sequence[GroupScore]]
    articles: Mapping[str, Sequence[GroupScore]]
    as_if_new: AsIfNew | None = None
    without_sale: WithoutSale | None = None

    @property
    def best_other(self) -> Row | None:
        """The best one that is not the reference, nor a part of it."""
        return next((row for row in self.rows if row.name not in (self.reference, RETRIEVAL)), None)


def summarise(scored: Mapping[str, Sequence[Scored]], cold: Cold | None = None) -> Results:
    """Compare recommenders that were all scored on the same weeks.

    cold : what hm_platform said in these weeks of who and what was new, where it takes part
    """
    maps = {name: pooled(weeks, "map") for name, weeks in scored.items()}
    ranking = sorted(scored, key=lambda name: -maps[name].mean())
    reference = NAME if NAME in scored else ranking[0]
    weeks = scored[reference]
    who = np.concatenate([week.target.bought.customers for week in weeks])
    rows = [
        Row(
            name,
            {metric: float(pooled(scored[name], metric).mean()) for metric in METRICS},
            float(np.mean([week.coverage for week in scored[name]])),
            float(np.mean([week.seconds for week in scored[name]])),
            {str(week.target.first_day): float(week.metrics.map.mean()) for week in scored[name]},
            None if name == reference else paired_difference(who, maps[reference], maps[name]),
        )
        for name in ranking
    ]
    others = [name for name in ranking if name not in (reference, RETRIEVAL)][:1]
    shown = dict.fromkeys([reference, *others, *([SEGMENTS] if SEGMENTS in scored else [])])
    return Results(
        [str(week.target.first_day) for week in weeks],
        len(who),
        reference,
        rows,
        {name: by_customer(scored[name]) for name in shown},
        {name: by_article(scored[name]) for name in shown},
        _as_if_new(cold.pasts) if cold else None,
        _without_sale(cold.articles) if cold else None,
    )


def _as_if_new(hidden: Sequence[HiddenPast]) -> AsIfNew | None:
    """All weeks together; None without a customer."""
    if not any(len(week.customers) for week in hidden):
        return None
    ours = np.concatenate([week.ours for week in hidden])
    segments = np.concatenate([week.segments for week in hidden])
    who = np.concatenate([week.customers for week in hidden])
    return AsIfNew(
        len(who),
        float(ours.mean()),
        float(segments.mean()),
        paired_difference(who, ours, segments),
    )


def _without_sale(weeks: Sequence[NeverSold]) -> WithoutSale | None:
    """All weeks together; None without a customer."""
    if not any(len(week.customers) for week in weeks):
        return None
    who = np.concatenate([week.customers for week in weeks])
    percentiles = {
        name: np.concatenate([week.methods[name].percentile for week in weeks]) for name in METHODS
    }
    segments = percentiles[SEGMENTS_OF_TYPES]
    return WithoutSale(
        len(who),
        float(np.mean([week.articles for week in weeks])),
        [
            Order(
                name,
                float(percentiles[name].mean()),
                float(np.concatenate([week.methods[name].recall for week in weeks]).mean()),
                None
                if name == SEGMENTS_OF_TYPES
                else paired_difference(who, percentiles[name], segments),
            )
            for name in sorted(METHODS, key=lambda name: percentiles[name].mean())
        ],
    )
