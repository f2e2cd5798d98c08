"""The trained two-tower model as a recommender: exact search over the whole catalogue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.histories import history_block, snapshot_entries
from hm_platform.modelling.inputs import Entities, snapshot_articles, snapshot_customers
from hm_platform.modelling.network import ArticleVectors, TwoTower
from hm_platform.modelling.ranking import empty, in_blocks
from hm_platform.modelling.recommenders import SOURCES, Recommendations, eligible_articles
from hm_platform.modelling.search import search

TWO_TOWER = SOURCES.index("two_tower")
CUSTOMER_BLOCK = 256
ARTICLE_BLOCK = 8192


@dataclass(frozen=True)
class TwoTowerScorer:
    """The model at one cut-off.

    articles : vectors of all articles of the snapshot
    eligible : int32, shape (eligible,), the articles that may be recommended, ascending
    place : int64, shape (articles,), position among the eligible, -1 where not
    """

    network: TwoTower
    snapshot: Snapshot
    customers: Entities
    articles: ArticleVectors
    candidates: ArticleVectors
    eligible: NDArray[np.int32]
    place: NDArray[np.int64]
    history_length: int

    def top(self, customers: NDArray[np.int32], k: int) -> Recommendations:
        return in_blocks(customers, k, CUSTOMER_BLOCK, lambda block: self._top(block, k))

    def _top(self, customers: NDArray[np.int32], k: int) -> Recommendations:
        result = empty(len(customers), k)
        if len(self.eligible) == 0 or len(customers) == 0:
            return result
        # Always a full block: how a matrix product is rounded depends on its shape, and a
        # customer's list must not depend on who else is asked for.
        asked = np.resize(customers, CUSTOMER_BLOCK)
        with torch.inference_mode():
            vectors, extra = self._embed(asked)
            scores, columns = search(vectors, self.candidates.dense, self.candidates.bias, extra, k)
        n, width = len(customers), scores.shape[1]
        result.articles[:, :width] = self.eligible[columns.numpy()[:n]]
        result.scores[:, :width] = scores.numpy()[:n]
        result.sources[:] = TWO_TOWER
        return result

    def _embed(self, asked: NDArray[np.int32]) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        """Scaled customer vectors, and the sparse part of the scores as (row, place, value)."""
        who = self.customers.take(asked)
        entries = snapshot_entries(self.snapshot.histories, asked, self.history_length)
        history = history_block(entries, len(asked), self.history_length)
        vectors, repeats = self.network.customers(
            torch.from_numpy(who.ids),
            torch.from_numpy(who.codes),
            torch.from_numpy(np.concatenate([who.numbers, history.customer], axis=1)),
            self.articles.take(torch.from_numpy(history.articles)),
            torch.from_numpy(history.numbers),
            torch.from_numpy(history.known),
        )
        place = np.where(history.known, self.place[history.articles], -1)
        row, column = np.nonzero(place >= 0)
        at = torch.from_numpy(row), torch.from_numpy(column)
        extra = at[0], torch.from_numpy(place[row, column]), repeats[at]
        return vectors * self.network.log_scale.exp(), extra


class TwoTowerRecommender:
    """A trained network and the ids that its embeddings are of.

    Articles and customers of a snapshot are matched to embeddings by id, so that a model can be
    used on any later week: what it does not know reads row 0, and attributes and histories speak.

    network : in evaluation mode
    article_ids, customer_ids : the ids of rows 1, 2, … of the id embeddings
    history_length : distinct articles of a history that are read, at most
    """

    name = "two_tower"

    def __init__(
        self,
        network: TwoTower,
        article_ids: pa.Array,
        customer_ids: pa.Array,
        history_length: int,
    ) -> None:
        for what, ids, rows in (
            ("article", article_ids, network.shape.articles),
            ("customer", customer_ids, network.shape.customers),
        ):
            if len(ids) != rows:
                raise ModellingError(f"{len(ids)} {what} ids for {rows} {what} embeddings")
        self.network = network
        self.article_ids = article_ids
        self.customer_ids = customer_ids
        self.history_length = history_length

    def prepare(self, snapshot: Snapshot) -> TwoTowerScorer:
        """Embed all articles once."""
        shape = self.network.shape
        customers = snapshot_customers(snapshot, self.customer_ids, shape.customer_sizes)
        if customers.numbers.shape[1] != shape.customer_numbers:
            raise ModellingError(
                f"the snapshot has {customers.numbers.shape[1]} scaled customer features, the "
                f"model was trained with {shape.customer_numbers}"
            )
        articles = self._embed_articles(
            snapshot_articles(snapshot, self.article_ids, shape.article_sizes)
        )
        eligible = eligible_articles(snapshot)
        place = np.full(snapshot.n_articles, -1, dtype=np.int64)
        place[eligible] = np.arange(len(eligible))
        rows = torch.from_numpy(eligible.astype(np.int64))
        return TwoTowerScorer(
            self.network,
            snapshot,
            customers,
            articles,
            articles.take(rows),
            eligible,
            place,
            self.history_length,
        )

    def _embed_articles(self, articles: Entities) -> ArticleVectors:
        parts = []
        with torch.inference_mode():
            for start in range(0, max(len(articles.ids), 1), ARTICLE_BLOCK):
                part = slice(start, start + ARTICLE_BLOCK)
                parts.append(
                    self.network.articles(
                        torch.from_numpy(articles.ids[part]),
                        torch.from_numpy(articles.codes[part]),
                        torch.from_numpy(articles.numbers[part]),
                    )
                )
        return ArticleVectors(
            torch.cat([part.dense for part in parts]),
            torch.cat([part.bias for part in parts]),
            torch.cat([part.repeat for part in parts]),
        )
