"""What the platform's builds have left in its home, as its own code reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pyarrow as pa

from hm_platform.features.encoders import Encoders
from hm_platform.features.loading import FeatureTables, load_snapshots
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.pipeline import WeekData
from hm_platform.storage.warehouse import connect


def week_data(warehouse: Path, week: date) -> WeekData:
    """What the model of a built week was trained from."""
    with _tables(warehouse, week) as table:
        splits = table("features.articles", "DISTINCT split, cutoff", "ORDER BY cutoff")["split"]
        past = [split for split in splits.to_pylist() if split.startswith("ranking_")]
        snapshot, *earlier = _snapshots(table, week, ["validation", *past])
        return WeekData(
            snapshot,
            earlier,
            table("datasets.train"),
            table("datasets.validation"),
            Encoders.from_table(table("features.encoders")),
        )


def serving_snapshot(warehouse: Path, week: date) -> Snapshot:
    """What a built week's publication was computed from."""
    with _tables(warehouse, week) as table:
        return next(_snapshots(table, week, ["serving"]))


Read = Callable[..., pa.Table]


def _snapshots(table: Read, week: date, splits: Sequence[str]) -> Iterator[Snapshot]:
    wanted = f"AND split IN ({', '.join(repr(split) for split in splits)})"
    return load_snapshots(
        week,
        splits,
        FeatureTables(
            articles=table("features.articles", where=wanted),
            customers=table("features.customers", where=wanted),
            purchase_histories=table("features.purchase_histories", where=wanted),
            copurchases=table("features.copurchases", where=wanted),
            article_index=table("datasets.article_index"),
            customer_index=table("datasets.customer_index"),
        ),
    )


@contextmanager
def _tables(warehouse: Path, week: date) -> Iterator[Read]:
    with connect(warehouse, read_only=True) as connection:

        def read(name: str, columns: str = "*", order: str = "", where: str = "") -> pa.Table:
            query = f"SELECT {columns} FROM {name} WHERE week = ? {where} {order}"
            return connection.execute(query, [week]).to_arrow_table().combine_chunks()

        yield read
