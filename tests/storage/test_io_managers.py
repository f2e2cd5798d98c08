"""What an asset asks for of another asset's table, and gets."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from dagster import AssetIn, AssetsDefinition, asset, materialize

from hm_platform.storage.io_managers import ArrowIOManager
from hm_platform.storage.resource import LocalStorage


@asset(key=["features", "rows"])
def rows() -> pa.Table:
    return pa.table({"split": ["a", "b", "c", "b"], "x": [1, 2, 3, 4]})


def reader(wanted: dict[str, object], found: list[pa.Table]) -> AssetsDefinition:
    @asset(ins={"rows": AssetIn(["features", "rows"], metadata=wanted)}, io_manager_key="nothing")
    def read(rows: pa.Table) -> None:
        found.append(rows)

    return read


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, [1, 2, 3, 4]),
        ({"filter": {"split": "b"}}, [2, 4]),
        ({"filter": {"split": ["a", "b"]}}, [1, 2, 4]),
        ({"filter": {"split": []}}, []),
        ({"filter": {"split": ["a", "b"]}, "columns": ["x"]}, [1, 2, 4]),
    ],
)
def test_an_input_is_filtered_by_a_value_or_by_several(
    tmp_path: Path, metadata: dict[str, object], expected: list[int]
) -> None:
    found: list[pa.Table] = []
    tables = ArrowIOManager(storage=LocalStorage(home=str(tmp_path)))

    done = materialize(
        [rows, reader(metadata, found)], resources={"io_manager": tables, "nothing": tables}
    )

    assert done.success
    assert sorted(found[0]["x"].to_pylist()) == expected
