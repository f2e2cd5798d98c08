"""TIFU-KNN against its paper's formulas, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from benchmarks.quality.pairs import pairs
from benchmarks.quality.peers.tifu_knn import TifuKnn, basket_weights, nearest_mean
from tests.benchmarks.quality.shops import history


def test_a_customers_vector_is_that_of_the_paper() -> None:
    # Three baskets in groups of two: {0} | {0, 1}, {1}, the oldest group having one only.
    known = history([(0, 0, -9), (0, 0, -5), (0, 1, -5), (0, 1, -2), (0, 1, -2)], 1, 2)
    found = pairs(known)
    vector = found.sum_events(basket_weights(known, found, 2, 0.9, 0.5))
    older, newer = np.array([1.0, 0.0]), np.array([0.9 * 1, 0.9 * 1 + 1]) / 2
    np.testing.assert_allclose(vector, (0.5 * older + newer) / 2)


def test_neighbours_are_the_nearest_others_with_a_purchase() -> None:
    vectors = sparse.csr_matrix(np.array([[1.0, 0], [1, 1], [0, 5], [0, 0]]))
    mean = nearest_mean(vectors, np.array([0, 3], dtype=np.int32), 1)
    np.testing.assert_allclose(mean.toarray(), [[1, 1], [1, 0]])


def test_own_and_neighbours_are_mixed_by_alpha() -> None:
    # Customer 0 bought article 0, customer 1 articles 1 and 0: the mix ranks 0 before 1.
    known = history([(0, 0, -1), (1, 1, -1), (1, 0, -1), (2, 2, -1), (2, 2, -2)], 3, 3)
    who = np.array([0], dtype=np.int32)
    assert TifuKnn(neighbours=1).recommend(known, who, 2).tolist() == [[0, 1]]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_all_baskets_alike_weigh_one_in_sum(size: int) -> None:
    known = history([(0, 0, -day) for day in range(1, 6)], 1, 1)
    found = pairs(known)
    assert found.sum_events(basket_weights(known, found, size, 1, 1)) == pytest.approx([1.0])
