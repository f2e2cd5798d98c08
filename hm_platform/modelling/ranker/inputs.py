"""Binds a snapshot and candidates to the functions of :mod:`.pair_features`.

Importing this module imports Hamilton, which takes seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from hamilton import driver
from numpy.typing import NDArray

from hm_platform.features.graphs import execute
from hm_platform.features.snapshot import Histories, Snapshot
from hm_platform.modelling.baselines.popularity import WEEK_DAYS, SegmentShares
from hm_platform.modelling.candidates import Candidates
from hm_platform.modelling.ranker.pair_features import MODULES
from hm_platform.modelling.ranker.pair_features.kinds import GroupHistory
from hm_platform.modelling.ranking import find, gather_rows
from hm_platform.modelling.two_tower import TwoTowerScorer

Floats = NDArray[np.float32]
KINDS = {"product_type": "product_type_code", "product": "product_code"}
"""Input of the pair features -> the article feature whose categories are the kinds."""

AGE_PRIOR = 5.0
"""Buyers of mean age that are added to an article's own, so that one buyer does not make it."""


@cache
def graph() -> driver.Driver:
    """The Hamilton driver of the pair features."""
    return driver.Builder().with_modules(*MODULES).build()


@cache
def feature_groups() -> Mapping[str, str]:
    """Pair feature -> its group, in the order of their names."""
    found = {
        v.name: v.tags["group"] for v in graph().list_available_variables() if "group" in v.tags
    }
    return {name: str(found[name]) for name in sorted(found)}


@cache
def _read(prefix: str) -> tuple[str, ...]:
    """The inputs of the graph that begin with the prefix, without it."""
    outside = (v.name for v in graph().list_available_variables() if v.is_external_input)
    return tuple(sorted(name.removeprefix(prefix) for name in outside if name.startswith(prefix)))


class PairFeatures:
    """The pair features of one snapshot.

    two_tower : the retrieval model, prepared for the snapshot
    names : the features, in the order of the columns
    """

    def __init__(self, snapshot: Snapshot, two_tower: TwoTowerScorer) -> None:
        self.names: Sequence[str] = tuple(feature_groups())
        self._snapshot = snapshot
        self._two_tower = two_tower
        self._segments = SegmentShares(snapshot)
        self._buyers_age = _buyers_age(snapshot)

    def matrix(self, customers: NDArray[np.int32], candidates: Candidates) -> Floats:
        """All features of the candidates of these customers; float32, shape (pairs, features), a
        feature's values next to each other."""
        snapshot = self._snapshot
        row, articles = candidates.row, candidates.articles
        who = customers[row]
        past_row, past = gather_rows(snapshot.histories.offsets, customers)
        of_pair = _pair_history(snapshot.histories, past_row, past, row, articles)
        dense, repeat = self._two_tower.score(customers, row, articles)
        inputs = {
            **of_pair,
            **{
                f"customer_{name}": snapshot.customers[name][who].astype(np.float32)
                for name in _read("customer_")
            },
            **{
                f"article_{name}": snapshot.articles[name][articles].astype(np.float32)
                for name in _read("article_")
            },
            **_sources(candidates),
            **_kinds(snapshot, past_row, past, row, articles),
            "distinct_articles": np.bincount(past_row, minlength=len(customers))[row].astype(
                np.float32
            ),
            "usual_price": _usual_price(snapshot, past_row, past, len(customers))[row],
            "segment_share": self._segments.mean(self._segments.of_customer[who], articles).astype(
                np.float32
            ),
            "same_buyers_age": self._buyers_age[articles],
            "two_tower_dense": dense,
            "two_tower_repeat": np.where(
                np.isnan(of_pair["days_since_last"]), np.float32(np.nan), repeat
            ),
        }
        found = execute(graph(), self.names, inputs, f"pair features before {snapshot.cutoff}")
        return np.stack([found[name] for name in self.names]).T


def _sources(candidates: Candidates) -> dict[str, Floats]:
    """Each source's scores, NaN for a source that is not asked."""
    column = {name: candidates.scores[:, i] for i, name in enumerate(candidates.sources)}
    missing = np.full(len(candidates.row), np.nan, np.float32)
    return {f"source_{name}": column.get(name, missing) for name in _read("source_")}


