"""Peers of `implicit` that know customers and articles by a vector each: ALS and BPR."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.lists import BLOCK, best_sellers, top_of
from benchmarks.quality.pairs import pairs
from benchmarks.quality.protocol import History

if TYPE_CHECKING:
    from implicit.cpu.matrix_factorization_base import MatrixFactorizationBase


@dataclass(frozen=True)
class Als:
    """Alternating least squares on implicit feedback (Hu, Koren and Volinsky 2008)."""

    factors: int = 128
    regularization: float = 0.05
    alpha: float = 1.0
    iterations: int = 15

    def recommend(
        self, history: History, customers: NDArray[np.int32], k: int
    ) -> NDArray[np.int32]:
        from implicit.cpu.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits

        # implicit has threads of its own, which those of BLAS would get in the way of.
        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(
                factors=self.factors,
                regularization=self.regularization,
                alpha=self.alpha,
                iterations=self.iterations,
                random_state=0,
            )
            return _recommend(model, history, customers, k)


@dataclass(frozen=True)
class Bpr:
    """Bayesian personalised ranking (Rendle et al. 2009)."""

    factors: int = 64
    learning_rate: float = 0.05
    regularization: float = 0.01
    iterations: int = 60

    def recommend(
        self, history: History, customers: NDArray[np.int32], k: int
    ) -> NDArray[np.int32]:
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        model = BayesianPersonalizedRanking(
            factors=self.factors,
            learning_rate=self.learning_rate,
            regularization=self.regularization,
            iterations=self.iterations,
            num_threads=1,  # more of them write over each other, differently every time
            random_state=0,
        )
        return _recommend(model, history, customers, k)


def _recommend(
    model: MatrixFactorizationBase, history: History, customers: NDArray[np.int32], k: int
) -> NDArray[np.int32]:
    """Fit on log counts and take each customer's k articles of highest inner product."""
    found = pairs(history)
    model.fit(found.matrix(np.log1p(found.days())), show_progress=False)
    order = best_sellers(history)
    sold = np.zeros(history.n_articles, dtype=bool)
    sold[history.sold] = True
    lists = []
    for start in range(0, len(customers), BLOCK):
        scores = model.user_factors[customers[start : start + BLOCK]] @ model.item_factors.T
        # Above zero, as lists want it, in the same order.
        scores = np.where(sold, scores - scores.min(axis=1, keepdims=True) + 1, 0)
        lists.append(top_of(scores, k, order))
    return np.concatenate(lists)
