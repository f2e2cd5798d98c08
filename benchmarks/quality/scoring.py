"""Lists of a recommender for a week: made once, kept in a file, scored by the platform's metrics.

Files are named after the recommender's settings and the data, so a run that was stopped is carried
on by starting it again, and a changed setting is measured anew.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.peers import Peer
from benchmarks.quality.protocol import TargetWeek
from hm_platform.modelling.metrics import K, CustomerMetrics, coverage, evaluate


@dataclass(frozen=True)
class Scored:
    """One recommender on one target week.

    lists : int32, shape (customers who bought, 12)
    seconds : to fit and to recommend
    """

    target: TargetWeek
    lists: NDArray[np.int32]
    seconds: float

    @property
    def metrics(self) -> CustomerMetrics:
        return evaluate(self.lists, self.target.bought)

    @property
    def coverage(self) -> float:
        """The share of the articles sold before the week that is in any list."""
        return coverage(self.lists, self.target.history.sold)


def measure(peer: Peer, target: TargetWeek, cache: Path, again: bool = False) -> Scored:
    """The peer's lists for the week, from the cache where they are there.

    again : make them even so
    """
    file = cache / f"{fingerprint(peer, target)}.npz"
    if file.exists() and not again:
        with np.load(file) as kept:
            return Scored(target, kept["lists"], float(kept["seconds"]))
    started = time.monotonic()
    lists = peer.recommend(target.history, target.bought.customers, K)
    seconds = time.monotonic() - started
    cache.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial.npz")
    np.savez(partial, lists=lists, seconds=seconds)
    partial.replace(file)
    return Scored(target, lists, seconds)


def fingerprint(peer: Peer, target: TargetWeek) -> str:
    """Week, kind of peer, and a hash of its settings and of the week's data."""
    digest = hashlib.sha256(repr(peer).encode())
    history, bought = target.history, target.bought
    for part in (history.customers, history.articles, history.days, bought.customers):
        digest.update(part.tobytes())
    return f"{target.first_day}-{type(peer).__name__}-{digest.hexdigest()[:12]}"
