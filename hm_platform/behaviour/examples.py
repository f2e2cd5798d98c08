"""A few customers to look at: who they are is fixed by rules, hits and misses alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hm_platform.behaviour.inputs import ReportInputs
from hm_platform.behaviour.measures import bought_after, known_before

RECENT = 6
"""How many of a customer's latest articles are shown."""
BOUGHT = 8
"""How many of the articles bought in the test week are shown."""


@dataclass(frozen=True)
class ShownArticle:
    """An article in an example.

    name : None when it has none
    bought : in the test week
    known : bought before the cut-off
    days_ago : days from the last purchase to the cut-off, for past purchases
    """

    article_id: str
    name: str | None
    bought: bool = False
    known: bool = False
    days_ago: int | None = None


@dataclass(frozen=True)
class Example:
    """One customer, with the published recommender's list.

    why : the rule that chose the customer
    more_bought : articles bought in the test week beyond those shown
    """

    why: str
    customer_id: str
    past_purchases: int
    average_precision: float
    recent: tuple[ShownArticle, ...]
    recommended: tuple[ShownArticle, ...]
    bought: tuple[ShownArticle, ...]
    more_bought: int


def choose(inputs: ReportInputs) -> list[tuple[str, int]]:
    """(rule, row) of the customers to show, no row twice; a rule that fits nobody is left out.

    Ties go to the lower row, so that the same inputs give the same examples.
    """
    precision = inputs.recommender(inputs.challenger).metrics.map
    past = _past_purchases(inputs)
    basket = np.diff(inputs.bought.offsets)
    hits = np.flatnonzero((precision > 0) & (past > 0))
    misses = np.flatnonzero((precision == 0) & (past > 0))
    rules = [
        ("A typical hit: the median list among those with a hit", _median(hits, precision)),
        ("The best list of all", _first(hits, -precision, -basket)),
        ("A typical miss: the median number of past purchases", _median(misses, past)),
        ("The largest basket without a hit", _first(misses, -basket)),
        ("No purchase before the test week", _first(np.flatnonzero(past == 0), -precision)),
    ]
    chosen: dict[int, str] = {}
    for rule, row in rules:
        if row is not None:
            chosen.setdefault(row, rule)
    return [(rule, row) for row, rule in chosen.items()]


def examples(inputs: ReportInputs) -> list[Example]:
    """The chosen customers with what they bought before, were recommended and bought then."""
    published = inputs.recommender(inputs.challenger)
    past = _past_purchases(inputs)
    known = known_before(inputs, published.articles)
    hit = bought_after(inputs, published.articles)
    shown = []
    for why, row in choose(inputs):
        customer = int(inputs.customers[row])
        bought = _bought(inputs, row)
        listed = published.articles[row]
        shown.append(
            Example(
                why=why,
                customer_id=inputs.snapshot.customer_ids[customer].as_py(),
                past_purchases=int(past[row]),
                average_precision=float(published.metrics.map[row]),
                recent=_recent(inputs, customer),
                recommended=tuple(
                    _article(inputs, a, bought=bool(h), known=bool(kn))
                    for a, h, kn in zip(listed, hit[row], known[row], strict=True)
                    if a >= 0
                ),
                bought=tuple(_article(inputs, a, bought=True) for a in bought[:BOUGHT]),
                more_bought=max(0, len(bought) - BOUGHT),
            )
        )
    return shown


def _past_purchases(inputs: ReportInputs) -> NDArray[np.int64]:
    return inputs.snapshot.customers["purchases_total"][inputs.customers].astype(np.int64)


def _first(rows: NDArray[np.int64], *keys: NDArray) -> int | None:
    """The row with the smallest first key, of those the smallest second key, and so on."""
    if not len(rows):
        return None
    return int(rows[np.lexsort([key[rows] for key in reversed(keys)])[0]])


def _median(rows: NDArray[np.int64], key: NDArray) -> int | None:
    """The row in the middle when ordered by key (the lower one of two)."""
    if not len(rows):
        return None
    return int(rows[np.argsort(key[rows], kind="stable")[(len(rows) - 1) // 2]])


def _recent(inputs: ReportInputs, customer: int) -> tuple[ShownArticle, ...]:
    history = inputs.snapshot.histories
    start, end = history.offsets[customer], history.offsets[customer + 1]
    return tuple(
        _article(inputs, history.articles[i], known=True, days_ago=int(history.days_since_last[i]))
        for i in range(start, min(end, start + RECENT))
    )


def _bought(inputs: ReportInputs, row: int) -> NDArray[np.int32]:
    """The distinct articles of one test customer, those recommended first."""
    offsets, articles = inputs.bought.offsets, inputs.bought.articles
    bought = articles[offsets[row] : offsets[row + 1]]
    listed = np.isin(bought, inputs.recommender(inputs.challenger).articles[row])
    return bought[np.argsort(~listed, kind="stable")]


def _article(
    inputs: ReportInputs,
    index: int,
    *,
    bought: bool = False,
    known: bool = False,
    days_ago: int | None = None,
) -> ShownArticle:
    i = int(index)
    name = inputs.names[i].as_py() if inputs.names is not None else None
    return ShownArticle(
        inputs.snapshot.article_ids[i].as_py(), name or None, bought, known, days_ago
    )
