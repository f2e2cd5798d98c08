"""The loss, against its definition summed over the whole catalogue."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hm_platform.modelling.losses import sampled_softmax

ARTICLES = 6


@st.composite
def shops(draw):
    """Per customer: a history and what was bought, of a catalogue of six."""
    return draw(
        st.lists(
            st.tuples(
                st.sets(st.integers(0, ARTICLES - 1), max_size=4),
                st.sets(st.integers(0, ARTICLES - 1), min_size=1),
            ),
            min_size=1,
            max_size=4,
        )
    )


def loss_of(shop, logits, log_inclusion=None):
    """The loss when every article of the catalogue is shared."""
    n = len(shop)
    length = max((len(history) for history, _ in shop), default=0)
    own = torch.zeros(n, length)
    own_taken = torch.ones(n, length, dtype=torch.bool)
    shared_taken = torch.zeros(n, ARTICLES, dtype=torch.bool)
    targets, rows = [], []
    for i, (history, bought) in enumerate(shop):
        for column, article in enumerate(sorted(history)):
            own[i, column] = logits[i, article]
            own_taken[i, column] = article in bought
        for article in history | bought:
            shared_taken[i, article] = True
        targets += [logits[i, article] for article in sorted(bought)]
        rows += [i] * len(bought)
    return sampled_softmax(
        own,
        logits,
        own_taken=own_taken,
        shared_taken=shared_taken,
        log_inclusion=torch.zeros(ARTICLES) if log_inclusion is None else log_inclusion,
        targets=torch.stack(targets),
        target_row=torch.tensor(rows),
    )


@given(shops(), st.integers(0, 1000))
def test_with_everything_shared_it_is_the_full_softmax_against_what_was_not_bought(shop, seed):
    logits = torch.from_numpy(np.random.default_rng(seed).normal(size=(len(shop), ARTICLES)))
    expected = 0.0
    for i, (_, bought) in enumerate(shop):
        others = [logits[i, a].exp() for a in range(ARTICLES) if a not in bought]
        for article in bought:
            mine = logits[i, article].exp()
            probability = mine / (mine + sum(others))
            expected += -probability.log() / len(bought) / len(shop)
    assert loss_of(shop, logits).item() == pytest.approx(float(expected), abs=1e-5)


def test_a_rarely_shared_article_stands_for_many():
    logits = torch.zeros(1, ARTICLES)
    shop = [({0}, {1})]
    always = loss_of(shop, logits)
    halves = loss_of(shop, logits, torch.full((ARTICLES,), np.log(0.5)))
    assert always.item() == pytest.approx(np.log(1 + 1 + 4))
    assert halves.item() == pytest.approx(np.log(1 + 1 + 4 * 2))


def test_sampling_estimates_the_full_sum():
    """Over many draws, exp(loss) - 1 averages to the exact sum over what was not bought."""
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=40)).float()
    inclusion = rng.uniform(0.1, 0.9, 40)
    totals = []
    for _ in range(3000):
        drawn = torch.from_numpy(np.flatnonzero(rng.random(40) < inclusion))
        loss = sampled_softmax(
            torch.zeros(1, 0),
            logits[drawn][None, :],
            own_taken=torch.zeros(1, 0, dtype=torch.bool),
            shared_taken=torch.zeros(1, len(drawn), dtype=torch.bool),
            log_inclusion=torch.from_numpy(np.log(inclusion)).float()[drawn],
            targets=torch.zeros(1),
            target_row=torch.zeros(1, dtype=torch.int64),
        )
        totals.append(loss.exp().item() - 1)
    assert np.mean(totals) == pytest.approx(logits.exp().sum().item(), rel=0.03)


def test_where_nothing_is_left_to_compare_with_the_gradient_is_zero():
    logits = torch.zeros(1, ARTICLES, requires_grad=True)
    loss = loss_of([(set(), set(range(ARTICLES)))], logits)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert (logits.grad == 0).all()
