"""The numbers of ``features/articles`` and ``features/customers``, one purchase at a time."""

from __future__ import annotations

from collections import defaultdict
from datetime import date

import numpy as np

from hm_platform.features.decay import HALF_LIVES

Ages = dict[int, dict[int, list[int]]]
"""Article (or customer) -> customer (or article) -> days before the cut-off, one a purchase."""


def is_online(purchase: tuple) -> bool:
    """Two days of three a customer buys online, another one in a store."""
    when, customer, _ = purchase
    return (when.toordinal() + customer) % 3 > 0


def article_numbers(purchases: list[tuple], n: int, cutoff: date) -> dict[str, np.ndarray]:
    """purchases : day, customer and article, all before the cut-off"""
    ages: Ages = defaultdict(lambda: defaultdict(list))
    for when, customer, article in purchases:
        ages[article][customer].append((cutoff - when).days)
    rows = [_article(ages.get(article, {})) for article in range(n)]
    lately = [p for p in purchases if (cutoff - p[0]).days <= 28]
    online = _online_shares([(p[2], is_online(p)) for p in lately], n)
    return _columns(rows, _article({})) | {"online_share_last_4_weeks": online}


def customer_numbers(purchases: list[tuple], n: int, cutoff: date) -> dict[str, np.ndarray]:
    """purchases : day, customer and article, all before the cut-off"""
    ages: dict[int, list[int]] = defaultdict(list)
    for when, customer, _ in purchases:
        ages[customer].append((cutoff - when).days)
    rows = [_customer(ages.get(customer, [])) for customer in range(n)]
    online = _online_shares([(p[1], is_online(p)) for p in purchases], n)
    return _columns(rows, _customer([])) | {"online_share": online}


def _online_shares(purchases: list[tuple[int, bool]], n: int) -> np.ndarray:
    """purchases : article (or customer), and whether it was online"""
    found: dict[int, list[bool]] = defaultdict(list)
    for entity, online in purchases:
        found[entity].append(online)
    shares = [np.mean(found[entity]) if entity in found else np.nan for entity in range(n)]
    return np.array(shares, dtype=np.float32)


def _columns(rows: list[dict], types: dict) -> dict[str, np.ndarray]:
    return {
        name: np.array(
            [row[name] for row in rows], dtype=np.int32 if isinstance(kind, int) else np.float32
        )
        for name, kind in types.items()
    }


def _article(buyers: dict[int, list[int]]) -> dict[str, float]:
    purchases = [age for ages in buyers.values() for age in ages]
    days = [set(ages) for ages in buyers.values()]
    gaps = sum(len(trips) - 1 for trips in days)
    earlier = [trips for trips in days if max(trips) > 28]
    return {
        "purchases_total": len(purchases),
        "purchases_last_week": sum(age <= 7 for age in purchases),
        "purchases_last_4_weeks": sum(age <= 28 for age in purchases),
        "buyers_total": len(days),
        "buyers_last_week": sum(min(trips) <= 7 for trips in days),
        "buyers_last_4_weeks": sum(min(trips) <= 28 for trips in days),
        "days_since_first_sale": max(purchases, default=-1),
        "days_since_last_sale": min(purchases, default=-1),
        "days_per_buyer": sum(map(len, days)) / max(len(days), 1),
        "repeat_buyers_share": (sum(len(trips) > 1 for trips in days) + 0.5) / (len(days) + 2),
        "mean_gap_days": (sum(max(t) - min(t) for t in days) + 30) / (gaps + 1),
        "repurchase_rate_4_weeks": (
            (sum(min(trips) <= 28 for trips in earlier) + 0.3) / (len(earlier) + 10)
        ),
    }


def _customer(ages: list[int]) -> dict[str, float]:
    days = set(ages)
    return {
        "purchases_total": len(ages),
        "days_since_last_purchase": min(ages, default=-1),
        "shopping_days_total": len(days),
        "shopping_days_last_4_weeks": sum(age <= 28 for age in days),
        **{
            f"decayed_shopping_days_{half}": float(sum(2 ** (-age / half) for age in days))
            for half in HALF_LIVES
        },
    }
