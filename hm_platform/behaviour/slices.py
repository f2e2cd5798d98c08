"""Ways to divide the test customers, and the articles, into groups to be looked at alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hm_platform.behaviour.inputs import ReportInputs
from hm_platform.features.encoders import AGE_BANDS

ACTIVITY_EDGES = (0, 1, 5, 20, 100, 500)
"""The fewest past purchases of each activity group. The same in every week and data set, so that
weeks can be compared; groups that nobody is in are left out."""

ONLINE_EDGES = (0.05, 0.95)
"""Shares of a customer's purchases that were online: below the first it is a store customer, from
the second on an online one."""

MOST_GROUPS = 12
"""Product groups with fewer purchases than the first so many are one group together."""

NEW_DAYS = 28
"""For how many days after its first sale an article is new."""

HEAD_SHARE = 0.01
"""The head of the catalogue: this share of the articles that can be recommended."""

MIDDLE_SHARE = 0.2
"""Head and middle together; the rest is the long tail."""

UNKNOWN = "not known"


@dataclass(frozen=True)
class Slice:
    """A division of the test customers, or of the articles.

    labels : what to call each group, in order
    codes : shape (n,) or (articles,), the group of each, a position in labels
    """

    labels: tuple[str, ...]
    codes: NDArray[np.int64]


def of_customers(inputs: ReportInputs) -> Mapping[str, Slice]:
    """Every division of the test customers: test name -> groups."""
    return {
        "activity": activity(inputs),
        "age": age(inputs),
        "club_status": club_status(inputs),
        "channel": channel(inputs),
    }


def of_articles(inputs: ReportInputs) -> Mapping[str, Slice]:
    """Every division of the articles: test name -> groups."""
    return {
        "product_group": product_group(inputs),
        "article_popularity": popularity(inputs),
        "article_age": article_age(inputs),
    }


def activity(inputs: ReportInputs) -> Slice:
    """Test customers by how many purchases they had made before the cut-off."""
    past = inputs.snapshot.customers["purchases_total"][inputs.customers]
    return Slice(
        ranges(ACTIVITY_EDGES), np.searchsorted(ACTIVITY_EDGES, past, side="right").astype(int) - 1
    )


def age(inputs: ReportInputs) -> Slice:
    """Test customers by the age band of the catalogue of customers."""
    labels = (UNKNOWN, f"under {AGE_BANDS[1]}", *ranges(AGE_BANDS[1:]))
    return _by_code(inputs, "age_band_code", labels)


def club_status(inputs: ReportInputs) -> Slice:
    """Test customers by their standing in the membership club."""
    return _by_code(inputs, "club_member_status_code", (UNKNOWN, *inputs.club_statuses))


def channel(inputs: ReportInputs) -> Slice:
    """Test customers by where they had bought before the cut-off."""
    labels = ("mostly in stores", "both", "mostly online", "no purchase")
    shares = inputs.snapshot.customers.get("online_share")
    if shares is None:
        return Slice(labels, np.full(inputs.n, 3))
    share = shares[inputs.customers]
    codes = np.searchsorted(ONLINE_EDGES, share, side="right")
    return Slice(labels, np.where(np.isnan(share), 3, codes))


def product_group(inputs: ReportInputs) -> Slice:
    """Articles by product group; the groups with the fewest sales in the test week together."""
    if inputs.catalogue is None:
        return Slice((UNKNOWN,), np.zeros(inputs.n_articles, dtype=int))
    named = pc.fill_null(inputs.catalogue["product_group_name"].combine_chunks(), UNKNOWN)
    encoded = pc.dictionary_encode(named)
    names = np.array(encoded.dictionary.to_pylist(), dtype=object)
    codes = encoded.indices.to_numpy().astype(int)
    sold = np.bincount(codes[inputs.bought.articles], minlength=len(names))
    order = np.lexsort((names.astype(str), -sold))
    place = np.empty(len(names), dtype=int)
    place[order] = np.arange(len(names))
    if len(names) <= MOST_GROUPS:
        return Slice(tuple(names[order]), place[codes])
    labels = (*names[order[: MOST_GROUPS - 1]], "all other groups")
    return Slice(tuple(labels), np.minimum(place, MOST_GROUPS - 1)[codes])


def popularity(inputs: ReportInputs) -> Slice:
    """Articles by their sales in the four weeks before the cut-off: head, middle, long tail.

    Equal sales go to the lower index. Articles never sold before are a group of their own.
    """
    rank = sales_rank(inputs)
    eligible = inputs.recommendable()
    n = int(np.count_nonzero(eligible))
    edges = [np.ceil(HEAD_SHARE * n), np.ceil(MIDDLE_SHARE * n)]
    codes = np.where(eligible, np.searchsorted(edges, rank, side="right"), 3)
    labels = ("best sellers (1%)", "middle (19%)", "long tail (80%)", "never sold before")
    return Slice(labels, codes)


def article_age(inputs: ReportInputs) -> Slice:
    """Articles by how long ago their first sale was: nobody can recommend what was never sold."""
    labels = (f"new: first sold within {NEW_DAYS} days", "older", "never sold before")
    since = inputs.snapshot.articles.get("days_since_first_sale")
    if since is None:
        since = np.full(inputs.n_articles, NEW_DAYS + 1)
    codes = np.where(since > NEW_DAYS, 1, 0)
    return Slice(labels, np.where(inputs.recommendable(), codes, 2))


def sales_rank(inputs: ReportInputs) -> NDArray[np.int64]:
    """Each article's place by its sales in the four weeks before the cut-off, best seller 0; those
    that cannot be recommended come last; equal sales go to the lower index."""
    sold = np.where(
        inputs.recommendable(), inputs.snapshot.articles["purchases_last_4_weeks"], -1
    ).astype(np.int64)
    rank = np.empty(len(sold), dtype=np.int64)
    rank[np.argsort(-sold, kind="stable")] = np.arange(len(sold))
    return rank


def ranges(edges: tuple[int, ...]) -> tuple[str, ...]:
    """``0``, ``1–4``, …, ``500 or more``: the whole numbers between edges, in words."""
    ends = [*(edge - 1 for edge in edges[1:]), None]
    return tuple(
        f"{first} or more" if last is None else str(first) if first == last else f"{first}–{last}"
        for first, last in zip(edges, ends, strict=True)
    )


def _by_code(inputs: ReportInputs, feature: str, labels: tuple[str, ...]) -> Slice:
    codes = inputs.snapshot.customers.get(feature)
    if codes is None:
        return Slice(labels, np.zeros(inputs.n, dtype=int))
    # A category that was in no training purchase is as unknown as none.
    asked = codes[inputs.customers].astype(int)
    return Slice(labels, np.where(asked < len(labels), asked, 0))


def codes_of(values: pa.ChunkedArray) -> NDArray[np.int64]:
    """Equal values, equal code; -1 where missing; shape (articles,)."""
    encoded = pc.dictionary_encode(values.combine_chunks())
    return pc.fill_null(encoded.indices, -1).to_numpy().astype(np.int64)
