"""What hm_platform itself recommends: the published lists of the week before each target week.

The product is used as its users do, by its commands, in a home of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmarks.quality.protocol import TargetWeek
from benchmarks.quality.scoring import Scored, keep, kept, write
from benchmarks.quality.stages import serving_snapshot
from hm_platform.behaviour.cold_customers import as_if_new
from hm_platform.errors import PlatformError
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.baselines.popularity import SegmentPopularity
from hm_platform.modelling.fallback import WithFallback
from hm_platform.modelling.metrics import K, Purchased, purchased
from hm_platform.modelling.pipeline import open_model
from hm_platform.modelling.recommenders import Recommender
from hm_platform.serving.publish import publish
from hm_platform.storage.warehouse import connect

NAME = "hm_platform"
RETRIEVAL = "hm_platform-two-tower"
HM = Path(sys.executable).parent / "hm"


@dataclass(frozen=True)
class HiddenPast:
    """A week's buyers with a history, asked for as if they were new; all of shape (n,).

    customers : int32, as in the target week
    ours, segments : float64, their average precision at 12 in what hm_platform publishes and in the
        best sellers of their segment
    """

    customers: NDArray[np.int32]
    ours: NDArray[np.float64]
    segments: NDArray[np.float64]


class CommandError(PlatformError):
    """A command of the platform failed, or left nothing behind."""


def hm(home: Path, *arguments: str) -> float:
    """Run a command of the platform, its progress going through, and return its seconds."""
    started = time.monotonic()
    done = subprocess.run(
        [str(HM), *arguments],
        env={**os.environ, "HM_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        raise CommandError(f"`hm {' '.join(arguments)}` failed: what it said stands above")
    return time.monotonic() - started


def week_before(day: date) -> str:
    """The week whose publication is for the target week that starts on this day."""
    return str(day - timedelta(weeks=1))


def measure(home: Path, target: TargetWeek, cache: Path) -> Scored:
    """Build the week, unless it is there already, and read what was published.

    The seconds of the build that made the publication are kept in the cache.
    """
    seconds = hm(home, "build", "--week", week_before(target.first_day))
    version, lists = published(home / "warehouse.duckdb", target)
    file = cache / f"{target.first_day}-{NAME}-{version}.npz"
    if (known := kept(file, target)) is not None and np.array_equal(known.lists, lists):
        return known
    return keep(file, Scored(target, lists, seconds))


def measure_retrieval(home: Path, target: TargetWeek, cache: Path) -> Scored:
    """What would be published if there were no second stage.

    The seconds are those of recommending alone, since the model is trained in the week's build.
    """
    week = date.fromisoformat(week_before(target.first_day))
    hm(home, "build", "--week", str(week))
    version, _ = published(home / "warehouse.duckdb", target)
    file = cache / f"{target.first_day}-{RETRIEVAL}-{version}.npz"
    if (known := kept(file, target)) is not None:
        return known
    started = time.monotonic()
    model = open_model(home / "models" / "recommender" / version)
    snapshot = serving_snapshot(home / "warehouse.duckdb", week)
    rows = publish(model.retrieval(), snapshot, model.manifest.version, K).read_all()
    columns = {name: rows[name].to_numpy() for name in ("customer_id", "article_id", "rank")}
    return keep(file, Scored(target, _lists(columns, target), time.monotonic() - started))


def measure_as_if_new(home: Path, target: TargetWeek, cache: Path) -> HiddenPast:
    """The buyers as if they were new to what was published; the week before is built already."""
    week = date.fromisoformat(week_before(target.first_day))
    version, _ = published(home / "warehouse.duckdb", target)
    file = cache / f"{target.first_day}-{NAME}-as-if-new-{version}.npz"
    if file.exists():
        with np.load(file) as stored:
            return HiddenPast(**stored)
    snapshot = serving_snapshot(home / "warehouse.duckdb", week)
    model = open_model(home / "models" / "recommender" / version)
    found = hidden_past(model.published(), snapshot, target)
    write(file, **vars(found))
    return found


def hidden_past(recommender: Recommender, snapshot: Snapshot, target: TargetWeek) -> HiddenPast:
    """The target week's buyers as if they were new; ``snapshot`` is what is known before it."""
    ours, segments = WithFallback(recommender), SegmentPopularity()
    found = as_if_new([ours, segments], snapshot, bought_by_known(snapshot, target), K)
    ids = snapshot.customer_ids.take(pa.array(found.customers)).to_numpy(zero_copy_only=False)
    return HiddenPast(
        np.searchsorted(target.history.catalogue.customer_ids, ids.astype(str)).astype(np.int32),
        found.average_precision[ours.name],
        found.average_precision[segments.name],
    )


def bought_by_known(snapshot: Snapshot, target: TargetWeek) -> Purchased:
    """What the customers whom the snapshot has bought in the target week, by its own indices.

    Articles that it lacks have indices beyond its own: they cannot be hit, but they count.
    """
    bought, catalogue = target.bought, target.history.catalogue
    article = _positions(catalogue.article_ids, snapshot.article_ids)
    article = np.where(article < 0, snapshot.n_articles + np.arange(len(article)), article)
    customer = _positions(catalogue.customer_ids, snapshot.customer_ids)[bought.customers]
    customers = np.repeat(customer, np.diff(bought.offsets))
    known = customers >= 0
    return purchased(customers[known], article[bought.articles][known])


def _positions(ids: NDArray[np.str_], among: pa.StringArray) -> NDArray[np.int64]:
    """Where each id is among others, -1 where it is not."""
    found = pc.fill_null(pc.index_in(pa.array(ids, pa.string()), value_set=among), -1)
    return found.to_numpy(zero_copy_only=False).astype(np.int64)


def published(warehouse: Path, target: TargetWeek) -> tuple[str, np.ndarray]:
    """The model's version and int32 lists for the customers who bought; -1 where there is none."""
    with connect(warehouse, read_only=True) as connection:
        rows = connection.execute(
            "SELECT customer_id, article_id, rank, model_version FROM serving.recommendations "
            "WHERE week = CAST(? AS DATE)",
            [week_before(target.first_day)],
        ).fetchnumpy()
    if not len(rows["rank"]):
        raise CommandError(f"nothing is published for week {week_before(target.first_day)}")
    return str(rows["model_version"][0]), _lists(rows, target)


def _lists(rows: Mapping[str, NDArray], target: TargetWeek) -> NDArray[np.int32]:
    """Rows of a publication (customer_id, article_id, rank) as lists for those who bought."""
    catalogue = target.history.catalogue
    customers = np.searchsorted(catalogue.customer_ids, rows["customer_id"].astype(str))
    articles = np.searchsorted(catalogue.article_ids, rows["article_id"].astype(str))
    everybody = np.full((target.history.n_customers, K), -1, dtype=np.int32)
    shown = rows["rank"] <= K
    everybody[customers[shown], rows["rank"][shown].astype(np.int64) - 1] = articles[shown]
    return everybody[target.bought.customers]
