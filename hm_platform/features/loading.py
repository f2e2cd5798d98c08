"""From the ``features/*`` tables of one week to the :class:`Snapshot` of one split.

Arrays share memory with the tables where the tables allow it: give tables that hold only the split
that is wanted, in one chunk a column, and nothing but the histories' offsets is made anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hm_platform.datasets.names import RANKING, SPLITS, is_split, ranking_weeks
from hm_platform.features import catalogue
from hm_platform.features.arrays import Int64s
from hm_platform.features.decay import HALF_LIVES
from hm_platform.features.errors import FeatureError
from hm_platform.features.snapshot import Histories, Neighbours, Snapshot
from hm_platform.features.workspace import Rows, require

_PAIR_NUMBERS = (
    "purchases", "days", "days_since_last", "days_since_first", "days_since_previous",
    "trips_since_last", "trips_since_first",
)  # fmt: skip
"""The columns of features/purchase_histories that are fields of Histories as they are."""


def load_snapshot(
    week: date,
    split: str,
    article_features: pa.Table,
    customer_features: pa.Table,
    purchase_histories: Rows,
    copurchases: Rows,
    article_index: pa.Table,
    customer_index: pa.Table,
) -> Snapshot:
    """Put together what was known at the cut-off of ``split``.

    The tables may hold other splits and be in any order. A ranking split takes the copurchases of
    whichever ranking split there are some of, as long as they are not of a later cut-off; its
    histories are those of the customers who bought something in its week or the week before, and
    empty for others.

    Raises
    ------
    FeatureError : when a table lacks a column or has no row for the week and split, when the
        tables are of different cut-offs, or when their rows are not those of the indices.
    """
    if not is_split(split):
        raise FeatureError(
            f"there is no split {split!r} to load, only {', '.join(SPLITS)} and ranking_<weeks>"
        )
    article_ids, training_articles = _index(article_index, "article")
    customer_ids, training_customers = _index(customer_index, "customer")
    article_rows = _entities(article_features, "articles", week, split, article_ids)
    customer_rows = _entities(customer_features, "customers", week, split, customer_ids)
    cutoff = article_rows["cutoff"][0].as_py()
    if len(customer_rows) and customer_rows["cutoff"][0].as_py() != cutoff:
        raise FeatureError(
            f"features/articles and features/customers of week {week}, split {split} are of "
            f"different cut-offs, {cutoff} and {customer_rows['cutoff'][0]}: rebuild both"
        )
    n_articles, n_customers = len(article_ids), len(customer_ids)
    histories = load_histories(purchase_histories, week, split, cutoff, n_customers, n_articles)
    near = _Sparse("copurchases", copurchases, week, split, cutoff, n_articles)
    neighbours = Neighbours(
        near.offsets, near.indices("neighbours", n_articles), near.elements("scores")
    )
    return Snapshot(
        week=week,
        split=split,
        cutoff=cutoff,
        training_articles=training_articles,
        training_customers=training_customers,
        article_ids=article_ids,
        customer_ids=customer_ids,
        articles=_features(article_rows, "articles"),
        customers=_features(customer_rows, "customers"),
        histories=histories,
        copurchases=neighbours,
    )


def load_histories(
    purchase_histories: Rows,
    week: date,
    split: str,
    cutoff: date,
    n_customers: int,
    n_articles: int,
) -> Histories:
    """The histories of one split, empty for customers without a row.

    Raises FeatureError when they are of another cut-off, or do not fit the numbers of entities.
    """
    past = _Sparse("purchase_histories", purchase_histories, week, split, cutoff, n_customers)
    return Histories(
        past.offsets,
        past.indices("articles", n_articles),
        **{name: past.elements(name) for name in _PAIR_NUMBERS},
        decayed=np.stack([past.elements(f"decayed_{half}") for half in HALF_LIVES], axis=1),
    )


def load_snapshots(
    week: date,
    splits: Iterable[str],
    article_features: pa.Table,
    customer_features: pa.Table,
    purchase_histories: Rows,
    copurchases: Rows,
    article_index: pa.Table,
    customer_index: pa.Table,
) -> Iterator[Snapshot]:
    """The snapshots of several splits, one at a time; the arguments are as in load_snapshot.

    Raises FeatureError where load_snapshot would.
    """
    histories, together = (
        rows.read_all() if isinstance(rows, pa.RecordBatchReader) else rows
        for rows in (purchase_histories, copurchases)
    )
    for split in splits:
        yield load_snapshot(
            week,
            split,
            article_features,
            customer_features,
            histories,
            together,
            article_index,
            customer_index,
        )


def _one(column: pa.ChunkedArray) -> pa.Array:
    """The column as one array, as it is where it has one chunk."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _ordered(rows: pa.Table, number: str) -> pa.Table:
    """The rows in the order of ``number``, untouched where they are in it."""
    numbers = rows[number].to_numpy()
    return rows if (np.diff(numbers) > 0).all() else rows.sort_by(number)


def _index(index: pa.Table, entity: str) -> tuple[pa.StringArray, int]:
    """The ids in the order of their numbers, and how many were in training."""
    number = f"{entity}_index"
    require(index, f"datasets/{number}", number, f"{entity}_id", "in_training")
    index = _ordered(index, number)
    if not np.array_equal(index[number].to_numpy(), np.arange(len(index))):
        raise FeatureError(f"datasets/{number}: the numbers are not 0 to {len(index) - 1}")
    training = index["in_training"].to_numpy().astype(bool)
    if (np.diff(training.astype(np.int8)) > 0).any():
        raise FeatureError(f"datasets/{number}: what was in training does not come first")
    return _one(pc.cast(index[f"{entity}_id"], pa.string())), int(training.sum())


