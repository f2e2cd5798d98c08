"""The numbers of the report, each computed over all test customers at once.

Every function takes the inputs and returns plain numbers in dicts and lists that JSON can hold,
so that RecList, the page and the tables show the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hm_platform.behaviour import slices
from hm_platform.behaviour.effects import Effect
from hm_platform.behaviour.inputs import Evaluated, ReportInputs
from hm_platform.behaviour.membership import contains
from hm_platform.behaviour.slices import Slice

Numbers: TypeAlias = dict[str, float | int]


def accuracy(inputs: ReportInputs) -> dict[str, Numbers]:
    """Recommender -> the means of its per-customer metrics, by the names of the board."""
    return {
        r.name: {f"{name}@{inputs.k}": mean for name, mean in r.metrics.means().items()}
        for r in inputs.recommenders
    }


def coverage(inputs: ReportInputs) -> dict[str, Numbers]:
    """Recommender -> its ``coverage`` and how many ``distinct_articles`` its lists hold."""
    return {
        r.name: {
            "coverage": float(r.coverage),
            "distinct_articles": len(np.unique(r.articles[r.articles >= 0])),
        }
        for r in inputs.recommenders
    }


def popular_head(inputs: ReportInputs) -> NDArray[np.bool_]:
    """The articles that sold most in the four weeks before the cut-off; shape (articles,).

    As many as slices.HEAD_SHARE of those that can be recommended, rounded up.
    """
    size = int(np.ceil(slices.HEAD_SHARE * np.count_nonzero(inputs.recommendable())))
    return slices.sales_rank(inputs) < size


def popularity(inputs: ReportInputs) -> dict[str, Numbers]:
    """How much falls on the most popular articles.

    Recommender -> ``head_share``, the share of its recommendations in :func:`popular_head`.
    ``purchases`` -> the same for what test customers bought, the measure to hold it against.
    """
    head = popular_head(inputs)
    shares = {r.name: {"head_share": _mean(head[_served(r)])} for r in inputs.recommenders}
    return {**shares, "purchases": {"head_share": _mean(head[inputs.bought.articles])}}


def repeats(inputs: ReportInputs) -> dict[str, Numbers]:
    """Articles that the customer had bought before, against articles new to the customer.

    Recommender -> ``repeat_share`` of its recommendations, ``repeat_hits`` and ``discovery_hits``
    (recommendations that were bought in the test week). ``purchases`` -> ``repeat_share`` of the
    pairs of customer and article bought in the test week.
    """
    result: dict[str, Numbers] = {}
    for r in inputs.recommenders:
        known, hit = known_before(inputs, r.articles), bought_after(inputs, r.articles)
        result[r.name] = {
            "repeat_share": _mean(known[r.articles >= 0]),
            "repeat_hits": int(np.count_nonzero(hit & known)),
            "discovery_hits": int(np.count_nonzero(hit & ~known)),
        }
    result["purchases"] = {"repeat_share": _mean(purchased_before(inputs))}
    return result


def by_group(inputs: ReportInputs, groups: Slice) -> list[dict[str, Any]]:
    """MAP@k in each group that somebody is in.

    One dict a group: ``group`` (its label), ``customers`` and ``recommenders`` (name -> MAP@k).
    """
    customers = np.bincount(groups.codes, minlength=len(groups.labels))
    sums = {
        r.name: np.bincount(groups.codes, weights=r.metrics.map, minlength=len(groups.labels))
        for r in inputs.recommenders
    }
    return [
        {
            "group": label,
            "customers": int(customers[g]),
            "recommenders": {name: float(total[g] / customers[g]) for name, total in sums.items()},
        }
        for g, label in enumerate(groups.labels)
        if customers[g]
    ]


def cold_customers(inputs: ReportInputs) -> dict[str, Any]:
    """MAP@k for the test customers without any purchase before the cut-off.

    ``customers``: how many they are; ``recommenders``: name -> MAP@k, empty without customers.
    """
    cold = inputs.snapshot.customers["purchases_total"][inputs.customers] == 0
    count = _count(cold)
    return {
        "customers": count,
        "recommenders": {
            r.name: float(r.metrics.map[cold].mean()) for r in inputs.recommenders if count
        },
    }


def as_if_new(inputs: ReportInputs, leads: Mapping[str, Effect]) -> dict[str, Any]:
    """What the test customers with a history would have been served without it.

    leads : recommender -> its lead in MAP over segment popularity

    ``customers``: how many they are; ``recommenders``: name -> ``map@k``, its ``lead`` and the ends
    of the interval of that, ``low`` and ``high``; empty without customers or where nothing was
    measured.
    """
    found = inputs.as_if_new
    if found is None or not len(found.customers):
        return {"customers": 0, "recommenders": {}}
    return {
        "customers": len(found.customers),
        "recommenders": {
            name: {
                f"map@{found.k}": _mean(values),
                "lead": leads[name].value,
                "low": leads[name].low,
                "high": leads[name].high,
            }
            for name, values in found.average_precision.items()
        },
    }


def cold_articles(inputs: ReportInputs, percentiles: Mapping[str, Effect]) -> dict[str, Any]:
    """How well articles without a sale could be put in order, for those who bought one of them.

    percentiles : method -> where it put what was bought

    ``customers``, ``articles``: how many they are; ``methods``: what put them in order -> its
    ``recall@k``, its ``percentile`` and the ends of the interval of that, ``low`` and ``high``;
    empty without customers or where nothing was measured.
    """
    found = inputs.cold_articles
    if found is None:
        return {"customers": 0, "articles": _count(~inputs.recommendable()), "methods": {}}
    return {
        "customers": len(found.customers),
        "articles": found.articles,
        "methods": {
            name: {
                f"recall@{found.k}": _mean(scores.recall),
                "percentile": percentiles[name].value,
                "low": percentiles[name].low,
                "high": percentiles[name].high,
            }
            for name, scores in found.methods.items()
        },
    }


def faults(inputs: ReportInputs) -> dict[str, Numbers]:
    """Recommender -> what must be zero.

    ``customers_short_served`` have fewer articles than there are to recommend, up to k;
    ``customers_with_duplicates`` have an article twice; ``not_sellable`` recommendations were never
    sold before the cut-off; ``customers_misscored`` have a hit metric that their list contradicts.
    """
    recommendable = inputs.recommendable()
    full = min(inputs.k, int(np.count_nonzero(recommendable)))
    result: dict[str, Numbers] = {}
    for r in inputs.recommenders:
        ordered = np.sort(r.articles, axis=1)
        twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
        hit = bought_after(inputs, r.articles).any(axis=1)
        result[r.name] = {
            "customers_short_served": _count((r.articles >= 0).sum(axis=1) < full),
            "customers_with_duplicates": _count(twice.any(axis=1)),
            "not_sellable": _count(~recommendable[_served(r)]),
            "customers_misscored": _count(hit != (r.metrics.hit_rate > 0)),
        }
    return result


def known_before(inputs: ReportInputs, lists: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which recommendations the customer had bought before the cut-off; shape (n, k)."""
    history = inputs.snapshot.histories
    return contains(history.offsets, history.articles, inputs.customers, lists, inputs.n_articles)


def purchased_before(inputs: ReportInputs) -> NDArray[np.bool_]:
    """Which of the articles bought in the test week the customer had bought before; shape
    (entries,)."""
    history = inputs.snapshot.histories
    buyers = np.repeat(inputs.customers, np.diff(inputs.bought.offsets))
    asked = inputs.bought.articles[:, None]
    found = contains(history.offsets, history.articles, buyers, asked, inputs.n_articles)
    return found[:, 0]


def bought_after(inputs: ReportInputs, lists: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which recommendations the customer bought in the test week; shape (n, k)."""
    bought = inputs.bought
    return contains(bought.offsets, bought.articles, np.arange(inputs.n), lists, inputs.n_articles)


def _served(recommender: Evaluated) -> NDArray[np.int32]:
    """All articles of all lists, in one row."""
    return recommender.articles[recommender.articles >= 0]


def _mean(values: NDArray) -> float:
    """The mean; 0 of nothing."""
    return float(np.mean(values, dtype=np.float64)) if values.size else 0.0


def _count(flags: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(flags))
