"""The listwise loss, against its definition in plain Python."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hm_platform.modelling.ranker.losses import SOFTMAX_SHARE, K, listwise_loss

Case = tuple[list[float], set[int], int]
"""Scores of a list, places of what was bought among them, how much was bought."""


def loss(cases: list[Case], padding: float = 0.0, length: int = 0) -> torch.Tensor:
    length = max(length, *(len(scores) for scores, _, _ in cases))
    scores = torch.tensor([[*s, *[padding] * (length - len(s))] for s, _, _ in cases])
    known = torch.tensor([[i < len(s) for i in range(length)] for s, _, _ in cases])
    places = [(r, c) for r, (_, wanted, _) in enumerate(cases) for c in sorted(wanted)]
    row, column = (torch.tensor(x) for x in zip(*places, strict=True))
    bought = torch.tensor([float(n) for _, _, n in cases])
    scores.requires_grad_()
    result = listwise_loss(scores, known, row, column, bought)
    result.scores = scores  # type: ignore[attr-defined]
    return result


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def slow_loss(cases: list[Case]) -> float:
    softmax = ndcg = 0.0
    for scores, wanted, bought in cases:
        total = sum(map(math.exp, scores))
        softmax -= sum(math.log(math.exp(scores[i]) / total) for i in wanted) / len(wanted)
        gain = 0.0
        for i in wanted:
            rank = 1 + sum(sigmoid((s - scores[i]) / 0.5) for j, s in enumerate(scores) if j != i)
            gain += sigmoid((12.5 - rank) / 2) / math.log2(1 + rank)
        ndcg += gain / sum(1 / math.log2(place + 1) for place in range(1, min(bought, 12) + 1))
    return 0.25 * softmax / len(cases) + 1 - ndcg / len(cases)


@st.composite
def lists(draw) -> list[Case]:
    cases = []
    for _ in range(draw(st.integers(1, 4))):
        scores = draw(st.lists(st.floats(-4, 4, width=32), min_size=1, max_size=20))
        wanted = draw(st.sets(st.integers(0, len(scores) - 1), min_size=1))
        cases.append((scores, wanted, draw(st.integers(len(wanted), 30))))
    return cases


@given(lists())
def test_it_is_its_definition(cases):
    assert loss(cases).item() == pytest.approx(slow_loss(cases), rel=1e-4)


def test_two_candidates_by_hand():
    # The bought one is one ahead: a softmax of log(1 + 1/e), and a rank of 1 + sigmoid(-2).
    softmax, rank = math.log(1 + math.exp(-1)), 1 + 1 / (1 + math.exp(2))
    gain = 1 / (1 + math.exp(-(12.5 - rank) / 2)) / math.log2(1 + rank)
    assert (K, SOFTMAX_SHARE) == (12, 0.25)
    assert loss([([1.0, 0.0], {0}, 1)]).item() == pytest.approx(0.25 * softmax + 1 - gain)


@given(lists(), st.floats(-50, 50), st.integers(0, 5))
def test_padding_has_no_part_in_it(cases, padding, more):
    length = more + max(len(scores) for scores, _, _ in cases)
    one, other = loss(cases), loss(cases, padding, length)
    assert one.item() == pytest.approx(other.item(), rel=1e-5)
    other.backward()
    gradient = other.scores.grad  # type: ignore[attr-defined]
    for row, (scores, _, _) in enumerate(cases):
        assert (gradient[row, len(scores) :] == 0).all()


def test_it_pushes_what_was_bought_up_and_the_rest_down():
    found = loss([([0.3, -0.2, 0.1, 0.0], {1, 2}, 2), ([0.0, 5.0], {0}, 1)])
    found.backward()
    signs = found.scores.grad.sign()[:, :4]  # type: ignore[attr-defined]
    assert signs[0].tolist() == [1, -1, -1, 1]
    assert signs[1, :2].tolist() == [-1, 1]


def test_a_better_order_costs_less():
    scores = [2.0, 1.0, 0.0, -1.0]
    costs = [loss([(scores, {place}, 1)]).item() for place in range(4)]
    assert costs == sorted(costs)
    assert costs[0] < costs[1] < costs[2] < costs[3]


def test_what_stands_far_down_is_pulled_up_too():
    """There a smooth NDCG alone has no gradient left."""
    found = loss([([0.0, *[20.0] * 100], {0}, 1)])
    found.backward()
    assert found.scores.grad[0, 0] < -0.1  # type: ignore[attr-defined]


def test_more_than_twelve_bought_are_as_twelve():
    scores = [float(i) for i in range(20)]
    twelve, thirty = (loss([(scores, {19, 18}, n)]).item() for n in (12, 30))
    assert twelve == thirty
    assert loss([(scores, {19, 18}, 2)]).item() < twelve
