"""Peers that go from the customer's articles to similar ones: EASE and BM25 nearest neighbours.

Each comes alone and together with the customer's own decayed purchases, both scaled to a largest
score of one for each customer.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from benchmarks.quality.lists import BLOCK, best_sellers, top_of
from benchmarks.quality.pairs import pairs
from benchmarks.quality.protocol import History


@dataclass(frozen=True)
class Ease:
    """EASE (Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019).

    On the logarithm of days of purchase, over the whole catalogue. The paper's inverse of the
    articles' Gram matrix, ``P = (X'X + penalty) ** -1``, is had from that of the customers
    (Woodbury): ``X P = K X`` and ``penalty * P_jj = 1 - (X'K X)_jj`` with
    ``K = (X X' + penalty) ** -1``, so that the scores are ``X B = X - K X / diag(P)``.

    penalty : lambda
    repurchase : weight of the customer's own decayed purchases; 0 for EASE alone
    """

    penalty: float = 1000.0
    repurchase: float = 0.0
    half_life: float = 60.0

    def recommend(
        self, history: History, customers: NDArray[np.int32], k: int
    ) -> NDArray[np.int32]:
        found = pairs(history)
        X = found.matrix(np.log1p(found.days()))
        gram = (X @ X.T).toarray().astype(np.float64)
        gram[np.diag_indices_from(gram)] += self.penalty
        K = linalg.inv(gram, check_finite=False).astype(np.float32)
        leverage = np.zeros(history.n_articles)
        for start in range(0, len(K), BLOCK):
            rows = slice(start, start + BLOCK)
            leverage += np.asarray(X[rows].multiply(K[rows] @ X).sum(axis=0)).ravel()
        inverse = (self.penalty / np.maximum(1 - leverage, 1e-9)).astype(np.float32)
        own = found.matrix(found.decayed(self.half_life))
        order = best_sellers(history)
        lists = []
        for start in range(0, len(customers), BLOCK):
            some = customers[start : start + BLOCK]
            scores = X[some].toarray() - (K[some] @ X) * inverse
            lists.append(top_of(with_own(scores, own[some], self.repurchase), k, order))
        return np.concatenate(lists)


@dataclass(frozen=True)
class ItemKnn:
    """Nearest neighbours between articles under BM25 weights, as `implicit` has them."""

    neighbours: int = 50
    repurchase: float = 0.0
    half_life: float = 60.0

    def recommend(
        self, history: History, customers: NDArray[np.int32], k: int
    ) -> NDArray[np.int32]:
        from implicit.nearest_neighbours import BM25Recommender

        found = pairs(history)
        X = found.matrix(found.days())
        model = BM25Recommender(K=self.neighbours, num_threads=1)
        with warnings.catch_warnings():
            # It hands itself a matrix in another layout than it asks for, and complains.
            warnings.simplefilter("ignore")
            model.fit(X, show_progress=False)
        own = found.matrix(found.decayed(self.half_life))
        order = best_sellers(history)
        lists = []
        for start in range(0, len(customers), BLOCK):
            some = customers[start : start + BLOCK]
            scores = (X[some] @ model.similarity).toarray().astype(np.float32)
            lists.append(top_of(with_own(scores, own[some], self.repurchase), k, order))
        return np.concatenate(lists)


def with_own(
    scores: NDArray[np.float32], own: sparse.csr_matrix, weight: float
) -> NDArray[np.float32]:
    """Scores plus ``weight`` times the own purchases, both scaled to at most 1 in each row."""
    if not weight:
        return scores
    habits = own.toarray()
    return _scaled(scores) + np.float32(weight) * _scaled(habits)


def _scaled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values / np.maximum(values.max(axis=1, keepdims=True), np.float32(1e-9))
