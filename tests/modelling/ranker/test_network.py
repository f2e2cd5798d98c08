"""The scoring network: what it leaves out in training, and for whom."""

from __future__ import annotations

import torch

from hm_platform.modelling.ranker.network import ListDropout, RankingNetwork


def test_equal_pairs_of_a_list_get_equal_scores_in_training_and_other_lists_other_units() -> None:
    torch.manual_seed(0)
    network = RankingNetwork(3, 16, 0.5).train()
    scores = network(torch.ones(4, 5, 3))
    assert torch.equal(scores, scores[:, :1].expand(4, 5))
    assert len(scores[:, 0].unique()) == 4


def test_the_share_of_units_is_left_out_and_the_rest_makes_up_for_it() -> None:
    torch.manual_seed(0)
    kept = ListDropout(0.25).train()(torch.ones(500, 2, 40))
    assert sorted({round(float(value), 4) for value in kept.unique()}) == [0, 1.3333]
    assert abs(float((kept == 0).float().mean()) - 0.25) < 0.01


def test_nothing_is_left_out_in_evaluation_nor_with_a_share_of_nothing() -> None:
    hidden = torch.ones(2, 3, 4)
    assert torch.equal(ListDropout(0.5).eval()(hidden), hidden)
    assert torch.equal(ListDropout(0.0).train()(hidden), hidden)
