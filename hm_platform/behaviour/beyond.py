"""Beyond accuracy: what the challenger's lists are like, beside what customers bought.

Each function gives effects; the tables of all recommenders are in ``measures``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hm_platform.behaviour import slices
from hm_platform.behaviour.bootstrap import Bootstrap, Statistic, Sums, quotient
from hm_platform.behaviour.effects import Effect
from hm_platform.behaviour.inputs import ReportInputs
from hm_platform.behaviour.measures import (
    bought_after,
    known_before,
    popular_head,
    purchased_before,
)

BEYOND_PURCHASES = "beyond that of purchases"


def coverage(inputs: ReportInputs, bootstrap: Bootstrap) -> list[Effect]:
    """The share of the articles that can be recommended which is in at least one list."""
    eligible = max(int(np.count_nonzero(inputs.recommendable())), 1)

    def shown(counts: NDArray) -> float:
        return float(np.count_nonzero(counts)) / eligible

    return [bootstrap.of_articles("coverage", _lists(inputs), shown, inputs.n_articles, most=1.0)]


def concentration(inputs: ReportInputs, bootstrap: Bootstrap) -> list[Effect]:
    """The Gini index of how often articles are recommended, over those that can be: 0 all alike, 1
    one alone (P. Castells et al. 2015, "Novelty and diversity in recommender systems")."""
    eligible = inputs.recommendable()

    def gini(counts: NDArray) -> float:
        ordered = np.sort(counts[eligible])
        n, total = len(ordered), ordered.sum()
        if n < 2 or total == 0:
            return 0.0
        return float(((2 * np.arange(1, n + 1) - n - 1) * ordered).sum() / (total * (n - 1)))

    return [bootstrap.of_articles("gini", _lists(inputs), gini, inputs.n_articles, most=1.0)]


def popularity(inputs: ReportInputs, bootstrap: Bootstrap) -> list[Effect]:
    """The share of recommendations that are best sellers, and by how much it is above that of what
    customers bought."""
    lists, head = _lists(inputs), popular_head(inputs)
    return _share_and_excess(
        inputs, bootstrap, "best sellers", head[lists] & (lists >= 0), head[inputs.bought.articles]
    )


def repeats(inputs: ReportInputs, bootstrap: Bootstrap) -> list[Effect]:
    """The share of recommendations that the customer had bought before, and by how much it is above
    that of what customers bought; hits among both kinds, a customer."""
    lists = _lists(inputs)
    known = known_before(inputs, lists)
    hit = bought_after(inputs, lists)
    return [
        *_share_and_excess(inputs, bootstrap, "repeats", known, purchased_before(inputs)),
        bootstrap.mean("repeats bought, a customer", (hit & known).sum(axis=1)),
        bootstrap.mean("discoveries bought, a customer", (hit & ~known).sum(axis=1)),
    ]


def diversity(inputs: ReportInputs, bootstrap: Bootstrap) -> list[Effect]:
    """The share of the pairs within a list that are of different product types (intra-list
    diversity, C. Ziegler et al. 2005); pairs without a known type do not count."""
    if inputs.catalogue is None:
        return []
    types = np.append(slices.codes_of(inputs.catalogue["product_type_name"]), -1)
    of_list = types[_lists(inputs)]
    different, pairs = np.zeros(inputs.n), np.zeros(inputs.n)
    for i in range(inputs.k):
        for j in range(i):
            known = (of_list[:, i] >= 0) & (of_list[:, j] >= 0)
            pairs += known
            different += known & (of_list[:, i] != of_list[:, j])
    return [bootstrap.ratio("pairs of different types", different, pairs)]


def novelty(inputs: ReportInputs, bootstrap: Bootstrap) -> list[Effect]:
    """The mean self-information of a recommendation in bits: how unlikely it is that a purchase of
    the four weeks before is of that article (T. Zhou et al. 2010, "Solving the apparent
    diversity-accuracy dilemma of recommender systems"); one is added to every article's sales."""
    lists = _lists(inputs)
    sold = np.maximum(inputs.snapshot.articles["purchases_last_4_weeks"], 0).astype(float) + 1
    bits = np.where(lists >= 0, -np.log2(sold / sold.sum())[lists], 0.0)
    return [bootstrap.ratio("self-information", bits.sum(axis=1), (lists >= 0).sum(axis=1))]


def price_fit(inputs: ReportInputs, bootstrap: Bootstrap) -> list[Effect]:
    """How far the prices of a list are from what the customer usually pays, and by how much that
    is above the distance of what the customer bought.

    Prices are the articles' mean prices; what a customer usually pays is the mean of their
    logarithms over the customer's past articles. A distance of 0.7 is a factor of two.
    """
    prices = inputs.snapshot.articles.get("mean_price")
    if prices is None:
        return []
    with np.errstate(divide="ignore", invalid="ignore"):
        log_price = np.log(prices.astype(np.float64))
    log_price = np.append(np.where(np.isfinite(log_price), log_price, np.nan), np.nan)
    usual = _usual(inputs, log_price)
    listed = np.abs(log_price[_lists(inputs)] - usual[:, None])
    owner = np.repeat(np.arange(inputs.n), np.diff(inputs.bought.offsets))
    paid = np.abs(log_price[inputs.bought.articles] - usual[owner])
    known = np.isfinite(paid)
    columns = np.stack(
        [
            np.nansum(listed, axis=1),
            np.isfinite(listed).sum(axis=1),
            np.bincount(owner[known], weights=paid[known], minlength=inputs.n),
            np.bincount(owner[known], minlength=inputs.n),
        ],
        axis=1,
    )
    return _pair("distance from the usual price", columns, bootstrap)


def agreement(inputs: ReportInputs, bootstrap: Bootstrap) -> list[Effect]:
    """The share of a list that is also in the list that was published for the same week, by the
    model of the week before; over the customers who had one."""
    served = inputs.served
    if served is None:
        return []
    lists = _lists(inputs)
    both = np.zeros(inputs.n)
    for column in range(served.shape[1]):
        article = served[:, column, None]
        both += ((lists == article) & (article >= 0)).any(axis=1)
    had = (served >= 0).any(axis=1)
    size = np.where(had, (lists >= 0).sum(axis=1), 0)
    return [bootstrap.ratio("articles in common", np.where(had, both, 0), size)]


def _lists(inputs: ReportInputs) -> NDArray[np.int32]:
    return inputs.recommender(inputs.challenger).articles


def _usual(inputs: ReportInputs, log_price: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each test customer usually pays, as a logarithm; NaN without a priced purchase."""
    history = inputs.snapshot.histories
    values = log_price[history.articles]
    known = np.isfinite(values)
    ends = history.offsets[inputs.customers], history.offsets[inputs.customers + 1]
    totals, counts = (
        np.concatenate([[0.0], np.cumsum(v)]) for v in (np.where(known, values, 0.0), known)
    )
    total, count = (sums[ends[1]] - sums[ends[0]] for sums in (totals, counts))
    with np.errstate(divide="ignore", invalid="ignore"):
        return total / count


def _share_and_excess(
    inputs: ReportInputs,
    bootstrap: Bootstrap,
    name: str,
    listed: NDArray[np.bool_],
    bought: NDArray[np.bool_],
) -> list[Effect]:
    """The share of recommendations that are ``listed``, and how far above that of purchases.

    listed : shape (n, k)
    bought : shape (entries,), of the purchases
    """
    owner = np.repeat(np.arange(inputs.n), np.diff(inputs.bought.offsets))
    columns = np.stack(
        [
            listed.sum(axis=1),
            (_lists(inputs) >= 0).sum(axis=1),
            np.bincount(owner[bought], minlength=inputs.n),
            np.diff(inputs.bought.offsets),
        ],
        axis=1,
    )
    return _pair(f"share of {name}", columns, bootstrap)


def _pair(name: str, columns: NDArray, bootstrap: Bootstrap) -> list[Effect]:
    """Of columns (mine, of, theirs, of): the first quotient, and it less the second."""

    def excess(sums: Sums) -> NDArray[np.float64]:
        return quotient(0, 1)(sums) - quotient(2, 3)(sums)

    return bootstrap.effects(
        columns,
        {
            name: Statistic(quotient(0, 1), int(np.count_nonzero(columns[:, 1]))),
            f"{name} {BEYOND_PURCHASES}": Statistic(excess, int(np.count_nonzero(columns[:, 3]))),
        },
    )
