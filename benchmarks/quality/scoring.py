"""Lists of a recommender for a week: made once, kept in a file, scored by the platform's metrics.

Files are named after the recommender's settings and the data, so a run that was stopped is carried
on by starting it again, and a changed setting is measured anew.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.peers import Peer
from benchmarks.quality.protocol import TargetWeek
from hm_platform.modelling.metrics import CustomerMetrics, K, coverage, evaluate


@dataclass(frozen=True)
class Scored:
    """One recommender on one target week.

    lists : int32, shape (customers who bought, 12)
    seconds : to fit and to recommend
    """

    target: TargetWeek
    lists: NDArray[np.int32]
    seconds: float

    @cached_property
    def metrics(self) -> CustomerMetrics:
        return evaluate(self.lists, self.target.bought)

    @property
    def coverage(self) -> float:
        """The share of the articles sold before the week that is in any list."""
        return coverage(self.lists, self.target.history.sold)


def pooled(weeks: Sequence[Scored], metric: str) -> NDArray[np.float64]:
    """A metric of every customer-week, in the order of weeks and customers."""
    return np.concatenate([getattr(week.metrics, metric) for week in weeks])


def measure(peer: Peer, target: TargetWeek, cache: Path, again: bool = False) -> Scored:
    """The peer's lists for the week, from the cache where they are there.

    again : make them even so
    """
    file = cache / f"{fingerprint(peer, target)}.npz"
    if not again and (known := kept(file, target)) is not None:
        return known
    started = time.monotonic()
    lists = peer.recommend(target.history, target.bought.customers, K)
    return keep(file, Scored(target, lists, time.monotonic() - started))


def fingerprint(peer: Peer, target: TargetWeek) -> str:
    """Week, kind of peer, and a hash of its settings and of the week's data."""
    digest = hashlib.sha256(repr(peer).encode())
    history, bought = target.history, target.bought
    for part in (history.customers, history.articles, history.days, bought.customers):
        digest.update(part.tobytes())
    return f"{target.first_day}-{type(peer).__name__}-{digest.hexdigest()[:12]}"


def kept(file: Path, target: TargetWeek) -> Scored | None:
    """What :func:`keep` wrote, or None."""
    if not file.exists():
        return None
    with np.load(file) as stored:
        return Scored(target, stored["lists"], float(stored["seconds"]))


def keep(file: Path, scored: Scored) -> Scored:
    """Write lists and seconds, and return them."""
    write(file, lists=scored.lists, seconds=np.float64(scored.seconds))
    return scored


def write(file: Path, **arrays: NDArray | np.floating) -> None:
    """Write arrays by their names, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial.npz")
    np.savez(partial, **arrays)  # type: ignore[arg-type]
    partial.replace(file)
