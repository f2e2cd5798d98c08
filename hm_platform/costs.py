"""What the platform's assets have cost: the numbers that IO managers attach to them, read back.

They lie in Dagster's own record of events, by asset and week; nothing else keeps them. What each of
them means is said in ``hm_platform.storage.metering``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hm_platform.storage.metering import KEYS

if TYPE_CHECKING:
    from dagster import AssetKey, DagsterInstance

MOST = 1000
"""Materialisations of an asset that are looked at, the newest first."""


@dataclass(frozen=True)
class Cost:
    """What it has cost to make an asset.

    asset : its key, as ``datasets/train``
    week : None where the asset has no weeks
    weeks : how many weeks were made at once: of what a run has cost that made several, each has an
        equal share
    seconds, bytes_read, bytes_written, peak_memory_bytes : None where it is not known
    """

    asset: str
    week: date | None
    run_id: str
    at: datetime
    weeks: int = 1
    seconds: float | None = None
    bytes_read: float | None = None
    bytes_written: float | None = None
    peak_memory_bytes: float | None = None

    @property
    def group(self) -> str:
        """The first part of its key."""
        return self.asset.split("/")[0]

    def share(self, weeks: int) -> Cost:
        """The part of one of so many weeks; the peak of the memory is that of all."""

        def part(value: float | None) -> float | None:
            return None if value is None else value / weeks

        return replace(
            self,
            weeks=weeks,
            seconds=part(self.seconds),
            bytes_read=part(self.bytes_read),
            bytes_written=part(self.bytes_written),
        )


@dataclass(frozen=True)
class Costs:
    """The newest cost of each asset, for each week that it has."""

    each: tuple[Cost, ...] = ()

    @cached_property
    def weeks(self) -> list[date]:
        """The weeks whose assets after loading have costs, oldest first."""
        return sorted({c.week for c in self.each if c.week and c.group == "serving"}) or sorted(
            {c.week for c in self.each if c.week}
        )

    def of(self, week: date | None) -> list[Cost]:
        """Those of a week, or of what has no weeks; what took longest comes first."""
        found = [cost for cost in self.each if cost.week == week]
        return sorted(found, key=lambda cost: (-(cost.seconds or 0), cost.asset))

    def seconds(self, week: date) -> dict[str, float]:
        """Group -> seconds of a week."""
        found: dict[str, float] = {}
        for cost in self.of(week):
            if cost.seconds is not None:
                found[cost.group] = found.get(cost.group, 0.0) + cost.seconds
        return found

    def peak(self, week: date) -> float | None:
        """The highest peak of the memory of a week, in bytes."""
        known = [c.peak_memory_bytes for c in self.of(week) if c.peak_memory_bytes is not None]
        return max(known, default=None)


def read_costs(instance: DagsterInstance) -> Costs:
    """What Dagster's record knows of all assets."""
    found: list[Cost] = []
    for key in instance.all_asset_keys():
        found += newest(_costs_of(instance, key))
    return Costs(tuple(sorted(found, key=lambda c: (c.asset, c.week or date.min))))


def newest(costs: Iterable[Cost]) -> list[Cost]:
    """Of one asset the newest cost of each week; those of a run of several weeks are shared out.

    costs : the newest first
    """
    costs = list(costs)
    together: dict[str, set[date | None]] = {}
    for cost in costs:
        together.setdefault(cost.run_id, set()).add(cost.week)
    found: dict[date | None, Cost] = {}
    for cost in costs:
        if cost.week not in found:
            found[cost.week] = cost.share(len(together[cost.run_id]))
    return list(found.values())


def cost_of(
    asset: str, week: str | None, run_id: str, at: float, metadata: Mapping[str, Any]
) -> Cost | None:
    """From a materialisation; None where it was recorded before costs were.

    week : the partition
    at : seconds since 1970
    metadata : name -> Dagster's metadata value
    """
    known = {name: metadata[name].value for name in KEYS if name in metadata}
    if not known:
        return None
    of_week = None if week is None else date.fromisoformat(week)
    return Cost(asset, of_week, run_id, datetime.fromtimestamp(at, UTC), **known)


def _costs_of(instance: DagsterInstance, key: AssetKey) -> Iterable[Cost]:
    for record in instance.fetch_materializations(key, limit=MOST).records:
        made = record.asset_materialization
        if made is None:
            continue
        asset = made.asset_key.to_user_string()
        cost = cost_of(asset, made.partition, record.run_id, record.timestamp, made.metadata)
        if cost is not None:
            yield cost
