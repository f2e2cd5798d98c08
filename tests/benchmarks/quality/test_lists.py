from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from benchmarks.quality.lists import best_sellers, fill, strongest, top, top_of
from tests.benchmarks.quality.shops import history

ORDER = np.array([3, 1, 0, 2], dtype=np.int32)


def test_best_sellers_are_last_weeks_then_all_times_then_by_index() -> None:
    known = history([(0, 0, -30), (0, 1, -30), (0, 1, -40), (0, 2, -1), (0, 4, -30)], 1, 6)
    assert best_sellers(known).tolist() == [2, 1, 0, 4]


def test_ties_go_to_the_better_seller_and_short_rows_are_filled() -> None:
    rows, articles = np.array([0, 0, 0]), np.array([0, 1, 2], dtype=np.int32)
    scores = np.array([1.0, 1.0, 2.0])
    lists = top(rows, articles, scores, 2, 3, ORDER)
    assert lists.tolist() == [[2, 1, 0], [3, 1, 0]]


def test_filling_takes_what_a_row_lacks() -> None:
    lists = np.array([[1, -1, -1], [2, 3, -1]], dtype=np.int32)
    assert fill(lists, ORDER).tolist() == [[1, 3, 0], [2, 3, 1]]


@given(arrays(np.float32, (3, 9), elements=st.sampled_from([-1, 0, 0.25, 0.5, 3])))
def test_the_strongest_are_those_of_a_sort(scores: np.ndarray) -> None:
    rows, columns, values = strongest(sparse.csr_matrix(scores), 4)
    for row in range(3):
        ranked = sorted((v for v in scores[row] if v > 0), reverse=True)
        least = ranked[min(4, len(ranked)) - 1] if ranked else np.inf
        wanted = [i for i, v in enumerate(scores[row]) if v > 0 and v >= least]
        assert columns[rows == row].tolist() == wanted
        np.testing.assert_array_equal(values[rows == row], scores[row, wanted])


def test_only_what_is_above_zero_is_listed() -> None:
    assert top_of(np.array([[0.0, -1.0, 2.0, 0.0]]), 2, ORDER).tolist() == [[2, 3]]
