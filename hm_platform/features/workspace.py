"""The inputs of the feature functions, staged in an in-memory DuckDB with integer indices.

Each input is read once, as a stream: string ids are replaced by indices on the way in, so what is
kept is a few bytes a row. Every query then takes the weeks before a cut-off. What the rows mean
and whether they really were known is not decided here (``hm_platform.features.asof`` does).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from types import TracebackType
from typing import TypeAlias

import duckdb
import pyarrow as pa

from hm_platform.features.errors import FeatureError
from hm_platform.machine import in_memory_config

Rows: TypeAlias = pa.Table | pa.RecordBatchReader

_STAGE = {
    "article": "article_index INTEGER, week DATE, purchases INTEGER, purchases_online INTEGER, "
    "mean_price DOUBLE, first_day DATE, last_day DATE",
    "customer": "customer_index INTEGER, week DATE, purchases INTEGER, purchases_online INTEGER, "
    "days INTEGER, first_day DATE, last_day DATE",
    "pair": "customer_index INTEGER, article_index INTEGER, week DATE, purchases INTEGER, "
    "days INTEGER, first_day DATE, last_day DATE",
}

_ROWS_AT_ONCE = 2_000_000
"""About how many staged rows the features of a block of customers are made from."""


def require(rows: Rows, source: str, *columns: str) -> None:
    """Raise FeatureError when ``rows``, read from ``source``, lacks one of the columns."""
    if missing := [name for name in columns if name not in rows.schema.names]:
        raise FeatureError(f"{source} has no column {', '.join(missing)}")


class Workspace:
    """A DuckDB of its own that is gone when the ``with`` block ends."""

    def __init__(self) -> None:
        self._db = duckdb.connect(config=in_memory_config())
        # DuckDB takes an Arrow stream for a small table, and would join by holding the stream and
        # probing it with the index. Without these two it holds what is written on the right.
        self._db.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")
        # No result depends on the order of the staged rows, and keeping it takes time.
        self._db.execute("SET preserve_insertion_order = false")

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop everything."""
        self._db.close()

    def _fetch(self, sql: str, **values: object) -> pa.Table:
        return self._db.execute(sql, values or None).to_arrow_table()

    def add_index(self, entity: str, index: pa.Table) -> int:
        """Take the index of ``entity`` ("article" or "customer"); how many entities it has.

        Raises FeatureError when its numbers are not 0..n-1, or an id is missing or there twice.
        """
        number, name = f"{entity}_index", f"{entity}_id"
        require(index, f"datasets/{number}", number, name)
        self._db.register("incoming", index)
        self._db.execute(f"CREATE TABLE {number} AS SELECT {number}, {name} FROM incoming")
        self._db.unregister("incoming")
        n, numbers, ids, low, high = self._db.execute(
            f"SELECT count(*), count(DISTINCT {number}), count(DISTINCT {name}), "
            f"coalesce(min({number}), 0), coalesce(max({number}), -1) FROM {number}"
        ).fetchall()[0]
        if not n == numbers == ids == high + 1 - low or low:
            raise FeatureError(
                f"datasets/{number} is not a numbering: {n} rows, {numbers} numbers from {low} to "
                f"{high}, {ids} ids"
            )
        return n

    def attributes(self, entity: str, rows: Rows, *columns: str) -> pa.Table:
        """These columns of ``staging.stg_<entity>s``, row i for the entity with index i.

        An entity without a catalogue row has nulls throughout.
        """
        source, number, name = f"staging.stg_{entity}s", f"{entity}_index", f"{entity}_id"
        require(rows, source, name, *columns)
        chosen = ", ".join(f'r."{column}"' for column in columns)
        self._db.register("incoming", rows)
        found = self._fetch(
            f"SELECT i.{number}, {chosen} FROM {number} i LEFT JOIN incoming r USING ({name}) "
            f"ORDER BY i.{number}"
        )
        self._db.unregister("incoming")
        if len(found) != self._db.execute(f"SELECT count(*) FROM {number}").fetchall()[0][0]:
            raise FeatureError(f"{source} has more than one row for some {name}")
        return found.drop_columns([number])

    def add_purchases(
        self, kind: str, source: str, rows: Rows, before: date, since: date = date.min
    ) -> None:
        """Take the weekly rows of these weeks: by article, customer or pair of the two.

        Rows of customers that are not in the customer index (not in the sample) are left out.

        Raises FeatureError when an article is not in the article index.
        """
        columns = [column.split()[0] for column in _STAGE[kind].split(", ")]
        ids = [name.replace("_index", "_id") for name in columns if name.endswith("_index")]
        values = [name for name in columns if not name.endswith("_index")]
        require(rows, source, *ids, *values)
        joins = {
            "article_id": "LEFT JOIN article_index USING (article_id)",
            "customer_id": "JOIN customer_index USING (customer_id)",
        }
        self._db.execute(f"CREATE TABLE {kind} ({_STAGE[kind]})")
        self._db.register("incoming", rows)
        self._db.execute(
            f"INSERT INTO {kind} SELECT {', '.join(columns)} FROM incoming "
            f"{' '.join(joins[name] for name in ids)} WHERE week >= $since AND week < $before",
            {"since": since, "before": before},
        )
        self._db.unregister("incoming")
        if "article_index" in columns:
            lost = self._db.execute(
                f"SELECT count(*) FROM {kind} WHERE article_index IS NULL"
            ).fetchall()[0][0]
            if lost:
                raise FeatureError(
                    f"{lost} rows of {source} are of articles that datasets/article_index does "
                    f"not have: rebuild it for this week"
                )

    def latest(self, kind: str, cutoff: date) -> pa.Table:
        """One row: the first last_day on or after the cut-off in the weeks before it, if any."""
        return self._fetch(
            f"SELECT last_day FROM {kind} WHERE week < $cutoff AND last_day >= $cutoff "
            f"ORDER BY last_day LIMIT 1",
            cutoff=cutoff,
        )

    def article_sales(self, cutoff: date) -> pa.Table:
        """The ``sold_*`` inputs of ``hm_platform.features.articles``."""
        # Prices are added up row by row, and the sum depends on the order of the rows.
        return self._fetch(
            "SELECT article_index AS sold_article, week AS sold_week, purchases AS sold_purchases, "
            "purchases_online AS sold_purchases_online, mean_price AS sold_mean_price, "
            "first_day AS sold_first_day, last_day AS sold_last_day "
            "FROM article WHERE week < $cutoff ORDER BY article_index, week",
            cutoff=cutoff,
        )

    def sort_customers(self) -> None:
        """Put the staged rows by customer in the order in which they are wanted."""
        self._db.execute(
            "CREATE TABLE sorted AS FROM customer ORDER BY customer_index, week; "
            "DROP TABLE customer; ALTER TABLE sorted RENAME TO customer"
        )

    def customer_purchases(self, cutoff: date) -> Iterator[tuple[range, pa.Table]]:
        """The ``shopped_*`` inputs of ``hm_platform.features.customers``, a block of customers at a
        time, whose indices come with it."""
        for block in self._customer_blocks("customer"):
            # Decayed days are added up row by row, too.
            yield (
                block,
                self._fetch(
                    "SELECT customer_index AS shopped_customer, week AS shopped_week, "
                    "purchases AS shopped_purchases, purchases_online AS shopped_purchases_online, "
                    "days AS shopped_days, "
                    "first_day AS shopped_first_day, last_day AS shopped_last_day FROM customer "
                    "WHERE week < $cutoff AND customer_index >= $first AND customer_index < $end "
                    "ORDER BY customer_index, week",
                    cutoff=cutoff,
                    first=block.start,
                    end=block.stop,
                ),
            )

    def _customer_blocks(self, table: str) -> Iterator[range]:
        """The indices of all customers in blocks that have about _ROWS_AT_ONCE rows of a table."""
        rows, n = self._db.execute(
            f"SELECT (SELECT count(*) FROM {table}), (SELECT count(*) FROM customer_index)"
        ).fetchall()[0]
        step = max(1, n * _ROWS_AT_ONCE // max(rows, 1))
        for first in range(0, max(n, 1), step):
            yield range(first, min(first + step, n))

    def make_buyers(self) -> None:
        """Tell of each staged weekly row of a pair what the weeks before said of the pair.

        A pair's history is gone through once, for all cut-offs: what is known at a cut-off is then
        a sum over the rows before it.
        """
        self._db.execute(
            """
            CREATE TABLE buyer AS
            SELECT article_index, week, days, last_day,
                lag(week) OVER pair AS previous_week,
                last_day - lag(last_day, 1, first_day) OVER pair AS span,
                days_before + days > 1 AND days_before <= 1 AS becomes_repeat
            FROM (
                SELECT *, coalesce(sum(days) OVER (
                    PARTITION BY article_index, customer_index ORDER BY week
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                ), 0) AS days_before
                FROM pair
            )
            WINDOW pair AS (PARTITION BY article_index, customer_index ORDER BY week)
            """
        )
        self._db.execute("DROP TABLE pair")

    def article_buyers(self, cutoff: date) -> pa.Table:
        """The ``bought_*`` inputs of ``hm_platform.features.buyers``, last_day beside them."""
        # Whole numbers all of them, so neither the order of the rows nor the number of threads can
        # show in the sums. A pair has one row a week.
        return self._fetch(
            """
            SELECT article_index AS bought_article,
                count(*) FILTER (previous_week IS NULL) AS bought_buyers,
                count(*) FILTER (week >= $last_week) AS bought_buyers_last_week,
                count(*) FILTER (
                    week >= $last_4_weeks AND coalesce(previous_week < $last_4_weeks, true)
                ) AS bought_buyers_last_4_weeks,
                count(*) FILTER (becomes_repeat) AS bought_repeat_buyers,
                sum(days)::BIGINT AS bought_days,
                sum(span)::BIGINT AS bought_span,
                count(*) FILTER (previous_week IS NULL AND week < $last_4_weeks)
                    AS bought_earlier_buyers,
                count(*) FILTER (week >= $last_4_weeks AND previous_week < $last_4_weeks)
                    AS bought_returned_buyers,
                max(last_day) AS bought_last_day
            FROM buyer WHERE week < $cutoff GROUP BY article_index
            """,
            cutoff=cutoff,
            last_week=cutoff - timedelta(weeks=1),
            last_4_weeks=cutoff - timedelta(weeks=4),
        )

    def make_visits(self) -> None:
        """Turn the staged weekly rows of pairs into visits: a row a customer, article and day.

        A weekly row is a visit on its last day and, where it has more days, one on its first and
        the others evenly between (as in ``hm_platform.features.arrays.spread_days``). The days of
        shopping of a customer are numbered here, once for all cut-offs: a number depends on
        earlier days only. Days that are guessed have no number. The visits lie in the order in
        which they are wanted, so that a block of customers is a slice of the table.
        """
        self._db.execute(
            """
            CREATE TABLE trip AS
            WITH shopped AS (
                SELECT customer_index, last_day AS day FROM pair
                UNION
                SELECT customer_index, first_day FROM pair WHERE days > 1
            )
            SELECT *, row_number() OVER (PARTITION BY customer_index ORDER BY day)::INTEGER AS trip
            FROM shopped
            """
        )
        self._db.execute(
            """
            CREATE TABLE visit AS
            WITH visits AS (
                SELECT customer_index, article_index, week,
                    last_day - ((last_day - first_day) * nth // greatest(days - 1, 1))::INTEGER
                        AS day,
                    CASE WHEN nth = 0 THEN purchases ELSE 0 END AS purchases
                FROM (SELECT *, unnest(range(days)) AS nth FROM pair)
            )
            SELECT visits.*, coalesce(trip, 0) AS trip
            FROM visits LEFT JOIN trip USING (customer_index, day)
            ORDER BY customer_index, article_index, day
            """
        )
        self._db.execute("DROP TABLE pair; DROP TABLE trip")

    def visits(self, cutoff: date, active: range | None = None) -> Iterator[pa.Table]:
        """The ``visit_*`` inputs of ``hm_platform.features.histories``, whole customers at a time,
        in the order of their indices.

        active : only those of these customers (a range from 0 on) who bought something in the week
            of the cut-off or the week before. That is a choice of rows, made with hindsight; what
            is told of the customers is as of the cut-off all the same
        """
        chosen = ""
        if active is not None:
            chosen = (
                f"AND customer_index < {active.stop} AND customer_index % {active.step} = 0 "
                "AND customer_index IN (SELECT customer_index "
                "FROM visit WHERE week BETWEEN $cutoff::DATE - 7 AND $cutoff)"
            )
        for block in self._customer_blocks("visit"):
            yield self._fetch(
                "SELECT customer_index AS visit_customer, article_index AS visit_article, "
                "day AS visit_day, purchases AS visit_purchases, trip AS visit_trip FROM visit "
                "WHERE week < $cutoff AND customer_index >= $first AND customer_index < $end "
                f"{chosen} ORDER BY customer_index, article_index, day",
                cutoff=cutoff,
                first=block.start,
                end=block.stop,
            )

    def baskets(self, cutoff: date, weeks: int) -> pa.Table:
        """The ``basket_*`` inputs of ``hm_platform.features.copurchases``, last_day beside them."""
        return self._fetch(
            "SELECT customer_index AS basket_customer, week AS basket_week, "
            "article_index AS basket_article, last_day AS basket_last_day FROM pair "
            "WHERE week < $cutoff AND week >= $start",
            cutoff=cutoff,
            start=cutoff - timedelta(weeks=weeks),
        )
