"""What is known at a cut-off, as arrays: the only thing a recommender sees when it recommends.

A snapshot is assembled from the ``features/*`` tables of one week and one split. Every article and
every customer of the week has a row; the row number is the ``article_index`` or
``customer_index`` of ``datasets/article_index`` and ``datasets/customer_index``. Entities that
were in the training split come first, so an index below ``training_articles`` (or
``training_customers``) has an id embedding, and a later one is described by its attributes alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hm_platform.features import catalogue
from hm_platform.features.arrays import NEVER

_WITHOUT_PURCHASES = {"purchases": 0, "days": 0, "share": np.nan}
"""The units of the customer features that come from purchases, and what somebody without one has;
the others are attributes. Days since something are NEVER."""


@dataclass(frozen=True)
class Histories:
    """Each customer's distinct past articles, most recent first, in compressed sparse rows.

    Customer ``c`` owns the entries ``offsets[c]:offsets[c + 1]``.

    offsets : int64, shape (customers + 1,)
    articles : int32, shape (entries,), article indices
    purchases : int32, shape (entries,), how many were bought before the cut-off
    days : int32, shape (entries,), on how many days (shopping trips)
    days_since_last, days_since_first : int32, shape (entries,), days from the purchase to the
        cut-off; 1 means the day before it
    days_since_previous : int32, shape (entries,), the same for the last but one shopping day with
        the article; -1 where there was only one
    trips_since_last : int32, shape (entries,), shopping days of the customer after the last one
        with the article
    trips_since_first : int32, shape (entries,), shopping days of the customer from the first one
        with the article on, that one included
    decayed : float32, shape (entries, len(HALF_LIVES)), the pair's shopping days, each of age a
        worth ``2 ** (-a / half-life)``, for the half-lives of ``hm_platform.features.decay``
    """

    offsets: NDArray[np.int64]
    articles: NDArray[np.int32]
    purchases: NDArray[np.int32]
    days: NDArray[np.int32]
    days_since_last: NDArray[np.int32]
    days_since_first: NDArray[np.int32]
    days_since_previous: NDArray[np.int32]
    trips_since_last: NDArray[np.int32]
    trips_since_first: NDArray[np.int32]
    decayed: NDArray[np.float32]

    def lengths(self) -> NDArray[np.int64]:
        """How many distinct articles each customer has; shape (customers,)."""
        return np.diff(self.offsets)

    def without(self, customers: NDArray[np.bool_]) -> Histories:
        """The same, with nothing in it of some customers; ``customers`` has shape (customers,)."""
        lengths = self.lengths()
        kept = np.flatnonzero(np.repeat(~customers, lengths))
        ends = np.cumsum(np.where(customers, 0, lengths))
        return self.taking(np.concatenate([[0], ends]).astype(np.int64), kept)

    def taking(self, offsets: NDArray[np.int64], entries: NDArray[np.integer]) -> Histories:
        """Some entries, by their positions and in that order, divided at other offsets."""
        taken = {
            f.name: getattr(self, f.name)[entries] for f in fields(self) if f.name != "offsets"
        }
        return Histories(offsets, **taken)

    def replacing(self, customers: NDArray[np.integer], histories: Histories) -> Histories:
        """The same, with other histories for some customers.

        customers : indices, shape (m,), ascending
        histories : those of m customers, in that order
        """
        before = self.lengths()
        after = before.copy()
        after[customers] = histories.lengths()
        offsets = np.concatenate([[0], np.cumsum(after)]).astype(np.int64)
        others = np.ones(len(before), dtype=bool)
        others[customers] = False
        kept, stays = np.repeat(others, before), np.repeat(others, after)
        replaced = {}
        for name in (f.name for f in fields(self) if f.name != "offsets"):
            mine = getattr(self, name)
            values = np.empty((len(stays), *mine.shape[1:]), dtype=mine.dtype)
            values[stays] = mine[kept]
            values[~stays] = getattr(histories, name)
            replaced[name] = values
        return Histories(offsets, **replaced)


@dataclass(frozen=True)
class Neighbours:
    """Articles bought together, in compressed sparse rows, strongest first.

    Article ``a`` owns the entries ``offsets[a]:offsets[a + 1]``.

    offsets : int64, shape (articles + 1,)
    articles : int32, shape (entries,)
    scores : float32, shape (entries,), cosine of co-purchase, in (0, 1]
    """

    offsets: NDArray[np.int64]
    articles: NDArray[np.int32]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class Snapshot:
    """Everything known before ``cutoff`` about all articles and customers of a week.

    articles, customers : feature name -> array of shape (articles,) or (customers,); features
        that are codes of categories are named ``*_code`` (int32, 0 = unknown or missing), scaled
        numbers ``*_scaled`` (float32)
    """

    week: date
    split: str
    cutoff: date
    training_articles: int
    training_customers: int
    article_ids: pa.StringArray
    customer_ids: pa.StringArray
    articles: Mapping[str, NDArray]
    customers: Mapping[str, NDArray]
    histories: Histories
    copurchases: Neighbours

    @property
    def n_articles(self) -> int:
        return len(self.article_ids)

    @property
    def n_customers(self) -> int:
        return len(self.customer_ids)

    def purchase_features(self) -> list[catalogue.Column]:
        """The customer features of the snapshot that come from purchases."""
        return [
            feature
            for feature in catalogue.features("customers")
            if feature.tags["unit"] in _WITHOUT_PURCHASES and feature.name in self.customers
        ]

    def as_if_new(self, customers: NDArray[np.integer]) -> Snapshot:
        """The same, as if these customers had never bought and no model knew them.

        Their histories are empty, their ids null, what comes of purchases is as for somebody
        without one; their attributes stay. Article features and co-purchases stay too: they are
        sums over everybody, in which these customers' own purchases still count.

        customers : indices
        """
        hidden = np.zeros(self.n_customers, dtype=bool)
        hidden[customers] = True
        forgotten = {
            feature.name: _forgotten(self.customers[feature.name], feature, hidden)
            for feature in self.purchase_features()
        }
        return replace(
            self,
            customer_ids=pc.if_else(hidden, pa.scalar(None, pa.string()), self.customer_ids),
            customers={**self.customers, **forgotten},
            histories=self.histories.without(hidden),
        )


def _forgotten(values: NDArray, feature: catalogue.Column, hidden: NDArray[np.bool_]) -> NDArray:
    """A feature's values, with those of somebody without a purchase where they are hidden."""
    nothing = _WITHOUT_PURCHASES[feature.tags["unit"]]
    if feature.name.startswith("days_since_"):
        nothing = NEVER
    return np.where(hidden, values.dtype.type(nothing), values)
