"""The columns that the two-stage peer ranks by, each computed for all candidates at once.

Everything is as of the history's cut-off. A pair that never occurred has NaN where a value would
mean nothing, which LightGBM treats as a case of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmarks.quality.pairs import Pairs, trips
from benchmarks.quality.peers.two_stage.candidates import Candidates
from benchmarks.quality.protocol import History

HALF_LIVES = (5, 10, 20, 40, 80, 160)
TRIP_DECAYS = (0.7, 0.85, 0.95)
Values = NDArray[np.floating | np.integer]
Columns = dict[str, Values]


@dataclass(frozen=True)
class CustomerTrips:
    """Shopping days: of whom, when, and how many came later.

    number : int64, shape (customers,)
    keys : int64, ascending, customer << 32 | day
    """

    cutoff: int
    number: NDArray[np.int64]
    starts: NDArray[np.int64]
    keys: NDArray[np.int64]
    last: NDArray[np.int32]

    @staticmethod
    def of(history: History) -> CustomerTrips:
        customers, days = trips(history)
        number = np.bincount(customers, minlength=history.n_customers)
        starts = np.cumsum(number) - number
        last = np.zeros(history.n_customers, dtype=np.int32)
        last[customers] = days
        keys = customers.astype(np.int64) << 32 | days
        return CustomerTrips(history.cutoff, number, starts, keys, last)

    def later(self, customers: NDArray[np.integer], days: NDArray[np.integer]) -> NDArray[np.int64]:
        """How many trips each customer made after each day."""
        wanted = customers.astype(np.int64) << 32 | days
        place = np.searchsorted(self.keys, wanted, side="right")
        return self.starts[customers] + self.number[customers] - place

    def within(self, days: int) -> NDArray[np.int64]:
        """Each customer's trips in the last days."""
        recent = (self.keys & 0xFFFFFFFF) >= self.cutoff - days
        return np.bincount(self.keys[recent] >> 32, minlength=len(self.number))


def features(
    history: History, found: Pairs, neighbours: sparse.csr_matrix, wanted: Candidates
) -> Columns:
    """All columns, each of shape (candidates,)."""
    travelled = CustomerTrips.of(history)
    base = history.n_articles
    keys = found.customers.astype(np.int64) * base + found.articles
    asked = wanted.customers.astype(np.int64) * base + wanted.articles
    place = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    known = keys[place] == asked

    def at_pair(values: Columns) -> Columns:
        return {name: np.where(known, v[place], np.nan) for name, v in values.items()}

    def at_customer(values: Columns) -> Columns:
        return {name: v[wanted.customers] for name, v in values.items()}

    def at_article(values: Columns) -> Columns:
        return {name: v[wanted.articles] for name, v in values.items()}

    of_pairs = pair_columns(found, travelled)
    columns = (
        at_pair(of_pairs)
        | at_article(article_columns(history, found, of_pairs))
        | at_customer(customer_columns(history, found, travelled))
        | kind_columns("type", history.catalogue.product_types, found, wanted, of_pairs)
        | kind_columns("department", history.catalogue.departments, found, wanted, of_pairs)
    )
    columns["similar_customers"] = _at(neighbours, wanted.customers, wanted.articles)
    return {name: values.astype(np.float32) for name, values in columns.items()}


def pair_columns(found: Pairs, travelled: CustomerTrips) -> Columns:
    """How often, how recently and how regularly a customer bought an article; (pairs,) each."""
    starts = np.flatnonzero(np.r_[True, found.event_pair[1:] != found.event_pair[:-1]])
    days = found.days()
    first, last = found.event_day[starts], found.event_day[starts + days - 1]
    before_last = np.where(days > 1, found.event_day[starts + np.maximum(days - 2, 0)], 0)
    customers = found.customers
    age = (found.cutoff - last).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.where(days > 1, (last - first) / (days - 1), np.nan)
        gaps = np.diff(found.event_day, prepend=found.event_day[:1]).astype(np.float64)
        gaps[starts] = 0
        spread = np.sqrt(np.maximum(found.sum_events(gaps**2) / (days - 1) - gap**2, 0))
    later = travelled.later(customers, last)
    span = travelled.later(customers, first) + 1
    trip_gap = np.where(days > 1, (span - 1 - later) / np.maximum(days - 1, 1), np.nan)
    event_later = travelled.later(customers[found.event_pair], found.event_day)
    decays = {f"decayed_{h}": found.decayed(h) for h in HALF_LIVES}
    totals = np.bincount(customers, decays["decayed_80"], minlength=found.shape[0])
    return {
        **decays,
        **{f"trips_decayed_{r}": found.sum_events(r**event_later) for r in TRIP_DECAYS},
        "days": days,
        "purchases_a_day": found.purchases / days,
        "age": age,
        "first_age": found.cutoff - first,
        "gap": gap,
        "gap_spread": spread,
        "last_gap": np.where(days > 1, last - before_last, np.nan),
        "due": age / gap,
        "due_next_week": (age + 7) / gap,
        "trips_since": later,
        "trip_gap": trip_gap,
        "trips_due": later / trip_gap,
        "share_of_trips": days / travelled.number[customers],
        "share_of_trips_since_first": days / span,
        "share_of_habit": decays["decayed_80"] / totals[customers],
        "days_last_28": found.sum_events(found.event_day >= found.cutoff - 28),
    }


