"""What hm_platform itself recommends: the published lists of the week before each target week.

The product is used as its users do, by its commands, in a home of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.protocol import TargetWeek
from benchmarks.quality.scoring import Scored, keep, kept
from benchmarks.quality.stages import serving_snapshot
from hm_platform.errors import PlatformError
from hm_platform.modelling.metrics import K
from hm_platform.modelling.pipeline import open_model
from hm_platform.serving.publish import publish
from hm_platform.storage.warehouse import connect

NAME = "hm_platform"
RETRIEVAL = "hm_platform-two-tower"
HM = Path(sys.executable).parent / "hm"


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
