"""From the ``features/*`` tables of one week to the :class:`Snapshot` of one split, or of several.

Arrays share memory with tables where these allow it: give tables that hold only the split that is
wanted, in one chunk a column, and nothing but the histories' offsets is made anew. Of streams each
row is held once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hm_platform.datasets.names import SPLITS, is_split
from hm_platform.features import catalogue
from hm_platform.features.errors import FeatureError
from hm_platform.features.rows import batches, by_split, one, ordered, parts
from hm_platform.features.snapshot import Snapshot
from hm_platform.features.sparse import histories_of, neighbours_of
from hm_platform.features.workspace import Rows, require
from hm_platform.machine import give_back_memory


@dataclass(frozen=True, kw_only=True)
class FeatureTables:
    """What a snapshot is made of: the tables of one week, of these splits and maybe of others, with
    their rows in any order. The four of ``features/*``, and the two of ``datasets/*`` that number
    articles and customers."""

    articles: Rows
    customers: Rows
    purchase_histories: Rows
    copurchases: Rows
    article_index: pa.Table
    customer_index: pa.Table


def load_snapshot(week: date, split: str, tables: FeatureTables) -> Snapshot:
    """Put together what was known at the cut-off of ``split``.

    A ranking split takes the copurchases of whichever ranking split there are some of, as long as
    they are not of a later cut-off; its histories are those of the customers who bought something
    in its week or the week before, and empty for others.

    Raises
    ------
    FeatureError : when a table lacks a column or has no row for the week and split, when the
        tables are of different cut-offs, or when their rows are not those of the indices.
    """
    return next(load_snapshots(week, [split], tables))


def load_snapshots(week: date, splits: Sequence[str], tables: FeatureTables) -> Iterator[Snapshot]:
    """The snapshots of several splits, one at a time, each as by load_snapshot.

    Everything is read before the first snapshot. A feature that is the same at two cut-offs, as
    attributes are, is one array.

    Raises FeatureError where load_snapshot would.
    """
    for split in splits:
        if not is_split(split):
            raise FeatureError(
                f"there is no split {split!r} to load, only {', '.join(SPLITS)} and ranking_<weeks>"
            )
    article_ids, training_articles = _index(tables.article_index, "article")
    customer_ids, training_customers = _index(tables.customer_index, "customer")
    n_articles, n_customers = len(article_ids), len(customer_ids)
    articles = _entities(tables.articles, "articles", week, splits, article_ids)
    customers = _entities(tables.customers, "customers", week, splits, customer_ids)
    past = by_split(tables.purchase_histories, "purchase_histories", week, splits)
    near = tables.copurchases
    if isinstance(near, pa.RecordBatchReader):
        near = near.read_all()
    # Of what was read in large pieces, much is free again and still this process's.
    give_back_memory()
    for split in splits:
        cutoff = articles[split].cutoff
        if customers[split].cutoff != cutoff:
            raise FeatureError(
                f"features/articles and features/customers of week {week}, split {split} are of "
                f"different cut-offs, {cutoff} and {customers[split].cutoff}: rebuild both"
            )
        yield Snapshot(
            week=week,
            split=split,
            cutoff=cutoff,
            training_articles=training_articles,
            training_customers=training_customers,
            article_ids=article_ids,
            customer_ids=customer_ids,
            articles=articles[split].arrays,
            customers=customers[split].arrays,
            histories=histories_of(past, week, split, cutoff, n_customers, n_articles),
            copurchases=neighbours_of(near, week, split, cutoff, n_articles),
        )


def _index(index: pa.Table, entity: str) -> tuple[pa.StringArray, int]:
    """The ids in the order of their numbers, and how many were in training."""
    number = f"{entity}_index"
    require(index, f"datasets/{number}", number, f"{entity}_id", "in_training")
    index = ordered(index, number)
    if not np.array_equal(index[number].to_numpy(), np.arange(len(index))):
        raise FeatureError(f"datasets/{number}: the numbers are not 0 to {len(index) - 1}")
    training = index["in_training"].to_numpy().astype(bool)
    if (np.diff(training.astype(np.int8)) > 0).any():
        raise FeatureError(f"datasets/{number}: what was in training does not come first")
    return one(pc.cast(index[f"{entity}_id"], pa.string())), int(training.sum())


@dataclass(frozen=True)
class _Known:
    """The features of all articles or customers at one cut-off."""

    cutoff: date
    arrays: Mapping[str, NDArray]


def _entities(
    rows: Rows, table: str, week: date, splits: Sequence[str], ids: pa.StringArray
) -> dict[str, _Known]:
    """The features of each split, made into arrays as soon as all of its rows are there.

    Raises FeatureError where row i is not the entity with index i, and where a split has none.
    """
    require(rows, f"features/{table}", *catalogue.schema(table).names)
    entity = table.removesuffix("s")
    found: dict[str, list[pa.RecordBatch]] = {split: [] for split in splits}
    known: dict[str, _Known] = {}
    newest: Mapping[str, NDArray] = {}

    def finish(split: str) -> None:
        nonlocal newest
        whole = (
            pa.Table.from_batches(found.pop(split)) if found[split] else rows.schema.empty_table()
        )
        known[split] = _arrays(whole, table, week, split, len(ids), newest)
        newest = known[split].arrays

    for batch in batches(rows):
        for split, part in parts(batch, week, splits, copied=False):
            if split in known:
                raise _does_not_match(table, week, f"split {split} has more rows than that")
            _check_ids(part, table, week, ids)
            found[split].append(part.drop_columns([f"{entity}_id"]))
            if sum(map(len, found[split])) == len(ids):
                finish(split)
    for split in list(found):
        finish(split)
    return known


def _check_ids(rows: pa.RecordBatch, table: str, week: date, ids: pa.StringArray) -> None:
    entity = table.removesuffix("s")
    numbers = rows[f"{entity}_index"].to_numpy()
    if not len(numbers):
        return
    known = 0 <= numbers.min() <= numbers.max() < len(ids)
    if not known or not pc.all(pc.equal(rows[f"{entity}_id"], ids.take(pa.array(numbers)))).as_py():
        raise _does_not_match(table, week, "a row has another id or number")


def _arrays(
    rows: pa.Table, table: str, week: date, split: str, n: int, earlier: Mapping[str, NDArray]
) -> _Known:
    """The rows of one split of ``features/<table>``, n in all, as arrays.

    earlier : arrays of another split; one that is equal is taken instead
    """
    if not len(rows):
        raise FeatureError(
            f"features/{table} has no rows for week {week}, split {split}: build it first"
        )
    number = f"{table.removesuffix('s')}_index"
    rows = ordered(rows, number)
    if not np.array_equal(rows[number].to_numpy(), np.arange(n)):
        raise _does_not_match(table, week, f"split {split} has {len(rows)} rows, it {n}")
    arrays = {}
    for feature in catalogue.features(table):
        column = rows[feature.name]
        if column.null_count:
            raise FeatureError(f"features/{table}: {column.null_count} nulls in {feature.name}")
        values = one(pc.cast(column, feature.type)).to_numpy(zero_copy_only=False)
        before = earlier.get(feature.name)
        same = before is not None and np.array_equal(before, values, equal_nan=True)
        arrays[feature.name] = before if before is not None and same else values
    return _Known(rows["cutoff"][0].as_py(), arrays)


def _does_not_match(table: str, week: date, how: str) -> FeatureError:
    entity = table.removesuffix("s")
    return FeatureError(
        f"features/{table} of week {week} does not match datasets/{entity}_index ({how}): row i "
        f"must be the {entity} with index i. Rebuild features/{table}"
    )
