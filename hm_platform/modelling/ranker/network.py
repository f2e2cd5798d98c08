"""The scoring network: features of a customer with an article -> a score."""

from __future__ import annotations

from torch import Tensor, nn


class RankingNetwork(nn.Module):
    """A small perceptron beside a linear model, the same for every pair.

    Scores depend on the pair alone, so that they can be computed in any batches and a candidate
    more or less does not change the order of the others.

    features, hidden : sizes; dropout : the share of hidden units that is left out in training
    """

    def __init__(self, features: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)
        self.layers = nn.Sequential(
            nn.Linear(features, hidden),
            nn.GELU(),
            nn.LayerNorm(hidden),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """features : shape (…, features), scaled; returns shape (…)."""
        scores: Tensor = (self.linear(features) + self.layers(features)).squeeze(-1)
        return scores
