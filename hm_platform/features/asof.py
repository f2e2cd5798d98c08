"""As-of safety: the gate that every dated row passes on its way into a feature function.

Queries ask for the weeks before the cut-off; this gate does not trust them. It looks at the last
day of each row that is about to be bound to a Hamilton input, and raises where one is not before
the cut-off: a week column that disagrees with the days, a forgotten filter or a wrong cut-off.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hm_platform.features.errors import FeatureError, LeakageError


def known_before(source: str, rows: pa.Table, cutoff: date, last_day: str) -> dict[str, NDArray]:
    """The columns of ``rows`` as Hamilton inputs, after checking that all was known.

    Parameters
    ----------
    source : where the rows come from, for messages
    last_day : the column that holds the last day that a row tells of

    Raises
    ------
    LeakageError : when a row tells of the cut-off's day or a later one.
    FeatureError : when a row does not say which day it tells of, or misses a whole number.
    """
    days = rows[last_day]
    if days.null_count:
        raise FeatureError(
            f"{days.null_count} rows of {source} have no {last_day}: "
            f"nobody can tell whether they were known before {cutoff}"
        )
    late = days.filter(pc.greater_equal(days, pa.scalar(cutoff, days.type)))
    if len(late):
        raise LeakageError(
            f"{len(late)} rows of {source} would leak the future into features: the first tells "
            f"of {pc.min(late)}, and the cut-off is {cutoff} (exclusive). Rebuild {source}: its "
            f"weeks and its days disagree, or rows after the cut-off were not left out"
        )
    inputs = {}
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        if column.null_count and not pa.types.is_floating(column.type):
            raise FeatureError(f"{column.null_count} rows of {source} have no {name}")
        inputs[name] = np.asarray(column.to_numpy())  # a missing float becomes NaN
    return inputs