def _pair_history(
    histories: Histories,
    past_row: NDArray[np.int64],
    past: NDArray[np.int64],
    row: NDArray[np.int64],
    articles: NDArray[np.int32],
) -> dict[str, Floats]:
    """What the customer's history says of each pair, NaN where it is not in the history."""
    bought = histories.articles[past]
    base = 1 + max(int(bought.max(initial=0)), int(articles.max(initial=0)))
    keys = past_row * base + bought
    order = np.argsort(keys)
    place = find(keys[order], row * base + articles)
    known = place >= 0
    entry = past[order[place[known]]]

    def of(values: NDArray) -> Floats:
        result = np.full(len(row), np.nan, np.float32)
        result[known] = values[entry]
        return result

    return {
        "days_since_last": of(histories.days_since_last),
        "days_since_first": of(histories.days_since_first),
        "days_since_previous": of(histories.days_since_previous),
        "shopping_days": of(histories.days),
        "purchases": of(histories.purchases),
        "trips_since_last": of(histories.trips_since_last),
        "trips_since_first": of(histories.trips_since_first),
        "decayed_14": of(histories.decayed[:, 0]),
        "decayed_60": of(histories.decayed[:, 1]),
        "decayed_180": of(histories.decayed[:, 2]),
    }


def _kinds(
    snapshot: Snapshot,
    past_row: NDArray[np.int64],
    past: NDArray[np.int64],
    row: NDArray[np.int64],
    articles: NDArray[np.int32],
) -> dict[str, GroupHistory]:
    """How each customer bought articles of the kinds of its candidates."""
    histories = snapshot.histories
    found = {}
    for kind, feature in KINDS.items():
        codes = snapshot.articles[feature].astype(np.int64)
        n_codes = int(codes.max(initial=0)) + 1
        bought = codes[histories.articles[past]]
        known = bought > 0
        keys = past_row[known] * n_codes + bought[known]
        entry = past[known]
        order = np.argsort(keys, kind="stable")
        keys, entry = keys[order], entry[order]
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        place = find(keys[starts], row * n_codes + codes[articles])
        found[kind] = _group(histories, entry, starts, place)
    return found


def _group(
    histories: Histories,
    entry: NDArray[np.int64],
    starts: NDArray[np.int64],
    place: NDArray[np.int64],
) -> GroupHistory:
    there = place >= 0

    def of(values: NDArray) -> Floats:
        result = np.full(len(place), np.nan, np.float32)
        if len(starts):
            result[there] = values[place[there]]
        return result

    if not len(starts):
        return GroupHistory(*(of(starts) for _ in range(5)))
    return GroupHistory(
        days_since_last=of(np.minimum.reduceat(histories.days_since_last[entry], starts)),
        days_since_first=of(np.maximum.reduceat(histories.days_since_first[entry], starts)),
        shopping_days=of(np.add.reduceat(histories.days[entry], starts)),
        decayed_60=of(np.add.reduceat(histories.decayed[entry, 1].astype(np.float64), starts)),
        articles=of(np.diff(starts, append=len(entry))),
    )


def _usual_price(
    snapshot: Snapshot, past_row: NDArray[np.int64], past: NDArray[np.int64], n: int
) -> Floats:
    """Each customer's mean standardised price by recency, NaN without history; shape (n,)."""
    weight = snapshot.histories.decayed[past, 1].astype(np.float64)
    paid = snapshot.articles["price_scaled"][snapshot.histories.articles[past]]
    total = np.bincount(past_row, weight, minlength=n)
    result = np.full(n, np.nan)
    np.divide(np.bincount(past_row, weight * paid, minlength=n), total, out=result, where=total > 0)
    return result.astype(np.float32)


def _buyers_age(snapshot: Snapshot) -> Floats:
    """Mean standardised age of last week's buyers of each article, drawn to everybody's; shape
    (articles,).

    Of last week's only: a snapshot of a past week holds no others' histories for certain.
    """
    histories = snapshot.histories
    age = np.repeat(snapshot.customers["age_scaled"], histories.lengths()).astype(np.float64)
    known = np.repeat(snapshot.customers["age_band_code"] > 0, histories.lengths())
    known &= histories.days_since_last <= WEEK_DAYS
    bought = histories.articles[known]
    total = np.bincount(bought, age[known], minlength=snapshot.n_articles)
    buyers = np.bincount(bought, minlength=snapshot.n_articles)
    return (total / (buyers + AGE_PRIOR)).astype(np.float32)