def _of_split(rows: pa.Table, week: date, split: str) -> pa.Table:
    """The rows of one week and split, untouched where there are no others.

    split : RANKING stands for all ranking splits
    """
    equal = pc.starts_with if split == RANKING else pc.equal
    mine = pc.and_(pc.equal(rows["week"], week), equal(rows["split"], split))
    return rows if pc.all(mine, min_count=0).as_py() else rows.filter(mine)


def _latest(rows: pa.Table, cutoff: date) -> pa.Table:
    """The rows with the latest cut-off that is not after this one, or all where none is."""
    cutoffs = [found for found in pc.unique(rows["cutoff"]).to_pylist() if found <= cutoff]
    if not cutoffs or len(cutoffs) == 1 == len(pc.unique(rows["cutoff"])):
        return rows
    return rows.filter(pc.equal(rows["cutoff"], max(cutoffs)))


def _entities(rows: pa.Table, table: str, week: date, split: str, ids: pa.StringArray) -> pa.Table:
    """The rows of ``features/<table>``, row i for the entity with index i."""
    require(rows, f"features/{table}", *catalogue.schema(table).names)
    entity = table.removesuffix("s")
    rows = _ordered(_of_split(rows, week, split), f"{entity}_index")
    if not len(rows):
        raise FeatureError(
            f"features/{table} has no rows for week {week}, split {split}: build it first"
        )
    if (
        not np.array_equal(rows[f"{entity}_index"].to_numpy(), np.arange(len(ids)))
        or not pc.all(pc.equal(rows[f"{entity}_id"], pa.chunked_array([ids]))).as_py()
    ):
        raise FeatureError(
            f"features/{table} of week {week}, split {split}, does not match "
            f"datasets/{entity}_index ({len(rows)} rows, {len(ids)} in the index): row i must be "
            f"the {entity} with index i. Rebuild features/{table}"
        )
    return rows


def _features(rows: pa.Table, table: str) -> dict[str, NDArray]:
    """The feature columns as arrays of their declared types."""
    arrays = {}
    for feature in catalogue.features(table):
        column = rows[feature.name]
        if column.null_count:
            raise FeatureError(f"features/{table}: {column.null_count} nulls in {feature.name}")
        arrays[feature.name] = _one(pc.cast(column, feature.type)).to_numpy(zero_copy_only=False)
    return arrays


class _Sparse:
    """A table with lists, as compressed sparse rows over all ``n`` entities."""

    def __init__(
        self, table: str, rows: Rows, week: date, split: str, cutoff: date, n: int
    ) -> None:
        columns = catalogue.columns(table)
        require(rows, f"features/{table}", *(column.name for column in columns))
        shared = table == "copurchases" and ranking_weeks(split) is not None
        wanted = RANKING if shared else split
        if isinstance(rows, pa.RecordBatchReader):
            rows = _read(rows, week, wanted)
        number = "customer_index" if table == "purchase_histories" else "article_index"
        self._name = f"features/{table} of week {week}, split {split}"
        mine = _of_split(rows, week, wanted)
        self._rows = _ordered(_latest(mine, cutoff) if shared else mine, number)
        fits = pc.less_equal if shared else pc.equal
        if not pc.all(fits(self._rows["cutoff"], cutoff), min_count=0).as_py():
            raise FeatureError(
                f"{self._name} is of {pc.max(self._rows['cutoff'])}, not of the cut-off {cutoff}: "
                f"rebuild it"
            )
        numbers = self._rows[number].to_numpy()
        if len(numbers) and not (
            numbers[0] >= 0 and numbers[-1] < n and (np.diff(numbers) > 0).all()
        ):
            raise FeatureError(
                f"{self._name}: {number} must be distinct and below {n}; found "
                f"{numbers[0]} to {numbers[-1]} in {len(numbers)} rows"
            )
        lists = next(column.name for column in columns if pa.types.is_list(column.type))
        lengths = np.zeros(n, np.int64)
        lengths[numbers] = pc.list_value_length(self._rows[lists]).to_numpy()
        self.offsets: Int64s = np.concatenate([[0], np.cumsum(lengths)])
        self._types = {column.name: column.type for column in columns}

    def elements(self, name: str) -> NDArray:
        """All elements of the lists in this column, one list after the other."""
        column = pc.cast(self._rows[name], self._types[name])
        values = _one(
            pa.chunked_array([c.flatten() for c in column.chunks], column.type.value_type)
        )
        if len(values) != self.offsets[-1] or values.null_count:
            raise FeatureError(f"{self._name}: {name} does not have an element for each article")
        return values.to_numpy()

    def indices(self, name: str, n: int) -> NDArray[np.int32]:
        """The elements of a column that holds article indices, all of which must be below n."""
        values = self.elements(name)
        if len(values) and not 0 <= values.min() <= values.max() < n:
            raise FeatureError(f"{self._name}: {name} holds an index that is not 0 to {n - 1}")
        return values


def _read(reader: pa.RecordBatchReader, week: date, split: str) -> pa.Table:
    """The rows of one week and split; the others are dropped as they are read."""
    kept = [_of_split(pa.Table.from_batches([batch]), week, split) for batch in reader]
    return pa.concat_tables(kept) if kept else reader.schema.empty_table()
