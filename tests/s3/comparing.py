"""What one build left on this machine and another one in a bucket, held against each other."""

from __future__ import annotations

from pathlib import Path

import duckdb

from hm_platform.storage.local import Warehouse
from hm_platform.storage.s3.bucket import Bucket
from hm_platform.storage.s3.tables import S3Tables
from hm_platform.storage.tables import Slice


def assert_same_tables(warehouse: Path, bucket: Bucket, *only_here: tuple[str, str]) -> None:
    """Every row of every table is in both.

    only_here : schema and table of those that only one of the builds was asked for
    """
    here, there = Warehouse(warehouse, read_only=True), S3Tables(bucket)
    with here.sql() as db:
        names = db.sql("SELECT table_schema, table_name FROM information_schema.tables").fetchall()
    assert sorted({*names} - {*only_here}) == there.names()
    for schema, table in there.names():
        one, other = here.read(Slice(schema, table)), there.read(Slice(schema, table))
        assert one.schema == other.schema, table
        assert one.num_rows == other.num_rows, table
        # Only how a file is told apart from its next version depends on where it lies.
        rest = "* EXCLUDE (stamp)" if table == "landed_files" else "*"
        with duckdb.connect() as db:
            db.register("one", one)
            db.register("other", other)
            differ = db.sql(f"SELECT {rest} FROM one EXCEPT ALL SELECT {rest} FROM other")
            assert differ.fetchall() == [], table


def assert_same_models_and_pages(home: Path, bucket: Bucket) -> None:
    """Every byte of the models' weights and manifests, and of the reports."""
    files = [path for name in ("models", "reports") for path in (home / name).rglob("*.*")]
    here = {path.relative_to(home).as_posix(): path.read_bytes() for path in files}
    there = {
        o.key: bucket.read(o.key) for name in ("models/", "reports/") for o in bucket.list(name)
    }
    assert any(name.endswith(".safetensors") for name in here)
    assert here.keys() == there.keys()
    assert [name for name in here if here[name] != there[name]] == []