def customer_columns(history: History, found: Pairs, travelled: CustomerTrips) -> Columns:
    """How active a customer is; (customers,) each."""
    n = history.n_customers
    number = np.maximum(travelled.number, 1)
    articles = np.bincount(found.customers, minlength=n)
    events = np.bincount(found.customers[found.event_pair], minlength=n)
    return {
        "customer_age": history.catalogue.ages.astype(np.float64),
        "customer_trips": travelled.number,
        "customer_trips_28": travelled.within(28),
        "customer_trips_7": travelled.within(7),
        "customer_quiet": np.where(travelled.number > 0, history.cutoff - travelled.last, np.nan),
        "customer_articles": articles,
        "customer_basket": events / number,
        "customer_repeats": 1 - articles / np.maximum(events, 1),
    }


def article_columns(history: History, found: Pairs, of_pairs: Columns) -> Columns:
    """How an article sells and how often it is bought again; (articles,) each."""
    n = history.n_articles

    def count(some: NDArray[np.integer], weights: Values | None = None) -> NDArray[np.float64]:
        return np.bincount(some, weights, minlength=n).astype(np.float64)

    week, month = history.last(7), history.last(28)
    buyers = count(found.articles)
    repeated = of_pairs["days"] > 1
    again = count(found.articles[repeated])
    first_day = np.full(n, history.cutoff)
    np.minimum.at(first_day, history.articles, history.days)
    with np.errstate(invalid="ignore", divide="ignore"):
        price = count(history.articles, history.prices) / count(history.articles)
        recent_price = count(week.articles, week.prices) / count(week.articles)
        price_change = recent_price / price
        gap = count(found.articles[repeated], of_pairs["gap"][repeated]) / again
    return {
        "sold_7": count(week.articles),
        "sold_28": count(month.articles),
        "trend": (count(week.articles) + 1) / (count(month.articles) / 4 + 1),
        "buyers": buyers,
        "repeat_rate": (again + 1) / (buyers + 4),
        "days_a_buyer": count(found.articles[found.event_pair]) / np.maximum(buyers, 1),
        "article_gap": gap,
        "article_days": history.cutoff - first_day,
        "price": price,
        "price_change": price_change,
    }


def kind_columns(
    name: str,
    kind_of: NDArray[np.int32],
    found: Pairs,
    wanted: Candidates,
    of_pairs: Columns,
) -> Columns:
    """A customer's habit in the kind (product type, …) of a candidate; (candidates,) each."""
    kinds = int(kind_of.max()) + 1
    shape = (found.shape[0], kinds)
    at = (found.customers, kind_of[found.articles])

    def total(values: Values) -> NDArray[np.float64]:
        summed = sparse.coo_matrix((values, at), shape=shape).tocsr()
        return _at(summed, wanted.customers, kind_of[wanted.articles])

    habit, recent = total(of_pairs["decayed_80"]), total(of_pairs["decayed_10"])
    everything = np.bincount(found.customers, of_pairs["decayed_80"], minlength=found.shape[0])
    last = np.full(shape, np.inf, dtype=np.float32)
    np.minimum.at(last, at, of_pairs["age"])
    return {
        f"{name}_habit": habit,
        f"{name}_recent": recent,
        f"{name}_share": habit / np.maximum(everything[wanted.customers], 1e-9),
        f"{name}_articles": total(np.ones(len(found.customers))),
        f"{name}_age": last[wanted.customers, kind_of[wanted.articles]],
    }


def _at(
    matrix: sparse.csr_matrix, rows: NDArray[np.integer], columns: NDArray[np.integer]
) -> NDArray[np.float64]:
    """The entries of a sparse matrix at some places."""
    return np.asarray(matrix[rows, columns], dtype=np.float64).ravel()
