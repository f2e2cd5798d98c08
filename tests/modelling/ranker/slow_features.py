"""Every pair feature of one customer with one article, from purchases one at a time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import pairwise

import numpy as np

from hm_platform.features.decay import HALF_LIVES
from tests.modelling.worlds import VALIDATION, World

NAN = float("nan")
SEGMENT_PRIOR = 100
AGE_PRIOR = 5


def decayed(ages: Iterable[int], half_life: float) -> float:
    return sum(2 ** (-age / half_life) for age in ages)


class SlowFeatures:
    """The features of any pair as of a cut-off; what is of articles or of customers alone, or
    from other models, is not repeated here."""

    def __init__(self, world: World, cutoff: date = VALIDATION) -> None:
        self.world = world
        known = [(c, a, (cutoff - when).days) for when, c, a in world.purchases if when < cutoff]
        self.known = known
        self.lately = {(c, a) for c, a, age in known if age <= 7}
        self.ages: dict[tuple[int, int], list[int]] = {}
        self.trips: dict[int, set[int]] = {c: set() for c in range(world.customers)}
        for c, a, age in known:
            self.ages.setdefault((c, a), []).append(age)
            self.trips[c].add(age)

    def of(self, customer: int, article: int) -> dict[str, float]:
        return {
            **self.history(customer, article),
            **self.kind("type", self.world.article_codes["product_type_code"], customer, article),
            **self.kind("product", self.world.article_codes["product_code"], customer, article),
            **self.people(customer, article),
            **self.price(customer, article),
        }

    def history(self, customer: int, article: int) -> dict[str, float]:
        ages = self.ages.get((customer, article), [])
        trips = self.trips[customer]
        days = sorted(set(ages))
        last, first = (days[0], days[-1]) if days else (NAN, NAN)
        shares = {
            f"share_of_trips_{half}": decayed(days, half) / decayed(trips, half) if days else NAN
            for half in HALF_LIVES
        }
        found = {
            "pair_days_since_last": last,
            "pair_days_since_first": first,
            "pair_trips_since_last": len([t for t in trips if t < last]) if days else NAN,
            "pair_shopping_days": len(days) or NAN,
            "pair_purchases": len(ages) or NAN,
            **{f"pair_decayed_{half}": decayed(days, half) or NAN for half in HALF_LIVES},
            **shares,
            "share_of_trips": len(days) / len([t for t in trips if t <= first]) if days else NAN,
        }
        return found | self.rhythm(days, trips)

    @staticmethod
    def rhythm(days: list[int], trips: set[int]) -> dict[str, float]:
        names = ("gap", "latest_gap", "due", "due_by_latest_gap", "due_by_trips")
        if len(days) < 2:
            return dict.fromkeys(names, NAN)
        gaps = [later - earlier for earlier, later in pairwise(days)]
        since = len([t for t in trips if t < days[0]])
        between = len([t for t in trips if days[0] <= t <= days[-1]])
        return {
            "gap": np.mean(gaps),
            "latest_gap": gaps[0],
            "due": days[0] / np.mean(gaps),
            "due_by_latest_gap": days[0] / gaps[0],
            "due_by_trips": (since + 1) / (between / len(days)),
        }

    def kind(self, name: str, codes: list[int], customer: int, article: int) -> dict[str, float]:
        same = [
            (a, sorted(set(ages)))
            for (c, a), ages in self.ages.items()
            if c == customer and codes[a] == codes[article] and codes[article] > 0
        ]
        every = [age for _, days in same for age in days]
        own = decayed(set(self.ages.get((customer, article), [])), 60)
        whole = decayed(every, 60)
        due = NAN
        if len(every) > 1:
            due = min(every) / max((max(every) - min(every)) / (len(every) - 1), 1)
        found = {
            f"{name}_days_since_last": min(every, default=NAN),
            f"{name}_shopping_days": len(every) or NAN,
            f"{name}_articles": len(same) or NAN,
            f"{name}_decayed_60": whole or NAN,
            f"share_of_{name}": own / whole if own and whole else NAN,
            f"{name}_due": due,
        }
        if name == "product":
            del found["product_shopping_days"]
        return found

    def people(self, customer: int, article: int) -> dict[str, float]:
        segments = self.world.customer_codes["segment_code"]
        buyers = {c for c, _ in self.lately}
        own = {c for c in buyers if segments[c] == segments[customer] > 0}
        overall = len([c for c in buyers if (c, article) in self.lately]) / max(len(buyers), 1)
        bought = len([c for c in own if (c, article) in self.lately])
        bands, age = self.world.customer_codes["age_band_code"], self.world.ages
        assert age
        ages = [age[c] for c in buyers if (c, article) in self.lately and bands[c] > 0]
        distinct = {a for c, a in self.ages if c == customer}
        purchases = [c for c, _, _ in self.known if c == customer]
        return {
            "popularity_in_segment": (bought + SEGMENT_PRIOR * overall)
            / (len(own) + SEGMENT_PRIOR),
            "age_against_buyers": abs(age[customer] - sum(ages) / (len(ages) + AGE_PRIOR)),
            "customer_articles": len(distinct),
            "customer_repeats": len(distinct) / len(purchases) if purchases else NAN,
        }

    def price(self, customer: int, article: int) -> dict[str, float]:
        prices = self.world.prices
        assert prices
        mine = [(a, decayed(set(ages), 60)) for (c, a), ages in self.ages.items() if c == customer]
        total = sum(weight for _, weight in mine)
        usual = sum(prices[a] * weight for a, weight in mine) / total if mine else NAN
        return {"price_against_habit": prices[article] - usual}
