"""Drift of features: what was sold and who bought in each week, by the cut-offs of one table."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hm_platform.calendar import WEEK
from hm_platform.drift.quantities import FEATURES, is_feature
from hm_platform.drift.staging import FEATURE_COLUMNS, FEATURE_SPLITS
from hm_platform.features import catalogue
from tests.drift.shop import measured, no_features, outcomes, purchases, week

LAST = week(12)
PAST = purchases(1, 13, 30)


def cutoffs() -> dict[str, date]:
    """The cut-off of each split of the week."""
    return {split: LAST + WEEK * (1 - back) for back, split in enumerate(FEATURE_SPLITS)}


def features(table: str, rows: int, **now: Any) -> pa.Table:
    """``features.<table>``, the same at each cut-off but for the columns ``now`` of serving."""
    random = np.random.default_rng(0)
    tables = []
    for split, cutoff in cutoffs().items():
        columns: dict[str, Any] = {"split": [split] * rows, "cutoff": [cutoff] * rows}
        for name in FEATURE_COLUMNS[table][2:]:
            columns[name] = random.integers(1, 7, rows)
        if split == "serving":
            columns |= now
        schema = catalogue.schema(table)
        tables.append(
            pa.table({n: pa.array(c).cast(schema.field(n).type) for n, c in columns.items()})
        )
    return pa.concat_tables(tables)


def both(**now: Any) -> dict[str, pa.Table]:
    return {"articles": features("articles", 400, **now), "customers": features("customers", 300)}


def test_features_that_stay_the_same_pass() -> None:
    found = measured(PAST, LAST, both())
    mine = {row["outcome"] for (q, _), row in found.items() if is_feature(q)}
    assert mine == {"passed"}
    assert {row["reference_weeks"] for (q, _), row in found.items() if is_feature(q)} == {8}


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("mean_price", np.full(400, 99.0)),
        ("department_code", np.full(400, 3)),
        ("online_share_last_4_weeks", np.full(400, np.nan)),
    ],
    ids=["number", "code", "not a number any more"],
)
def test_a_feature_that_changes_is_found(column: str, values: np.ndarray) -> None:
    found = measured(PAST, LAST, both(**{column: values}))
    assert outcomes(found, "failed") == {f"articles.{column}"}


def test_only_what_was_there_in_the_last_week_counts() -> None:
    # All others get another price, but they were not sold.
    sold = np.arange(400) % 2
    price = np.where(sold == 1, np.random.default_rng(1).integers(1, 7, 400), 99)
    given = both(mean_price=price, purchases_last_week=sold * 3)
    found = measured(PAST, LAST, given)
    assert found["articles.mean_price", "stability_index"]["count"] == 200
    assert found["articles.mean_price", "stability_index"]["outcome"] == "passed"


def test_with_few_cut_offs_nothing_is_judged() -> None:
    given = {
        table: rows.filter(pa.compute.is_in(rows["split"], pa.array(["serving", "test"])))
        for table, rows in both(mean_price=np.full(400, 99.0)).items()
    }
    found = measured(PAST, LAST, given)
    assert {row["outcome"] for (q, _), row in found.items() if is_feature(q)} == {"reported"}


def test_windows_that_reach_before_the_first_week_do_not_count() -> None:
    found = measured(PAST.filter(pa.compute.field("week") >= week(3)), LAST, both())
    weeks = {q: row["reference_weeks"] for (q, _), row in found.items() if is_feature(q)}
    assert weeks["articles.purchases_last_4_weeks"] == 5
    assert weeks["articles.mean_price"] == 8


def test_no_features_are_not_measured() -> None:
    found = measured(PAST, LAST, no_features())
    assert {row["outcome"] for (q, _), row in found.items() if is_feature(q)} == {"not measured"}


def test_every_feature_that_is_compared_is_one() -> None:
    for quantity in FEATURES:
        names = {column.name for column in catalogue.features(quantity.of)}
        assert quantity.sql in names
    assert set(FEATURE_COLUMNS["customers"]) <= set(catalogue.schema("customers").names)
