"""The typed tables of the landing zone, as Dagster makes them."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from dagster import materialize

from hm_platform.assets import raw
from hm_platform.landing.zone import LandingZone
from hm_platform.resources import build_resources
from tests.home import Home
from tests.landing.landed import header, put, row

DATASETS = ("articles", "customers")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr("hm_platform.landing.index.SETTLED_S", 0)
    return Home.at(tmp_path)


def land(zone: LandingZone, name: str, *ids: str) -> None:
    for dataset in DATASETS:
        lines = [row(dataset, **{f"{dataset[:-1]}_id": each}) for each in ids]
        put(zone, f"{dataset}/{name}", [header(dataset), *lines])


def look(home: Home) -> None:
    done = materialize(
        [raw.landed_files, raw.articles, raw.customers],
        resources=dict(build_resources(home.settings)),
    )
    assert done.success


def rows(home: Home, dataset: str) -> list[tuple[str, str]]:
    with duckdb.connect(home.settings.warehouse, read_only=True) as db:
        return db.execute(
            f"SELECT {dataset[:-1]}_id, uri FROM raw.{dataset} ORDER BY ALL"
        ).fetchall()


def test_a_broken_file_keeps_its_own_rows_and_no_others(home: Home) -> None:
    zone = home.settings.landing_zone
    land(zone, "a.csv", "1")
    land(zone, "b.csv", "2")
    look(home)
    for dataset in DATASETS:
        put(zone, f"{dataset}/a.csv", "nothing of the kind")
        (zone.root / dataset / "b.csv").unlink()
    look(home)
    for dataset in DATASETS:
        assert rows(home, dataset) == [("1", f"{dataset}/a.csv")]
