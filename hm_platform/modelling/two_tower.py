"""The trained two-tower model as a recommender: exact search over the whole catalogue."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.embedded import EmbeddedCustomers, embed
from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.histories import HistoryEntries, listed_entries, snapshot_entries
from hm_platform.modelling.inputs import Entities, snapshot_articles, snapshot_customers
from hm_platform.modelling.network import ArticleVectors, TwoTower
from hm_platform.modelling.parallel import in_parallel
from hm_platform.modelling.ranking import empty, in_blocks
from hm_platform.modelling.recommenders import SOURCES, Recommendations, eligible_articles
from hm_platform.modelling.search import search

TWO_TOWER = SOURCES.index("two_tower")
CUSTOMER_BLOCK = 256
"""Customers for whom articles are searched at once."""

EMBEDDED_BLOCK = 1024
ARTICLE_BLOCK = 8192
SEARCHED_BLOCK = 131_072
"""Articles that are scored at once in a search: 128 MB of scores."""

PAIR_BLOCK = 16384


class _Own(threading.local):
    """What a thread keeps from one question to the next.

    customers, embedded : those of the last question
    scores : room for the scores of a search
    """

    customers: NDArray[np.int32] | None = None
    embedded: EmbeddedCustomers
    scores: Tensor | None = None


@dataclass(frozen=True)
class TwoTowerScorer:
    """The model at one cut-off. The threads of ``in_parallel`` may ask it at once.

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
    _own: _Own = field(default_factory=_Own, init=False, repr=False, compare=False)

    def top(self, customers: NDArray[np.int32], k: int) -> Recommendations:
        return in_blocks(
            customers, k, EMBEDDED_BLOCK, lambda block: self._best(self._embedded(block), k)
        )

    def top_for_articles(
        self,
        articles: Sequence[NDArray[np.integer]],
        k: int,
        ages: Sequence[NDArray[np.integer]] | None = None,
    ) -> Recommendations:
        """The k best articles for people of whom nothing is known but articles that they bought.

        articles : for each of n people article indices, the latest purchase last
        ages : for each of n people the days since these purchases, 1 or more; without them all
            were bought on the day before the cut-off, in the given order

        The scores are those that an unknown customer with this history has, so that what was
        bought may be recommended again, where that is what people do.
        Raises ModellingError when an index is not an article's, or an age is missing or below 1.
        """
        if ages is not None and len(ages) != len(articles):
            raise ModellingError(f"there are ages for {len(ages)} of {len(articles)} lists")
        for one in articles:
            if len(one) and not 0 <= int(np.min(one)) <= int(np.max(one)) < len(self.place):
                raise ModellingError(f"an article index is not in 0 to {len(self.place) - 1}")

        def top(asked: NDArray[np.int32]) -> Recommendations:
            entries = listed_entries(
                [articles[i] for i in asked],
                None if ages is None else [ages[i] for i in asked],
                self.history_length,
            )
            return self._best(self._embed(self._nobody(len(asked)), entries), k)

        return in_blocks(np.arange(len(articles), dtype=np.int32), k, EMBEDDED_BLOCK, top)

    def score(
        self, customers: NDArray[np.int32], row: NDArray[np.integer], articles: NDArray[np.integer]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Both parts of the scores of given pairs, eligible or not.

        row : shape (pairs,), positions in ``customers``, in any order
        articles : shape (pairs,), article indices

        Returns the dense part and the sparse part, both of shape (pairs,); the sparse part is 0
        where the article is not in the history that is read. Their sum is what ``top`` ranks by,
        up to rounding.
        """
        embedded = self._embedded(customers)
        dense = np.empty(len(row), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(row), PAIR_BLOCK):
                part = slice(start, start + PAIR_BLOCK)
                dense[part] = self._dense(embedded.vectors, row[part], articles[part])
        return dense, embedded.sparse(row, articles)

    def score_all(
        self, customers: NDArray[np.int32], articles: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """The dense part of the scores of these customers with each of these articles.

        The same as :meth:`score` gives, up to rounding, and far quicker for many articles of a
        customer. articles : article indices, eligible or not

        Returns float32, shape (customers, articles).
        """
        asked = self.articles.take(torch.from_numpy(articles.astype(np.int64))).together()
        result = np.empty((len(customers), len(articles)), dtype=np.float32)
        for start in range(0, len(customers), EMBEDDED_BLOCK):
            block = self._embedded(customers[start : start + EMBEDDED_BLOCK])
            with torch.inference_mode():
                scores = torch.addmm(asked.bias, block.vectors, asked.dense.T)
            result[start : start + len(scores)] = scores.numpy()
        return result

    def _embedded(self, customers: NDArray[np.int32]) -> EmbeddedCustomers:
        """Customers of the snapshot. The last ones are kept: they are asked for again when what was
        found for them is looked at more closely."""
        own = self._own
        if own.customers is None or not np.array_equal(own.customers, customers):
            entries = snapshot_entries(self.snapshot.histories, customers, self.history_length)
            own.embedded = self._embed(self.customers.take(customers), entries)
            own.customers = customers.copy()
        return own.embedded

    def _nobody(self, n: int) -> Entities:
        """Customers of whom nothing is known."""
        return Entities(
            np.zeros(n, dtype=np.int64),
            np.zeros((n, self.customers.codes.shape[1]), dtype=np.int64),
            np.zeros((n, self.customers.numbers.shape[1]), dtype=np.float32),
        )

    def _embed(self, who: Entities, entries: HistoryEntries) -> EmbeddedCustomers:
        with torch.inference_mode():
            return embed(self.network, self.articles, who, entries, self.history_length)

    def _best(self, asked: EmbeddedCustomers, k: int) -> Recommendations:
        """The k best of all eligible articles for each."""
        n = len(asked.vectors)
        result = empty(n, k)
        if len(self.eligible) == 0:
            return result
        result.sources[:] = TWO_TOWER
        room = self._own.scores
        if room is None:
            shape = CUSTOMER_BLOCK, min(len(self.eligible), SEARCHED_BLOCK)
            room = self._own.scores = torch.empty(shape)
        place = self.place[asked.articles]
        bounds = np.searchsorted(asked.row, np.arange(0, n + CUSTOMER_BLOCK, CUSTOMER_BLOCK))
        for start, low, high in zip(range(0, n, CUSTOMER_BLOCK), bounds, bounds[1:], strict=False):
            rows = np.arange(start, min(start + CUSTOMER_BLOCK, n))
            entry = low + np.flatnonzero(place[low:high] >= 0)
            extra = (
                torch.from_numpy(asked.row[entry] - start),
                torch.from_numpy(place[entry]),
                torch.from_numpy(asked.repeats[entry]),
            )
            with torch.inference_mode():
                # Always a full block, as in ``embed``.
                block = asked.vectors[torch.from_numpy(np.resize(rows, CUSTOMER_BLOCK))]
                vectors, bias = self.candidates.dense, self.candidates.bias
                scores, columns = search(block, vectors, bias, extra, k, room)
            width = scores.shape[1]
            result.articles[rows, :width] = self.eligible[columns.numpy()[: len(rows)]]
            result.scores[rows, :width] = scores.numpy()[: len(rows)]
        return result

    def _dense(
        self, vectors: Tensor, row: NDArray[np.integer], articles: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        # Always a full block, as in ``embed``.
        rows = torch.from_numpy(np.resize(row, PAIR_BLOCK).astype(np.int64))
        columns = torch.from_numpy(np.resize(articles, PAIR_BLOCK).astype(np.int64))
        near = self.articles.dense.index_select(0, columns)
        products = (vectors.index_select(0, rows) * near).sum(dim=1)
        scores: NDArray[np.float32] = (products + self.articles.bias[columns]).numpy()
        return scores[: len(row)]


class TwoTowerRecommender:
    """A trained network and the ids that its embeddings are of.

    Articles and customers of a snapshot are matched to embeddings by id, so that a model can be
    used on any later week: what it does not know reads row 0, and attributes and histories speak.

    network : in evaluation mode
    article_ids, customer_ids : the ids of rows 1, 2, … of the id embeddings
    history_length : distinct articles of a history that are read, at most
    """

    name = "two_tower"
    needs_history = True

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
            articles.take(rows).together(),
            eligible,
            place,
            self.history_length,
        )

    def _embed_articles(self, articles: Entities) -> ArticleVectors:
        def embedded(start: int) -> ArticleVectors:
            part = slice(start, start + ARTICLE_BLOCK)
            with torch.inference_mode():
                return self.network.articles(
                    torch.from_numpy(articles.ids[part]),
                    torch.from_numpy(articles.codes[part]),
                    torch.from_numpy(articles.numbers[part]),
                )

        starts = range(0, max(len(articles.ids), 1), ARTICLE_BLOCK)
        parts = list(in_parallel(embedded, starts))
        return ArticleVectors(
            torch.cat([part.dense for part in parts]),
            torch.cat([part.bias for part in parts]),
            torch.cat([part.repeat for part in parts]),
        )
