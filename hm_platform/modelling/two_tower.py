"""The trained two-tower model as a recommender: exact search over the whole catalogue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.histories import (
    HistoryBlock,
    HistoryEntries,
    history_block,
    listed_entries,
    snapshot_entries,
)
from hm_platform.modelling.inputs import Entities, snapshot_articles, snapshot_customers
from hm_platform.modelling.network import ArticleVectors, TwoTower
from hm_platform.modelling.ranking import empty, in_blocks
from hm_platform.modelling.recommenders import SOURCES, Recommendations, eligible_articles
from hm_platform.modelling.search import search

TWO_TOWER = SOURCES.index("two_tower")
CUSTOMER_BLOCK = 256
ARTICLE_BLOCK = 8192
PAIR_BLOCK = 16384

Reader = Callable[[NDArray[np.int32]], tuple[Entities, HistoryEntries]]


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
        return in_blocks(
            customers, k, CUSTOMER_BLOCK, lambda block: self._top(block, k, self._known)
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

        def top(block: NDArray[np.int32]) -> Recommendations:
            return self._top(block, k, lambda asked: self._listed(articles, ages, asked))

        return in_blocks(np.arange(len(articles), dtype=np.int32), k, CUSTOMER_BLOCK, top)

    def _top(self, asked: NDArray[np.int32], k: int, read: Reader) -> Recommendations:
        """The best for at most a block; ``read`` says who the asked ones are."""
        result = empty(len(asked), k)
        if len(self.eligible) == 0 or len(asked) == 0:
            return result
        # Always a full block: how a matrix product is rounded depends on its shape, and a
        # customer's list must not depend on who else is asked for.
        with torch.inference_mode():
            vectors, history, repeats = self._embed(*read(np.resize(asked, CUSTOMER_BLOCK)))
            extra = self._extra(history, repeats)
            scores, columns = search(vectors, self.candidates.dense, self.candidates.bias, extra, k)
        n, width = len(asked), scores.shape[1]
        result.articles[:, :width] = self.eligible[columns.numpy()[:n]]
        result.scores[:, :width] = scores.numpy()[:n]
        result.sources[:] = TWO_TOWER
        return result

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
        dense = np.zeros(len(row), dtype=np.float32)
        sparse = np.zeros(len(row), dtype=np.float32)
        order = np.argsort(row, kind="stable")
        starts = np.arange(0, len(customers) + CUSTOMER_BLOCK, CUSTOMER_BLOCK)
        bounds = np.searchsorted(row, starts, sorter=order)
        for start, low, high in zip(starts, bounds, bounds[1:], strict=False):
            if low == high:
                continue
            asked = customers[start : start + CUSTOMER_BLOCK]
            with torch.inference_mode():
                vectors, history, repeats = self._embed(
                    *self._known(np.resize(asked, CUSTOMER_BLOCK))
                )
                pairs = order[low:high]
                asked_row, asked_article = row[pairs] - start, articles[pairs]
                sparse[pairs] = _sparse(history, repeats.numpy(), asked_row, asked_article)
                for at in range(0, len(pairs), PAIR_BLOCK):
                    part = slice(at, at + PAIR_BLOCK)
                    dense[pairs[part]] = self._dense(vectors, asked_row[part], asked_article[part])
        return dense, sparse

    def score_all(
        self, customers: NDArray[np.int32], articles: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """The dense part of the scores of these customers with each of these articles.

        The same as :meth:`score` gives, up to rounding, and far quicker for many articles of a
        customer. articles : article indices, eligible or not

        Returns float32, shape (customers, articles).
        """
        rows = torch.from_numpy(articles.astype(np.int64))
        asked_articles = self.articles.take(rows)
        result = np.empty((len(customers), len(articles)), dtype=np.float32)
        for start in range(0, len(customers), CUSTOMER_BLOCK):
            asked = customers[start : start + CUSTOMER_BLOCK]
            with torch.inference_mode():
                vectors, _, _ = self._embed(*self._known(np.resize(asked, CUSTOMER_BLOCK)))
                products = vectors[: len(asked)] @ asked_articles.dense.T
                result[start : start + len(asked)] = products.add_(asked_articles.bias).numpy()
        return result

    def _dense(
        self, vectors: Tensor, row: NDArray[np.integer], articles: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        # Always a full block, as in _top.
        rows = torch.from_numpy(np.resize(row, PAIR_BLOCK).astype(np.int64))
        columns = torch.from_numpy(np.resize(articles, PAIR_BLOCK).astype(np.int64))
        products = (vectors[rows] * self.articles.dense[columns]).sum(dim=1)
        scores: NDArray[np.float32] = (products + self.articles.bias[columns]).numpy()
        return scores[: len(row)]

    def _known(self, asked: NDArray[np.int32]) -> tuple[Entities, HistoryEntries]:
        """Customers of the snapshot."""
        histories = self.snapshot.histories
        return self.customers.take(asked), snapshot_entries(histories, asked, self.history_length)

    def _listed(
        self,
        articles: Sequence[NDArray[np.integer]],
        ages: Sequence[NDArray[np.integer]] | None,
        asked: NDArray[np.int32],
    ) -> tuple[Entities, HistoryEntries]:
        """Unknown customers with some of these histories."""
        nobody = Entities(
            np.zeros(len(asked), dtype=np.int64),
            np.zeros((len(asked), self.customers.codes.shape[1]), dtype=np.int64),
            np.zeros((len(asked), self.customers.numbers.shape[1]), dtype=np.float32),
        )
        entries = listed_entries(
            [articles[i] for i in asked],
            None if ages is None else [ages[i] for i in asked],
            self.history_length,
        )
        return nobody, entries

    def _embed(self, who: Entities, entries: HistoryEntries) -> tuple[Tensor, HistoryBlock, Tensor]:
        """Scaled customer vectors, histories, and the sparse part of each past article's score."""
        history = history_block(entries, len(who.ids), self.history_length)
        vectors, repeats = self.network.customers(
            torch.from_numpy(who.ids),
            torch.from_numpy(who.codes),
            torch.from_numpy(np.concatenate([who.numbers, history.customer], axis=1)),
            self.articles.take(torch.from_numpy(history.articles)),
            torch.from_numpy(history.numbers),
            torch.from_numpy(history.known),
        )
        return vectors * self.network.log_scale.exp(), history, repeats

    def _extra(self, history: HistoryBlock, repeats: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The sparse part of the scores of eligible articles as (row, place, value)."""
        place = np.where(history.known, self.place[history.articles], -1)
        row, column = np.nonzero(place >= 0)
        at = torch.from_numpy(row), torch.from_numpy(column)
        return at[0], torch.from_numpy(place[row, column]), repeats[at]


def _sparse(
    history: HistoryBlock,
    repeats: NDArray[np.float32],
    row: NDArray[np.integer],
    articles: NDArray[np.integer],
) -> NDArray[np.float32]:
    """The values of pairs among those of histories, 0 where there is none; shape (pairs,)."""
    owner, column = np.nonzero(history.known)
    if not len(owner):
        return np.zeros(len(row), dtype=np.float32)
    past = history.articles[owner, column]
    base = 1 + max(int(past.max(initial=0)), int(articles.max(initial=0)))
    keys = owner * base + past
    order = np.argsort(keys)
    wanted = row.astype(np.int64) * base + articles
    place = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
    entry = order[place]
    values = repeats[owner[entry], column[entry]]
    return np.where(keys[entry] == wanted, values, 0).astype(np.float32)


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
