"""Made-up customers: what drives their purchases, and what H&M's file would say about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hm_platform.landing.session import Session

BLOCK = 1 << 18
"""Customers that are drawn together; another number would make other data."""

POSTAL_CODES = 0.257
"""Postal codes a customer; the most common one has MAIN_POSTAL_CODE of all customers."""

MAIN_POSTAL_CODE = 0.088

# By age group (under 26, to 42, older): how many have each part of the shop for their favourite.
FAVOURITES = np.array(
    [
        [0.35, 0.33, 0.12, 0.05, 0.15],
        [0.42, 0.10, 0.16, 0.22, 0.10],
        [0.58, 0.06, 0.18, 0.08, 0.10],
    ]
)


@dataclass(frozen=True)
class Customers:
    """What drives the purchases of n customers.

    age : int16, years
    rate : float64, how often each buys, as a multiple of the average
    favourite : int8, position in synthetic_articles.PARTS
    online : float64, chance that a basket is bought online
    """

    age: NDArray[np.int16]
    rate: NDArray[np.float64]
    favourite: NDArray[np.int8]
    online: NDArray[np.float64]


def draws(seed: int, *place: int) -> np.random.Generator:
    """Random numbers that depend on the seed and the place they are used in, and on nothing else.

    Philox is a counter-based generator: its streams do not overlap, however many there are
    (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
    """
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=place)))


def make_customers(seed: int, n: int) -> Customers:
    parts = [_block(draws(seed, 1, start), min(BLOCK, n - start)) for start in range(0, n, BLOCK)]
    return Customers(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _block(
    random: np.random.Generator, n: int
) -> tuple[NDArray[np.int16], NDArray[np.float64], NDArray[np.int8], NDArray[np.float64]]:
    young = random.random(n) < 0.62
    age = np.where(young, random.gamma(4.0, 2.4, n) + 17, random.normal(50, 8, n))
    age = np.clip(age, 16, 99).astype(np.int16)
    shares = np.cumsum(FAVOURITES, axis=1)[np.digitize(age, [26, 43])]
    favourite = (random.random(n)[:, None] >= shares[:, :-1]).sum(axis=1).astype(np.int8)
    return age, random.gamma(0.4, 1 / 0.4, n), favourite, random.beta(2.0, 0.9, n)


def customer_ids(session: Session, seed: int, n: int) -> pa.StringArray:
    """64 hex digits for each of n customers."""
    ids = session.connection.execute(
        f"SELECT sha256('customer {seed} ' || i) AS id FROM range({n}) t(i) ORDER BY i"
    ).to_arrow_table()["id"]
    return ids.combine_chunks() if ids.num_chunks != 1 else ids.chunk(0)


def customers_sql(seed: int) -> str:
    """What H&M's ``customers.csv`` would hold, from the relation ``content`` of facts()."""
    return f"""
        SELECT
            sha256('customer {seed} ' || number) AS customer_id,
            CASE WHEN news THEN '1.0' END AS FN,
            CASE WHEN active THEN '1.0' END AS Active,
            club AS club_member_status,
            frequency AS fashion_news_frequency,
            age,
            sha256('postal code {seed} ' || postal_code) AS postal_code
        FROM content
    """


FACTS_SCHEMA = pa.schema(
    [
        ("number", pa.int64()),
        ("news", pa.bool_()),
        ("active", pa.bool_()),
        ("club", pa.string()),
        ("frequency", pa.string()),
        ("age", pa.int16()),
        ("postal_code", pa.int64()),
    ]
)


def facts(seed: int, customers: Customers) -> pa.RecordBatchReader:
    """What is known of the customers (FACTS_SCHEMA), a block at a time."""
    return pa.RecordBatchReader.from_batches(FACTS_SCHEMA, _facts(seed, customers))


def _facts(seed: int, customers: Customers) -> Iterator[pa.RecordBatch]:
    clubs = pa.array(["ACTIVE", "PRE-CREATE", "LEFT CLUB", None])
    frequencies = pa.array(["NONE", "Regularly", "Monthly", None])
    total = len(customers.age)
    codes = max(1, int(total * POSTAL_CODES))
    for start in range(0, total, BLOCK):
        random, age = draws(seed, 2, start), customers.age[start : start + BLOCK]
        n = len(age)
        news = random.random(n) < 0.35
        frequency = np.where(news, 1, 0)
        frequency = np.where(random.random(n) < 0.001, 2, frequency)
        frequency = np.where(random.random(n) < 0.0117, 3, frequency)
        club = random.choice(4, n, p=[0.9274, 0.0679, 0.0003, 0.0044])
        postal = random.integers(1, codes + 1, n)
        postal = np.where(random.random(n) < MAIN_POSTAL_CODE, 0, postal)
        yield pa.record_batch(
            {
                "number": pa.array(np.arange(start, start + n)),
                "news": pa.array(news),
                "active": pa.array(news & (random.random(n) < 0.97)),
                "club": clubs.take(pa.array(club)),
                "frequency": frequencies.take(pa.array(frequency)),
                "age": pa.array(age, mask=random.random(n) < 0.0116),
                "postal_code": pa.array(postal),
            }
        )
