"""Customers as the customer tower sees them: embedded once, then scored with any articles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hm_platform.modelling.histories import HistoryEntries, history_block
from hm_platform.modelling.inputs import Entities
from hm_platform.modelling.network import ArticleVectors, TwoTower
from hm_platform.modelling.ranking import find, gather_rows, rank_within

AT_ONCE = 128
LENGTHS = (16, 48)
"""Histories are padded to the first of these that has room for them, or to the most that is read:
most customers' are far shorter than that."""


@dataclass(frozen=True)
class EmbeddedCustomers:
    """n customers at one cut-off.

    vectors : shape (n, dimension), scaled: their products with articles' vectors are the dense part
        of the scores
    row, articles : int64, shape (entries,), the past articles of each, by row; no pair twice
    repeats : float32, shape (entries,), the sparse part of the score of each of these
    """

    vectors: Tensor
    row: NDArray[np.int64]
    articles: NDArray[np.int64]
    repeats: NDArray[np.float32]

    def sparse(
        self, row: NDArray[np.integer], articles: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """The sparse part of the scores of pairs, 0 where there is none; shape (pairs,)."""
        base = 1 + max(int(self.articles.max(initial=0)), int(articles.max(initial=0)))
        keys = self.row * base + self.articles
        order = np.argsort(keys)
        place = find(keys[order], row.astype(np.int64) * base + articles)
        known = place >= 0
        result = np.zeros(len(row), dtype=np.float32)
        result[known] = self.repeats[order[place[known]]]
        return result


def embed(
    network: TwoTower,
    articles: ArticleVectors,
    who: Entities,
    entries: HistoryEntries,
    longest: int,
) -> EmbeddedCustomers:
    """Embed customers, those with short histories apart from those with long ones.

    articles : the vectors of all articles
    entries : the histories of all of ``who``, of at most ``longest`` articles each

    Always full blocks: how a matrix product is rounded depends on its shape, and what is said of a
    customer must not depend on who else is asked for.
    """
    n = len(who.ids)
    counts = np.bincount(entries.row, minlength=n)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    lengths = [*(length for length in LENGTHS if length < longest), longest]
    kind = np.searchsorted(lengths, counts)
    vectors = torch.empty((n, network.shape.dimension))
    repeats = np.empty(len(entries.row), dtype=np.float32)
    for number, length in enumerate(lengths):
        alike = np.flatnonzero(kind == number)
        for start in range(0, len(alike), AT_ONCE):
            asked = alike[start : start + AT_ONCE]
            block = np.resize(asked, AT_ONCE)
            row, entry = gather_rows(offsets, block)
            history = history_block(entries.take(row, entry), AT_ONCE, length)
            about = who.take(block)
            found, said = network.customers(
                torch.from_numpy(about.ids),
                torch.from_numpy(about.codes),
                torch.from_numpy(np.concatenate([about.numbers, history.customer], axis=1)),
                articles.take(torch.from_numpy(history.articles)),
                torch.from_numpy(history.numbers),
                torch.from_numpy(history.known),
            )
            vectors[asked] = found[: len(asked)]
            mine = row < len(asked)
            repeats[entry[mine]] = said.numpy()[row[mine], rank_within(row)[mine]]
    return EmbeddedCustomers(
        vectors * network.log_scale.exp(), entries.row, entries.articles.astype(np.int64), repeats
    )
