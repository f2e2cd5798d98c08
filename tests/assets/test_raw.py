"""The typed tables of the landing zone, as Dagster makes them."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from dagster import materialize

from hm_platform.assets import raw
from hm_platform.landing.zone import LandingZone
from hm_platform.notifying import Notice
from hm_platform.resources import build_resources
from hm_platform.storage.local import Warehouse
from tests.home import Home
from tests.landing.landed import header, put, put_customers, row

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


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_changed_columns_are_told_once_and_not_before_the_index_is_stored(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Notice] = []
    monkeypatch.setattr(raw, "notify", lambda notice, _: told.append(notice))

    stored: list[bool] = []

    def checked() -> None:
        done = materialize(
            [raw.landed_files, raw.columns_are_as_before],
            resources=dict(build_resources(home.settings)),
            raise_on_error=False,
        )
        stored.append(done.success)

    put_customers(home.settings.landing_zone, "a")
    checked()
    put_customers(home.settings.landing_zone, "b", adds=["shoe"])
    with monkeypatch.context() as patched:
        patched.setattr(Warehouse, "replace", _full)
        checked()
    assert (stored, told) == ([True, False], [])
    checked()
    assert [notice.subject for notice in told] == ["The columns of landed files have changed"]
    assert told[0].text == (
        "- customers: column shoe (text) is there and was not before (customers/b.csv)"
    )
    checked()
    assert (stored, len(told)) == ([True, False, True, True], 1)
