"""Exact search, against sorting everything."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from hm_platform.modelling.search import CHUNK, search, top_k

few_values = st.integers(-1, 1)


@given(
    st.integers(1, 4),
    st.one_of(st.integers(1, 30), st.integers(2 * CHUNK, 20 * CHUNK)),
    st.integers(1, 14),
    st.integers(0, 10_000),
)
def test_top_k_gives_ties_to_the_lower_column(n, m, k, seed):
    scores = torch.from_numpy(np.random.default_rng(seed).integers(-2, 3, (n, m))).float()
    values, columns = top_k(scores, k)
    for row in range(n):
        order = sorted(range(m), key=lambda c: (-scores[row, c].item(), c))[:k]
        assert columns[row].tolist() == order
        assert values[row].tolist() == scores[row, order].tolist()


@given(
    st.integers(1, 5),
    st.integers(1, 40),
    st.integers(1, 14),
    st.integers(1, 50),
    st.integers(0, 10_000),
)
def test_search_in_blocks_is_brute_force(n, m, k, block, seed):
    """Whole numbers, so that there are many ties and products are exact."""
    rng = np.random.default_rng(seed)
    customers = torch.from_numpy(rng.integers(-1, 2, (n, 3))).float()
    articles = torch.from_numpy(rng.integers(-1, 2, (m, 3))).float()
    bias = torch.from_numpy(rng.integers(-1, 2, m)).float()
    row, column = np.nonzero(rng.random((n, m)) < 0.2)
    value = torch.from_numpy(rng.integers(-4, 5, len(row))).float()
    extra = (torch.from_numpy(row), torch.from_numpy(column), value)

    full = (customers @ articles.T + bias).numpy()
    full[row, column] += value.numpy()
    scores, found = search(customers, articles, bias, extra, k, torch.full((n, block), torch.nan))
    for i in range(n):
        order = sorted(range(m), key=lambda c: (-full[i, c], c))[:k]
        assert found[i].tolist() == order
        assert scores[i].tolist() == full[i, order].tolist()
