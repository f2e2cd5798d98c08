"""Scores of groups: customers by how much history they have, articles by how long they are sold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.protocol import TargetWeek
from benchmarks.quality.scoring import Scored, pooled

CUSTOMER_GROUPS = ("no purchase before", "1 to 19", "20 to 99", "100 to 499", "500 and more")
_PURCHASES = np.array([1, 20, 100, 500])
ARTICLE_GROUPS = ("never sold before", "first sold within 28 days", "sold for longer")
_DAYS = np.array([1, 29])


@dataclass(frozen=True)
class GroupScore:
    """A recommender in one group: over how many customer-weeks or purchases, and its mean.

    mean : None where the group is empty
    """

    group: str
    count: int
    mean: float | None


def by_customer(weeks: Sequence[Scored]) -> list[GroupScore]:
    """MAP@12 by the customer's purchases before the week."""
    group = np.concatenate([_history_group(week.target) for week in weeks])
    return _means(CUSTOMER_GROUPS, group, pooled(weeks, "map"))


def by_article(weeks: Sequence[Scored]) -> list[GroupScore]:
    """The share of the articles bought in the weeks that were recommended to who bought them."""
    group = np.concatenate([_novelty_group(week.target) for week in weeks])
    return _means(ARTICLE_GROUPS, group, np.concatenate([_found(week) for week in weeks]))


def _history_group(target: TargetWeek) -> NDArray[np.int64]:
    history = target.history
    purchases = np.bincount(history.customers, minlength=history.n_customers)
    return np.searchsorted(_PURCHASES, purchases[target.bought.customers], side="right")


def _novelty_group(target: TargetWeek) -> NDArray[np.int64]:
    """The group of each bought (customer, article)."""
    history = target.history
    first = np.full(history.n_articles, history.cutoff, dtype=np.int64)
    np.minimum.at(first, history.articles, history.days)
    return np.searchsorted(_DAYS, (history.cutoff - first)[target.bought.articles], side="right")


def _found(week: Scored) -> NDArray[np.float64]:
    """1 for each bought (customer, article) that is in the customer's list."""
    bought = week.target.bought
    row = np.repeat(np.arange(len(bought.customers)), np.diff(bought.offsets))
    return (week.lists[row] == bought.articles[:, None]).any(axis=1).astype(np.float64)


def _means(
    names: Sequence[str], group: NDArray[np.int64], values: NDArray[np.float64]
) -> list[GroupScore]:
    counts = np.bincount(group, minlength=len(names))
    sums = np.bincount(group, values, minlength=len(names))
    return [
        GroupScore(name, int(count), float(total / count) if count else None)
        for name, count, total in zip(names, counts, sums, strict=True)
    ]
