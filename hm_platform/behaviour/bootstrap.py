"""Intervals by the Poisson bootstrap over customers.

In each replicate every customer counts as often as a Poisson variable with mean 1 says, which for
many customers is as good as drawing them with replacement and needs no drawing: N. Chamandy et al.
2012, "Estimating uncertainty for massive data streams" (Google), section 3. All statistics of a
test week share the same replicates, so that differences are paired.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hm_platform.behaviour.effects import Effect

REPLICATES = 1000
LEVEL = 0.95
BLOCK = 4096
"""Customers whose weights are multiplied at a time."""


Sums = NDArray[np.float64]
"""Sums over customers; shape (…, columns)."""


@dataclass(frozen=True)
class Statistic:
    """A number made of sums over customers.

    of : from sums to values of shape (…,); not finite where it is not defined
    count : over how many customers it is
    centred : the replicates are moved to stand around the value: for what is never below 0 and
        chance alone makes larger (a sum of distances, say), and drawing again larger still
    """

    of: Callable[[Sums], NDArray[np.float64]]
    count: int
    centred: bool = False


def quotient(numerator: int, denominator: int) -> Callable[[Sums], NDArray[np.float64]]:
    """The sum of one column over that of another."""
    return lambda sums: sums[..., numerator] / sums[..., denominator]


class Bootstrap:
    """Replicates of n customers; the same seed gives the same ones.

    It holds one byte a customer and replicate: 70 MB for 70,000 customers.
    """

    def __init__(self, n: int, seed: int = 0, replicates: int = REPLICATES) -> None:
        self.n = n
        self.seed = seed
        self.replicates = replicates

    @cached_property
    def weights(self) -> NDArray[np.uint8]:
        """How often each customer counts; shape (replicates, n)."""
        random = np.random.default_rng(self.seed)
        weights = np.empty((self.replicates, self.n), dtype=np.uint8)
        for start in range(0, self.n, BLOCK):
            block = slice(start, min(start + BLOCK, self.n))
            weights[:, block] = random.poisson(1.0, (self.replicates, block.stop - start))
        return weights

    def sums(self, values: NDArray) -> NDArray[np.float64]:
        """The weighted sums of columns; ``values`` has shape (n, columns), the result
        (replicates, columns)."""
        total = np.zeros((self.replicates, values.shape[1]))
        for start in range(0, self.n, BLOCK):
            block = slice(start, start + BLOCK)
            total += self.weights[:, block].astype(np.float64) @ values[block].astype(np.float64)
        return total

    def effects(self, columns: NDArray, statistics: Mapping[str, Statistic]) -> list[Effect]:
        """Functions of the same column sums, by name, each with its percentile interval.

        columns : shape (n, columns), a row a customer
        """
        totals = columns.astype(np.float64).sum(axis=0)
        spread = self.sums(columns)
        found = []
        with np.errstate(divide="ignore", invalid="ignore"):
            for name, statistic in statistics.items():
                value = float(statistic.of(totals))
                if np.isfinite(value):
                    replicates = statistic.of(spread)
                    if statistic.centred:
                        replicates = _around(value, replicates)
                    low, high = percentiles(replicates)
                    found.append(Effect(name, value, statistic.count, low, high))
                else:
                    found.append(Effect(name, None, statistic.count))
        return found

    def mean(self, name: str, values: NDArray, among: NDArray[np.bool_] | None = None) -> Effect:
        """The mean over the customers ``among`` (default: all); ``values`` has shape (n,)."""
        inside = np.ones(self.n, dtype=bool) if among is None else among
        return self.ratio(name, np.where(inside, values, 0.0), inside)

    def ratio(self, name: str, numerator: NDArray, denominator: NDArray) -> Effect:
        """The sum of one column over that of another; over the customers with any of the latter."""
        count = int(np.count_nonzero(denominator))
        columns = np.stack([numerator, denominator], axis=1)
        (effect,) = self.effects(columns, {name: Statistic(quotient(0, 1), count)})
        return effect

    def of_articles(
        self,
        name: str,
        lists: NDArray[np.int32],
        statistic: Callable[[NDArray], float],
        n_articles: int,
        most: float = np.inf,
    ) -> Effect:
        """A function of how often each article is in the lists.

        Leaving customers out always lowers how many articles are shown, so the interval is that of
        the replicates moved to stand around the value.

        lists : shape (n, k), article indices, -1 where there is none
        statistic : from counts of shape (articles,) to a number that is never below 0
        most : what it never is above
        """
        owner, place = np.nonzero(lists >= 0)
        shown = lists[owner, place]
        value = statistic(np.bincount(shown, minlength=n_articles))
        # A hundred replicates say as much of a spread as is needed here, at a tenth of the cost.
        spread = np.array(
            [
                statistic(np.bincount(shown, weights[owner].astype(np.float64), n_articles))
                for weights in self.weights[: self.replicates // 10]
            ]
        )
        low, high = percentiles(_around(value, spread, most))
        return Effect(name, value, self.n, low, high)


def _around(
    value: float, replicates: NDArray[np.float64], most: float = np.inf
) -> NDArray[np.float64]:
    """The replicates moved to stand around the value.

    Those above their mean may come to stand where the statistic cannot be, below 0 or above
    ``most``: there the interval ends at the bound, which takes no possible value out of it.
    """
    return np.clip(replicates - np.nanmean(replicates) + value, 0.0, most)


def percentiles(spread: NDArray[np.float64]) -> tuple[float, float] | tuple[None, None]:
    """The ends of the interval that holds LEVEL of the replicates in which there was anything."""
    found = spread[np.isfinite(spread)]
    if not len(found):
        return None, None
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(found, [tail, 100 - tail])
    return float(low), float(high)
