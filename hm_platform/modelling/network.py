"""The two towers: one turns a customer into vectors, the other an article; scores are products.

The score of customer c for article a is

    scale * <u_c, v_a> + b_a + [a is in c's history] * (w_ca0 + <w_ca, r_a>)

*Dense part.* u and v are of length one; v is made of the article's id, attributes and recent
popularity, u of the customer's id, attributes and the vectors v of the most recent purchases: read
as a sequence (:mod:`hm_platform.modelling.sequence`), then pooled by attention weights that depend
on how recently and how often each was bought.

*Sparse part.* A product of two vectors of a few dozen numbers cannot name each of hundreds of past
purchases, and where people buy again that is most of what there is to know (Ren et al. 2019,
"RepeatNet", AAAI, split repeating from exploring for the same reason). So the customer tower also
gives a short vector w_ca for each article of its history, made of recency, frequency and rhythm,
and the article tower a short vector r_a of how the article comes back. This is still a product of
two towers: of vectors with a few entries per article of the catalogue, zero but for the history.

An id that was not in training, and a share of all ids while training, reads row 0 of the id
embeddings, so that attributes and history alone give a new article or customer its vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from hm_platform.modelling.histories import AGE, CUSTOMER_NUMBERS, PAIR_NUMBERS
from hm_platform.modelling.inputs import ARTICLE_NUMBERS
from hm_platform.modelling.sequence import SequenceLayer


@dataclass(frozen=True)
class NetworkShape:
    """Everything that the sizes of the weights depend on.

    articles, customers : ids in training
    article_sizes, customer_sizes : feature -> how many codes it takes
    customer_numbers : numbers on a customer that do not come from the history
    """

    articles: int
    customers: int
    article_sizes: Mapping[str, int]
    customer_sizes: Mapping[str, int]
    customer_numbers: int
    dimension: int = 64
    hidden: int = 128
    article_id_dimension: int = 32
    customer_id_dimension: int = 16
    attribute_dimension: int = 8
    pair_hidden: int = 32
    pooling_heads: int = 4
    sequence_length: int = 32
    sequence_heads: int = 2
    repeat_dimension: int = 8


@dataclass(frozen=True)
class ArticleVectors:
    """The article tower's output for n articles.

    dense : shape (n, dimension), of length one
    bias : shape (n,)
    repeat : shape (n, repeat_dimension)
    """

    dense: Tensor
    bias: Tensor
    repeat: Tensor

    def take(self, positions: Tensor) -> ArticleVectors:
        """The vectors of some of them; every shape (n, …) becomes (*positions.shape, …).

        One gather through ``embedding``, whose gradient is summed in a fixed order.
        """
        rows = nn.functional.embedding(positions, self._table)
        width = self.dense.shape[1]
        return ArticleVectors(rows[..., :width], rows[..., width], rows[..., width + 1 :])

    def together(self) -> ArticleVectors:
        """The same with each tensor's numbers next to each other, as products of all customers with
        them want it: with a bias that lies apart they take twice as long."""
        return ArticleVectors(
            self.dense.contiguous(), self.bias.contiguous(), self.repeat.contiguous()
        )

    @cached_property
    def _table(self) -> Tensor:
        return torch.cat([self.dense, self.bias[:, None], self.repeat], dim=1)


class Embeddings(nn.Module):
    """The id and the categories of an entity as one vector.

    Gradients are sparse: a training step costs what its batch touches, however many ids there are.
    """

    def __init__(self, ids: int, id_dimension: int, sizes: Mapping[str, int], width: int) -> None:
        super().__init__()
        self.id = nn.Embedding(ids + 1, id_dimension, sparse=True)
        self.codes = nn.ModuleList(nn.Embedding(n, width, sparse=True) for n in sizes.values())
        for table in (self.id, *self.codes):
            nn.init.normal_(table.weight, std=0.1)
        self.width = id_dimension + width * len(sizes)

    def forward(self, ids: Tensor, codes: Tensor, id_dropout: float) -> Tensor:
        """ids : shape (n,); codes : shape (n, attributes); returns shape (n, width)."""
        if self.training and id_dropout > 0:
            dropped = torch.rand(ids.shape, device=ids.device) < id_dropout
            ids = ids.masked_fill(dropped, 0)
        columns = [table(codes[:, i]) for i, table in enumerate(self.codes)]
        return torch.cat([self.id(ids), *columns], dim=1)


class ArticleTower(nn.Module):
    """Ids, attributes, price and recent popularity of articles -> ArticleVectors."""

    def __init__(self, shape: NetworkShape, id_dropout: float) -> None:
        super().__init__()
        self.embeddings = Embeddings(
            shape.articles,
            shape.article_id_dimension,
            shape.article_sizes,
            shape.attribute_dimension,
        )
        self.layers = nn.Sequential(
            nn.Linear(self.embeddings.width + ARTICLE_NUMBERS, shape.hidden),
            nn.ReLU(),
            nn.Linear(shape.hidden, shape.dimension + 1 + shape.repeat_dimension),
        )
        self.dimension = shape.dimension
        self.id_dropout = id_dropout

    def forward(self, ids: Tensor, codes: Tensor, numbers: Tensor) -> ArticleVectors:
        embedded = self.embeddings(ids, codes, self.id_dropout)
        output = self.layers(torch.cat([embedded, numbers], dim=1))
        dense = nn.functional.normalize(output[:, : self.dimension], dim=1)
        return ArticleVectors(dense, output[:, self.dimension], output[:, self.dimension + 1 :])


class CustomerTower(nn.Module):
    """Ids, attributes and histories of customers -> a vector each, and one per past article."""

    def __init__(self, shape: NetworkShape, id_dropout: float) -> None:
        super().__init__()
        self.embeddings = Embeddings(
            shape.customers,
            shape.customer_id_dimension,
            shape.customer_sizes,
            shape.attribute_dimension,
        )
        self.heads = shape.pooling_heads
        self.sequence = SequenceLayer(shape.dimension, shape.sequence_length, shape.sequence_heads)
        self.pairs = nn.Sequential(
            nn.Linear(PAIR_NUMBERS, shape.pair_hidden),
            nn.ReLU(),
            nn.Linear(shape.pair_hidden, shape.pair_hidden),
            nn.ReLU(),
            nn.Linear(shape.pair_hidden, self.heads + 1 + shape.repeat_dimension),
        )
        numbers = shape.customer_numbers + CUSTOMER_NUMBERS
        self.layers = nn.Sequential(
            nn.Linear(self.embeddings.width + numbers + self.heads * shape.dimension, shape.hidden),
            nn.ReLU(),
            nn.Linear(shape.hidden, shape.dimension),
        )
        self.id_dropout = id_dropout

    def forward(
        self,
        ids: Tensor,
        codes: Tensor,
        numbers: Tensor,
        past: ArticleVectors,
        pairs: Tensor,
        known: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Vectors of n customers, and what they say of their histories.

        past : vectors of the histories, shape (n, length, …); pairs : (n, length, PAIR_NUMBERS);
        known : bool, (n, length), where there is an entry

        Returns the vectors, shape (n, dimension) and of length one, and the sparse part of the
        score of each entry, shape (n, length); its value where ``known`` is False has no meaning.
        """
        said = self.pairs(pairs)
        recent = slice(self.sequence.length)
        there = known[:, recent]
        read = self.sequence(past.dense[:, recent], pairs[:, recent, AGE], there)
        weights = said[:, recent, : self.heads].masked_fill(~there[..., None], -1e9).softmax(dim=1)
        weights = weights * there[..., None]
        pooled = torch.einsum("nlh,nld->nhd", weights, read)
        embedded = self.embeddings(ids, codes, self.id_dropout)
        output = self.layers(torch.cat([embedded, numbers, pooled.flatten(1)], dim=1))
        vectors = nn.functional.normalize(output + pooled.sum(dim=1), dim=1)
        repeats = said[..., self.heads] + (said[..., self.heads + 1 :] * past.repeat).sum(dim=-1)
        return vectors, repeats


