"""Landing H&M-shaped data of any size, made up.

Modelled
    Identifiers as H&M writes them; customers who differ in how often they buy (most hardly ever),
    in what they like (a part of the shop, by age), in where they buy, and in what is known of them
    (missing values at H&M's rates). Articles in variants of a product, launched week by week,
    selling by a long-tailed appeal that fades with age, marked down at their end; some basics that
    stay. Seasons of the shop and of kinds of articles, weekdays, baskets, the same article twice in
    a basket, repeat purchases. Prices on H&M's scale: a price point over 590. At H&M's number of
    customers (1,371,980) and weeks (105), about as many purchases and articles as H&M's.
Not modelled
    Tastes finer than a part of the shop, trends, articles bought together, stock, returns, new
    customers, wrong or late data. Do not judge a recommender by it: there is little to learn.

A week depends on the weeks before it only: with more weeks, the transactions files of fewer stay as
they are. Memory grows with customers and articles, and the purchases of one week; not with weeks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hm_platform.landing.columns import schema
from hm_platform.landing.errors import LandingError
from hm_platform.landing.session import Session, sql_text
from hm_platform.landing.synthetic_articles import Catalogue, make_catalogue
from hm_platform.landing.synthetic_customers import (
    BLOCK,
    Customers,
    customer_ids,
    customers_sql,
    draws,
    facts,
    make_customers,
)
from hm_platform.landing.writing import Landed, Tally, replacing
from hm_platform.landing.zone import DatasetInfo, LandingZone

INFO = DatasetInfo("synthetic", date(2018, 9, 19))
MAX_WEEKS = 400

BASKETS = 0.072
"""Baskets a customer and week, on average."""

EXTRA_ARTICLES = 0.29
"""A basket holds one article, and another with the chance 1 - this, and so on."""

REPEATS = 0.12
"""Share of purchases that are, if it is still sold, one of the customer's last articles again."""

DOUBLES = 0.06
"""Share of purchases that are the one before in the basket again."""

STICKINESS = 0.65
"""Share of purchases that come from the customer's favourite part of the shop."""

WEEKDAYS = np.array([0.14, 0.15, 0.15, 0.17, 0.12, 0.13, 0.14])
"""How a week's baskets fall on its days; weeks begin on Wednesday."""


