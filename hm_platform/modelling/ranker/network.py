"""The scoring network: features of a customer with an article -> a score.

Apart from its training, so that recommending does not import Lightning, which takes seconds.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hm_platform.modelling.parallel import in_parallel

PAIRS_AT_ONCE = 4096


class ListDropout(nn.Module):
    """Dropout that leaves out the same hidden units for all pairs of a list.

    The pairs of a list are held against each other, and are so by one thinned network (after Gal
    and Ghahramani 2016, "A theoretically grounded application of dropout in recurrent neural
    networks", section 4, who keep one mask for all steps of a sequence). A mask for every pair is
    as good, and drawing it takes as long as all the rest of a step.

    share : of the units that is left out in training, in [0, 1)
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, hidden: Tensor) -> Tensor:
        """hidden : shape (lists, length, units); anything else has to be in evaluation mode."""
        if not self.training or not self.share:
            return hidden
        lists, _, units = hidden.shape
        kept = nn.functional.dropout(hidden.new_ones(lists, 1, units), self.share)
        return hidden * kept


class RankingNetwork(nn.Module):
    """A small perceptron beside a linear model, the same for every pair.

    Scores depend on the pair alone, so that they can be computed in any batches and a candidate
    more or less does not change the order of the others.

    features, hidden : sizes; dropout : the share of hidden units that each list is learnt without
    """

    def __init__(self, features: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)
        self.layers = nn.Sequential(
            nn.Linear(features, hidden),
            nn.GELU(),
            nn.LayerNorm(hidden),
            ListDropout(dropout),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            ListDropout(dropout),
            nn.Linear(hidden, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """features : shape (…, features), scaled; returns shape (…)."""
        scores: Tensor = (self.linear(features) + self.layers(features)).squeeze(-1)
        return scores


class FeatureRows(Protocol):
    """Features of pairs, of which a range can be had."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: slice, /) -> NDArray[np.floating]: ...


def score_pairs(network: RankingNetwork, features: FeatureRows) -> NDArray[np.float32]:
    """The network's scores; features of shape (pairs, features), scaled, give shape (pairs,).

    Always in blocks of the same shape: how a matrix product is rounded depends on it, and a score
    must not depend on what else is asked for.
    """
    pairs, width = features.shape

    def score(start: int) -> NDArray[np.float32]:
        part = features[start : start + PAIRS_AT_ONCE]
        block = np.zeros((PAIRS_AT_ONCE, width), dtype=np.float32)
        block[: len(part)] = part
        with torch.inference_mode():
            scores: NDArray[np.float32] = network(torch.from_numpy(block)).numpy()
        return scores[: len(part)]

    parts = in_parallel(score, range(0, pairs, PAIRS_AT_ONCE))
    return np.concatenate([np.empty(0, dtype=np.float32), *parts])
