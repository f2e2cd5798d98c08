"""What hm_platform itself recommends: the published lists of the week before each target week.

The product is used as its users do, by its commands, in a home of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np

from benchmarks.quality.protocol import TargetWeek
from benchmarks.quality.scoring import Scored, keep, kept
from hm_platform.errors import PlatformError
from hm_platform.modelling.metrics import K

NAME = "hm_platform"
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


def published(warehouse: Path, target: TargetWeek) -> tuple[str, np.ndarray]:
    """The model's version and int32 lists for the customers who bought; -1 where there is none."""
    catalogue = target.history.catalogue
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        rows = connection.execute(
            "SELECT customer_id, article_id, rank, model_version FROM serving.recommendations "
            "WHERE week = CAST(? AS DATE)",
            [week_before(target.first_day)],
        ).fetchnumpy()
    if not len(rows["rank"]):
        raise CommandError(f"nothing is published for week {week_before(target.first_day)}")
    customers = np.searchsorted(catalogue.customer_ids, rows["customer_id"].astype(str))
    articles = np.searchsorted(catalogue.article_ids, rows["article_id"].astype(str))
    everybody = np.full((target.history.n_customers, K), -1, dtype=np.int32)
    shown = rows["rank"] <= K
    everybody[customers[shown], rows["rank"][shown].astype(np.int64) - 1] = articles[shown]
    return str(rows["model_version"][0]), everybody[target.bought.customers]
