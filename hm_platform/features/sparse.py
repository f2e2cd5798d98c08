"""The feature tables with lists as compressed sparse rows: purchase histories, co-purchases."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hm_platform.datasets.names import RANKING, ranking_weeks
from hm_platform.features import catalogue
from hm_platform.features.arrays import Int64s
from hm_platform.features.decay import HALF_LIVES
from hm_platform.features.errors import FeatureError
from hm_platform.features.rows import by_split, latest, of_split, one, ordered
from hm_platform.features.snapshot import Histories, Neighbours
from hm_platform.features.workspace import Rows, require

_PAIR_NUMBERS = (
    "purchases", "days", "days_since_last", "days_since_first", "days_since_previous",
    "trips_since_last", "trips_since_first",
)  # fmt: skip
"""The columns of features/purchase_histories that are fields of Histories as they are."""


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
    past = by_split(purchase_histories, "purchase_histories", week, [split])
    return histories_of(past, week, split, cutoff, n_customers, n_articles)


def histories_of(
    past: dict[str, pa.Table],
    week: date,
    split: str,
    cutoff: date,
    n_customers: int,
    n_articles: int,
) -> Histories:
    """Those of one split, whose rows are taken out of ``past``."""
    rows = _Sparse("purchase_histories", past.pop(split), week, split, cutoff, n_customers)
    offsets = rows.offsets
    articles = rows.indices("articles", n_articles)
    numbers = {name: rows.elements(name) for name in _PAIR_NUMBERS}
    decayed = np.empty((len(articles), len(HALF_LIVES)), dtype=np.float32)
    for place, half in enumerate(HALF_LIVES):
        decayed[:, place] = rows.elements(f"decayed_{half}")
    return Histories(offsets, articles, **numbers, decayed=decayed)


def neighbours_of(
    copurchases: pa.Table, week: date, split: str, cutoff: date, n_articles: int
) -> Neighbours:
    require(copurchases, "features/copurchases", *catalogue.schema("copurchases").names)
    shared = ranking_weeks(split) is not None
    mine = of_split(copurchases, week, RANKING if shared else split)
    rows = latest(mine, cutoff) if shared else mine
    near = _Sparse("copurchases", rows, week, split, cutoff, n_articles, earlier=shared)
    return Neighbours(near.offsets, near.indices("neighbours", n_articles), near.elements("scores"))


class _Sparse:
    """A table with lists, as compressed sparse rows over all ``n`` entities.

    A column is let go when its elements are taken.

    rows : those of the split
    earlier : whether they may be of an earlier cut-off
    """

    def __init__(
        self,
        table: str,
        rows: pa.Table,
        week: date,
        split: str,
        cutoff: date,
        n: int,
        *,
        earlier: bool = False,
    ) -> None:
        columns = catalogue.columns(table)
        number = "customer_index" if table == "purchase_histories" else "article_index"
        self._name = f"features/{table} of week {week}, split {split}"
        self._rows = ordered(rows, number)
        fits = pc.less_equal if earlier else pc.equal
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
        self._rows = self._rows.drop_columns([name])
        values = one(pa.chunked_array([c.flatten() for c in column.chunks], column.type.value_type))
        if len(values) != self.offsets[-1] or values.null_count:
            raise FeatureError(f"{self._name}: {name} does not have an element for each article")
        return values.to_numpy()

    def indices(self, name: str, n: int) -> NDArray[np.int32]:
        """The elements of a column that holds article indices, all of which must be below n."""
        values = self.elements(name)
        if len(values) and not 0 <= values.min() <= values.max() < n:
            raise FeatureError(f"{self._name}: {name} holds an index that is not 0 to {n - 1}")
        return values
