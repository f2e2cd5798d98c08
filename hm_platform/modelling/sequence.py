"""The order and the time of recent purchases: one layer of a transformer.

Reading a history as a sequence follows Kang and McAuley 2018, "Self-attentive sequential
recommendation" (SASRec, ICDM); the layer is that of Vaswani et al. 2017, "Attention is all you
need" (NeurIPS), with the norms before its two halves. It differs from SASRec in what it is asked:
not the article after each one, but what belongs to the week that comes, so that every article may
look at every other one and none is masked. Beside its place in the order each article says how
long ago it was bought, as a logarithm and waves of it (the fixed form of Kazemi et al. 2019,
"Time2Vec"), because a gap of a day and one of half a year are not the same step.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

WAVES = (1.0, 2.0, 4.0, 8.0)
"""Frequencies, in radians per unit of the age's logarithm."""


class SequenceLayer(nn.Module):
    """Vectors of recent articles -> the same, each knowing of the others, of order and of time.

    dimension : of the articles' vectors; a multiple of ``heads``
    length : articles that are read at most
    """

    waves: Tensor

    def __init__(self, dimension: int, length: int, heads: int) -> None:
        super().__init__()
        self.length = length
        self.heads = heads
        self.place = nn.Parameter(torch.randn(length, dimension) * 0.02)
        self.time = nn.Linear(1 + 2 * len(WAVES), dimension)
        self.before_attention = nn.LayerNorm(dimension)
        self.attend = nn.Linear(dimension, 3 * dimension)
        self.attended = nn.Linear(dimension, dimension)
        self.before_layers = nn.LayerNorm(dimension)
        self.layers = nn.Sequential(
            nn.Linear(dimension, dimension), nn.ReLU(), nn.Linear(dimension, dimension)
        )
        # So that training starts from the articles' own vectors.
        for last in (self.attended, self.layers[2]):
            nn.init.zeros_(last.weight)  # type: ignore[arg-type]
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        self.register_buffer("waves", torch.tensor(WAVES), persistent=False)

    def forward(self, articles: Tensor, ages: Tensor, known: Tensor) -> Tensor:
        """Read n histories, most recent article first.

        articles : shape (n, l, dimension), l at most ``length``
        ages : shape (n, l), logarithms of days since the last purchase, of the order of 1
        known : bool, shape (n, l), where there is an article

        Returns shape (n, l, dimension); where ``known`` is False it has no meaning.
        """
        n, length, dimension = articles.shape
        phases = ages[..., None] * self.waves
        time = self.time(torch.cat([ages[..., None], phases.sin(), phases.cos()], dim=-1))
        read = self.before_attention(articles + self.place[:length] + time)
        parts = self.attend(read).view(n, length, 3, self.heads, dimension // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        logits = query @ key.transpose(-1, -2) / (dimension // self.heads) ** 0.5
        weights = logits.masked_fill(~known[:, None, None, :], -1e9).softmax(dim=-1)
        mixed = (weights @ value).transpose(1, 2).reshape(n, length, dimension)
        result: Tensor = articles + self.attended(mixed)
        return result + self.layers(self.before_layers(result + time))
