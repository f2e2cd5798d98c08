"""A small shop's purchases for drift: plain rows as Arrow, and drift measured on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from hm_platform.calendar import WEEK
from hm_platform.drift.table import Row, drift_table
from hm_platform.features import catalogue

FIRST = date(2018, 9, 19)

PURCHASES = pa.schema(
    [
        ("week", pa.date32()), ("t_dat", pa.date32()), ("customer_id", pa.string()),
        ("article_id", pa.string()), ("price", pa.float64()), ("sales_channel_id", pa.int8()),
        ("product_group_name", pa.string()), ("department_name", pa.string()),
        ("club_member_status", pa.string()), ("age", pa.int16()), ("has_article", pa.bool_()),
        ("has_customer", pa.bool_()),
    ]
)  # fmt: skip

Change = Callable[[dict[str, Any]], None]


def week(number: int) -> date:
    """The first day of a week, counted from 0."""
    return FIRST + WEEK * number


def purchases(seed: int, weeks: int, buyers: int = 300, change: Change | None = None) -> pa.Table:
    """Purchases of a shop that is the same every week, but for a change to the columns of the last.

    A buyer makes one to six purchases; customers have an age and a status of their own, articles a
    price and a group.
    """
    random = np.random.default_rng(seed)
    ages, prices = random.integers(16, 80, 2000), random.lognormal(-3, 0.6, 500)
    tables = []
    for number in range(weeks):
        who = np.repeat(random.integers(0, 2000, buyers), random.integers(1, 7, buyers))
        n = len(who)
        what = random.integers(0, 500, n)
        columns: dict[str, Any] = {
            "week": np.full(n, week(number)),
            "t_dat": np.datetime64(week(number), "D") + random.integers(0, 7, n),
            "customer_id": who.astype(str),
            "article_id": what.astype(str),
            "price": prices[what] * random.choice([1, 1, 0.8], n),
            "sales_channel_id": np.where(random.random(n) < 0.7, 2, 1),
            "product_group_name": np.array(["Tops", "Trousers", "Shoes", "Socks"])[what % 4],
            "department_name": (what % 9).astype(str),
            "club_member_status": np.where(who % 3 == 0, "PRE-CREATE", "ACTIVE"),
            "age": ages[who],
            "has_article": np.full(n, True),
            "has_customer": np.full(n, True),
        }
        if change and number == weeks - 1:
            change(columns)
        tables.append(
            pa.table([pa.array(columns[f.name]).cast(f.type) for f in PURCHASES], schema=PURCHASES)
        )
    return pa.concat_tables(tables) if tables else PURCHASES.empty_table()


def sales(rows: pa.Table) -> pa.Table:
    """``marts.weekly_article_sales`` of these purchases."""
    found = rows.group_by(["week", "article_id"]).aggregate([("t_dat", "min")])
    return found.rename_columns({"t_dat_min": "first_day"})


def no_features() -> dict[str, pa.Table]:
    return {table: catalogue.schema(table).empty_table() for table in ("articles", "customers")}


def measured(
    rows: pa.Table, of: date, features: Mapping[str, pa.Table] | None = None
) -> dict[tuple[str, str], Row]:
    """(quantity, measure) -> row of the week's drift."""
    found = drift_table(of, rows.to_reader(), sales(rows), features or no_features())
    return {(row["quantity"], row["measure"]): row for row in found.to_pylist()}


def outcomes(found: Mapping[tuple[str, str], Row], outcome: str) -> set[str]:
    """The quantities with this outcome."""
    return {quantity for (quantity, _), row in found.items() if row["outcome"] == outcome}
