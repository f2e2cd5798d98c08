"""What the drivers of all feature tables share: cut-offs, the guard of streams, rows of a split."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pyarrow as pa

from hm_platform.features import catalogue
from hm_platform.features.asof import known_before
from hm_platform.features.errors import FeatureError
from hm_platform.features.workspace import Workspace

SALES = "marts.weekly_article_sales"
SHOPPING = "marts.weekly_customer_purchases"
PAIRS = "marts.weekly_customer_article_purchases"


def check_cutoffs(week: date, cutoffs: Mapping[str, date]) -> None:
    """Raise FeatureError when there is no cut-off, or one in the middle of a week."""
    if not cutoffs:
        raise FeatureError("no split to compute features for")
    for split, cutoff in cutoffs.items():
        if (cutoff - week).days % 7:
            raise FeatureError(
                f"the cut-off of the split {split}, {cutoff}, is not a whole number of weeks away "
                f"from the week {week}"
            )


def check_staged(workspace: Workspace, kind: str, source: str, cutoffs: Mapping[str, date]) -> None:
    """Raise LeakageError when a staged row of the weeks before a cut-off tells of a later day.

    For streams, before the first row is given out: whoever reads one may report an error inside it
    without its type.
    """
    for cutoff in cutoffs.values():
        known_before(source, workspace.latest(kind, cutoff), cutoff, "last_day")


def rows_of_split(
    table: str, week: date, split: str, cutoff: date, columns: Mapping[str, Any]
) -> pa.Table:
    """One split of ``features/<table>``: ``columns`` beside the columns that all rows share."""
    schema = catalogue.schema(table)
    n = len(next(iter(columns.values())))
    shared = {"week": week, "split": split, "cutoff": cutoff}
    arrays = []
    for column in schema:
        if column.name in shared:
            arrays.append(pa.repeat(pa.scalar(shared[column.name], column.type), n))
        else:
            arrays.append(pa.chunked_array([columns[column.name]], type=column.type))
    return pa.table(arrays, schema=schema)


def feature_names(table: str) -> list[str]:
    """The features in ``features/<table>``: the Hamilton functions to run."""
    return [column.name for column in catalogue.features(table)]