def land(
    zone: LandingZone,
    customers: int = 2_000,
    weeks: int = 20,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Landed:
    """Land made-up data: the same bytes for the same arguments.

    Raises LandingError when an argument is out of range, or when another data set lies in the zone.
    """
    for name, value, least in (("customers", customers, 1), ("weeks", weeks, 1), ("seed", seed, 0)):
        if value < least:
            raise LandingError(f"{name} {value} is out of range: it has to be {least} at least")
    if weeks > MAX_WEEKS:
        raise LandingError(f"weeks {weeks} is out of range: article ids last for {MAX_WEEKS} weeks")
    say = progress or (lambda line: None)
    zone.write_dataset_info(INFO)
    tally = Tally(zone.root)
    say(f"making {customers:,} customers and the catalogue of {weeks} weeks")
    catalogue = make_catalogue(seed, customers, weeks)
    shoppers = make_customers(seed, customers)
    rows, first, last = 0, None, None
    with Session(threads=1) as session:
        path = zone.folder("articles") / "articles.csv"
        _write_csv(session, path, catalogue.csv(), tally)
        path = zone.folder("customers") / "customers.csv"
        _write_csv(session, path, facts(seed, shoppers), tally, customers_sql(seed))
        ids = customer_ids(session, seed, customers)
    folder = zone.folder("transactions")
    for number, table in enumerate(purchases(seed, catalogue, shoppers, ids, weeks)):
        path = folder / f"{INFO.first_week + timedelta(weeks=number)}.parquet"
        with replacing(path) as replacement:
            pq.write_table(table, replacement.temporary, compression="zstd")
        tally.note(path, replacement.changed)
        rows += table.num_rows
        if table.num_rows:
            days = table["t_dat"]
            first, last = first or days[0].as_py(), days[-1].as_py()
        say(f"week {number + 1} of {weeks}: {rows:,} transactions")
    tally.remove_others(folder.glob("????-??-??.parquet"))
    return tally.landed(INFO.name, rows, first, last)


def _write_csv(
    session: Session,
    path: Path,
    content: pa.Table | pa.RecordBatchReader,
    tally: Tally,
    sql: str = "SELECT * FROM content",
) -> None:
    session.connection.register("content", content)
    with replacing(path) as replacement:
        to = sql_text(str(replacement.temporary))
        session.connection.execute(f"COPY ({sql}) TO {to} (FORMAT csv, HEADER)")
    session.connection.unregister("content")
    tally.note(path, replacement.changed)


def purchases(
    seed: int, catalogue: Catalogue, customers: Customers, ids: pa.StringArray, weeks: int
) -> Iterator[pa.Table]:
    """The transactions, a table a week, ordered by day and customer id as H&M's are."""
    recent = np.full((len(customers.rate), 4), -1, np.int32)
    # Ids are hashes, so their order has nothing to do with the customers' numbers.
    rank = np.empty(len(ids), np.int64)
    rank[pc.sort_indices(ids).to_numpy()] = np.arange(len(ids))
    article_ids = catalogue.article_ids()
    for week in range(weeks):
        shelf = catalogue.shelf(week)
        blocks = [
            _block(seed, week, start, catalogue, shelf, customers, recent)
            for start in range(0, len(customers.rate), BLOCK)
        ]
        customer, day, article, online = (
            np.concatenate(parts) for parts in zip(*blocks, strict=True)
        )
        order = np.lexsort((rank[customer], day))
        customer, day, article, online = (x[order] for x in (customer, day, article, online))
        begin = (INFO.first_week + timedelta(weeks=week) - date(1970, 1, 1)).days
        yield pa.table(
            {
                "t_dat": pa.array((begin + day).astype(np.int32)).cast(pa.date32()),
                "customer_id": ids.take(pa.array(customer)),
                "article_id": article_ids.take(pa.array(article)),
                "price": pa.array(catalogue.prices(week)[article]),
                "sales_channel_id": pa.array(np.where(online, 2, 1).astype(np.int8)),
            },
            schema=schema("transactions"),
        )


def _block(
    seed: int,
    week: int,
    start: int,
    catalogue: Catalogue,
    shelf: NDArray[np.float64],
    customers: Customers,
    recent: NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """The purchases of a block of customers in a week: customer, day, article, online.

    shelf : sales weight of each article
    recent : last articles of each customer, -1 for none; it is brought up to date
    """
    random = draws(seed, 3, week, start)
    rate = customers.rate[start : start + BLOCK]
    season = 1 + 0.18 * np.cos(2 * np.pi * (week - 38) / 52) + 0.15 * (week % 52 in (9, 10, 13))
    buyers = start + np.flatnonzero(random.random(len(rate)) < -np.expm1(-BASKETS * rate * season))
    basket_day = random.choice(7, len(buyers), p=WEEKDAYS)
    basket_online = random.random(len(buyers)) < customers.online[buyers]
    basket = np.repeat(np.arange(len(buyers)), random.geometric(EXTRA_ARTICLES, len(buyers)))
    customer = buyers[basket]
    n = len(customer)

    favourite = np.where(random.random(n) < STICKINESS, customers.favourite[customer], -1)
    article = catalogue.pick(shelf, favourite, random.random(n))
    again = recent[customer, random.integers(0, recent.shape[1], n)]
    repeat = (random.random(n) < REPEATS) & (again >= 0) & (shelf[again] > 0)
    article = np.where(repeat, again, article)
    # Of neighbours in a basket; a row that repeats a repeat takes what that one took at first.
    double = random.random(n) < DOUBLES
    double[0:1] = False
    double[1:] &= basket[1:] == basket[:-1]
    article[1:] = np.where(double[1:], article[:-1], article[1:])

    # Where a customer buys several articles, the last of those that fall on a slot stays.
    recent[customer, random.integers(0, recent.shape[1], n)] = article
    return customer, basket_day[basket], article, basket_online[basket]
