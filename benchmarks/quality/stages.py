"""What each part of the platform's own recommender is worth.

Reads the features and the models that the platform's builds have left in its home.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from hm_platform.features.encoders import Encoders
from hm_platform.features.loading import load_snapshots
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.candidates import CANDIDATES_EACH, CandidateRecall
from hm_platform.modelling.parameters import RankingParams, TrainingParams
from hm_platform.modelling.pipeline import (
    WeekData,
    labelled_weeks,
    train_retrieval,
    validation_scores,
)
from hm_platform.modelling.ranker.inputs import feature_groups
from hm_platform.modelling.ranker.training import train_ranker

WHOLE = "everything"
TABLES = ("articles", "customers", "purchase_histories", "copurchases")


@dataclass(frozen=True)
class Ablation:
    """A ranker that was trained without a part.

    left_out : the candidate source or the group of features, or WHOLE for none
    kind : "source", "group" or ""
    recall : of the union of candidates
    map : on the validation week
    """

    left_out: str
    kind: str
    recall: float
    map: float


def ablations(
    warehouse: Path, week: date, seed: int, say: Callable[[str], None]
) -> Sequence[Ablation]:
    """Train the ranker of a built week again and again, each time without another part.

    Scored on the validation week. The retrieval model is trained once.
    """
    data = week_data(warehouse, week)
    *past, validation = labelled_weeks(data)
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        say("training the retrieval model ...")
        two_tower = train_retrieval(data, TrainingParams(), Path(scratch), seed).recommender
        for left_out, kind, params in _variants():
            say(f"training the ranker, left out: {left_out or 'nothing'} ...")
            trained = train_ranker(two_tower, past, validation, params, Path(scratch), seed)
            scores = validation_scores([trained.recommender], data.snapshot, data.validation)
            recall: CandidateRecall = trained.recall["union"]
            found.append(
                Ablation(left_out, kind, recall.recall, scores[trained.recommender.name]["map"])
            )
            say(f"    recall {found[-1].recall:.4f}, MAP@12 {found[-1].map:.4f}")
    return found


def _variants() -> Iterator[tuple[str, str, RankingParams]]:
    whole = RankingParams()
    yield WHOLE, "", whole
    for source in CANDIDATES_EACH:
        yield source, "source", replace(whole, without_sources=(source,))
    for group in sorted(set(feature_groups().values())):
        yield group, "group", replace(whole, without_groups=(group,))


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
        *(table(f"features.{name}", where=wanted) for name in TABLES),
        table("datasets.article_index"),
        table("datasets.customer_index"),
    )


@contextmanager
def _tables(warehouse: Path, week: date) -> Iterator[Read]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:

        def read(name: str, columns: str = "*", order: str = "", where: str = "") -> pa.Table:
            return (
                connection.execute(
                    f"SELECT {columns} FROM {name} WHERE week = ? {where} {order}",
                    [week],
                )
                .to_arrow_table()
                .combine_chunks()
            )

        yield read