class TwoTower(nn.Module):
    """Both towers, and the scale between lengths of one and logits."""

    def __init__(
        self,
        shape: NetworkShape,
        *,
        scale: float = 10.0,
        article_id_dropout: float = 0.0,
        customer_id_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.articles = ArticleTower(shape, article_id_dropout)
        self.customers = CustomerTower(shape, customer_id_dropout)
        self.log_scale = nn.Parameter(torch.tensor(scale).log())

    def score(self, customers: Tensor, articles: ArticleVectors) -> Tensor:
        """The dense part of the scores; (n, dimension) × m articles -> (n, m)."""
        return self.log_scale.exp() * (customers @ articles.dense.T) + articles.bias

    def score_each(self, customers: Tensor, articles: ArticleVectors) -> Tensor:
        """The same for articles of each customer's own; (n, dimension) × (n, m, …) -> (n, m)."""
        products = torch.einsum("nd,nmd->nm", customers, articles.dense)
        return self.log_scale.exp() * products + articles.bias

    def sparse_parameters(self) -> list[nn.Parameter]:
        """The embeddings, whose gradients are sparse."""
        return [
            parameter
            for tower in (self.articles, self.customers)
            for parameter in tower.embeddings.parameters()
        ]

    def dense_parameters(self) -> list[nn.Parameter]:
        """All others."""
        sparse = {id(parameter) for parameter in self.sparse_parameters()}
        return [parameter for parameter in self.parameters() if id(parameter) not in sparse]
