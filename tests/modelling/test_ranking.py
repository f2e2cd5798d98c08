"""Gathering, ranking and filling, against loops over rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hm_platform.modelling.ranking import (
    best,
    empty,
    fill,
    find,
    gather_rows,
    in_blocks,
    rank_within,
)
from hm_platform.modelling.recommenders import Recommendations


@given(st.lists(st.integers(0, 4), min_size=1, max_size=6), st.data())
def test_gather_rows_lists_the_entries_of_each_row(lengths, data):
    offsets = np.cumsum([0, *lengths]).astype(np.int64)
    rows = data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=8))
    position, entry = gather_rows(offsets, np.array(rows, dtype=np.int32))
    expected = [(i, e) for i, r in enumerate(rows) for e in range(offsets[r], offsets[r + 1])]
    assert list(zip(position.tolist(), entry.tolist(), strict=True)) == expected


@given(st.lists(st.integers(0, 3), max_size=12))
def test_rank_within_counts_from_zero_in_each_group(groups):
    groups = sorted(groups)
    expected = [groups[:i].count(g) for i, g in enumerate(groups)]
    assert rank_within(np.array(groups, dtype=np.int64)).tolist() == expected


@st.composite
def candidates(draw):
    pairs = draw(st.sets(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=40))
    ordered = draw(st.permutations(sorted(pairs)))
    score = st.sampled_from([-np.inf, -2.5, -2.0, -0.0, 0.0, 1e-40, 1.0, 1.5])
    scores = draw(st.lists(score, min_size=len(pairs), max_size=len(pairs)))
    return ordered, scores, draw(st.integers(1, 6))


@given(candidates())
def test_best_orders_by_score_then_by_tie_number(case):
    pairs, scores, k = case
    rows = np.array([row for row, _ in pairs], dtype=np.int64)
    articles = np.array([article for _, article in pairs], dtype=np.int32)
    found = best(rows, articles, np.array(scores, dtype=float), 9 - articles, 4, k, 3)
    for row in range(4):
        mine = [(-s, 9 - a, a) for (r, a), s in zip(pairs, scores, strict=True) if r == row]
        expected = sorted(mine)[:k]
        assert [a for a in found.articles[row] if a >= 0] == [a for _, _, a in expected]
        as_published = [np.float32(-s) for s, _, _ in expected]
        assert found.scores[row, : len(expected)].tolist() == as_published
        assert (found.sources[row, : len(expected)] == 3).all()
        assert np.isneginf(found.scores[row, len(expected) :]).all()


@st.composite
def partial_and_filler(draw):
    k = draw(st.integers(1, 5))

    def rows(source: int, at_least: int) -> Recommendations:
        result = empty(3, k)
        for row in range(3):
            distinct = draw(
                st.lists(st.integers(0, 12), unique=True, min_size=at_least, max_size=k)
            )
            scores = sorted(
                draw(st.lists(st.integers(-9, 9), min_size=len(distinct), max_size=len(distinct))),
                reverse=True,
            )
            result.articles[row, : len(distinct)] = distinct
            result.scores[row, : len(distinct)] = scores
            result.sources[row, : len(distinct)] = source
        return result

    return rows(1, 0), rows(4, k)


@given(partial_and_filler())
def test_fill_keeps_order_and_completes_every_row(case):
    partial, filler = case
    filled = fill(partial, filler)
    k = filled.articles.shape[1]
    for row in range(3):
        own = [a for a in partial.articles[row] if a >= 0]
        rest = [a for a in filler.articles[row] if a not in own]
        assert filled.articles[row].tolist() == (own + rest)[:k]
        assert filled.sources[row].tolist() == ([1] * len(own) + [4] * k)[:k]
        assert (np.diff(filled.scores[row]) <= 0).all()
        assert filled.scores[row, : len(own)].tolist() == partial.scores[row, : len(own)].tolist()


def test_in_blocks_asks_for_few_at_a_time_and_keeps_the_order():
    sizes = []

    def top(block):
        sizes.append(len(block))
        result = empty(len(block), 1)
        result.articles[:, 0] = block
        return result

    customers = np.array([5, 1, 4, 2, 3], dtype=np.int32)
    assert in_blocks(customers, 1, 2, top).articles[:, 0].tolist() == [5, 1, 4, 2, 3]
    assert sizes == [2, 2, 1]


@given(st.lists(st.integers(-5, 20), unique=True), st.lists(st.integers(-9, 24)))
def test_what_is_among_the_keys_is_found_and_nothing_else(keys, wanted):
    keys = sorted(keys)
    found = find(np.array(keys, np.int64), np.array(wanted, np.int64))
    assert found.tolist() == [keys.index(one) if one in keys else -1 for one in wanted]
