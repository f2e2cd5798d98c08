"""The sequence layer: order and time are read, padding is not."""

from __future__ import annotations

import pytest
import torch

from hm_platform.modelling.sequence import SequenceLayer

DIMENSION, LENGTH = 8, 6


def layer_for(seed: int = 0) -> SequenceLayer:
    """A layer as after some training: all of its weights say something."""
    torch.manual_seed(seed)
    layer = SequenceLayer(DIMENSION, LENGTH, heads=2)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return layer.eval()


def history(n: int = 3, length: int = 5, seed: int = 1):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(n, length, DIMENSION, generator=generator),
        torch.rand(n, length, generator=generator),
        torch.ones(n, length, dtype=torch.bool),
    )


def test_an_untrained_layer_passes_the_articles_on():
    articles, ages, known = history()
    assert torch.equal(SequenceLayer(DIMENSION, LENGTH, 2)(articles, ages, known), articles)


def test_order_matters_where_all_else_is_equal():
    articles, _, known = history()
    ages = torch.ones(3, 5)
    layer = layer_for()
    swapped = articles[:, [1, 0, 2, 3, 4]]
    one, other = (layer(a, ages, known)[:, 4] for a in (articles, swapped))
    assert not torch.allclose(one, other, atol=1e-3)


def test_time_matters_to_all_articles():
    articles, ages, known = history()
    layer = layer_for()
    later = ages.clone()
    later[:, 0] += 1
    assert not torch.allclose(
        layer(articles, ages, known), layer(articles, later, known), atol=1e-3
    )


def test_what_stands_in_the_padding_changes_nothing():
    articles, ages, known = history()
    known[:, 3:] = False
    other = articles.clone()
    other[:, 3:] = 99.0
    layer = layer_for()
    one, two = (layer(a, ages, known)[:, :3] for a in (articles, other))
    assert torch.equal(one, two)
    short = layer(articles[:, :3], ages[:, :3], known[:, :3])
    assert short.detach().numpy() == pytest.approx(one.detach().numpy(), abs=1e-5)


def test_an_empty_history_has_finite_numbers_and_gradients():
    articles, ages, known = history()
    layer = layer_for()
    result = layer(articles, ages, torch.zeros_like(known))
    result.sum().backward()
    assert torch.isfinite(result).all()
    assert all(torch.isfinite(p.grad).all() for p in layer.parameters() if p.grad is not None)
