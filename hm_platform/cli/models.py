"""`hm models`: the stored models, what their tests say, and which of them serve."""

from __future__ import annotations

from datetime import date

import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table

from hm_platform.building import who_serves
from hm_platform.deciding import (
    ServingRecords,
    manifest_of,
    read_serving_records,
)
from hm_platform.errors import PlatformError
from hm_platform.modelling.model_store import Manifest
from hm_platform.serving.verdicts import verdict_on, versions_tested
from hm_platform.settings import Settings
from hm_platform.storage.places import storage_of

METRIC = "map@12"


class NoModelsError(PlatformError):
    """There is nothing to list."""


def print_models(settings: Settings, limit: int) -> None:
    """Print the newest ``limit`` versions to standard output, newest first.

    Raises NoModelsError when none is stored.
    """
    stored = storage_of(settings).models
    versions = stored.versions()
    if not versions:
        raise NoModelsError(f"no model is stored in {stored}: run `hm build`")
    records = read_serving_records(settings)
    table = Table(
        title=f"Stored models, the newest {limit} of {len(versions)}"
        if len(versions) > limit
        else "Stored models",
        title_justify="left",
    )
    table.add_column("version", no_wrap=True)
    table.add_column("tests")
    table.add_column("serves", no_wrap=True)
    table.add_column("recommender")
    for column in ("val.", "test"):
        table.add_column(column, justify="right", no_wrap=True)
    for version in versions[:limit]:
        try:
            manifest = manifest_of(settings, version)
        except PlatformError:
            table.add_row(version, "cannot be read", _serves(records, version), "-", "-", "-")
            continue
        validation = manifest.validation.get(manifest.chosen, {}).get("map")
        table.add_row(
            version,
            _tests(records, manifest),
            _serves(records, version),
            manifest.chosen,
            _number(validation),
            _number(_test_map(settings, records, manifest)),
        )
    console = Console(highlight=False)
    console.print(table)
    console.print("serves: its newest week, and how many before it")
    console.print("val., test: MAP@12 on the validation week and the test week")
    if records.publications:
        console.print(who_serves(records.publications[0]), markup=False, soft_wrap=True)


def _tests(records: ServingRecords, manifest: Manifest) -> str:
    verdict = verdict_on(records.tests, date.fromisoformat(manifest.week), manifest.version)
    if verdict is None:
        return "not tested"
    return "passed" if verdict.passed else "failed"


def _serves(records: ServingRecords, version: str) -> str:
    weeks = [each.week for each in records.publications if each.model_version == version]
    if len(weeks) < 2:
        return str(weeks[0]) if weeks else "-"
    return f"{weeks[0]} +{len(weeks) - 1}"


def _test_map(settings: Settings, records: ServingRecords, manifest: Manifest) -> float | None:
    """The MAP@12 of the week's report, where that is about this version."""
    week = date.fromisoformat(manifest.week)
    reported = versions_tested(records.tests, week)
    if not reported:
        # A report of before there were tests is about the model of the week.
        trained = storage_of(settings).models.version_of_week(week)
        reported = [trained] if trained else []
    if records.board is None or reported != [manifest.version]:
        return None
    mine = records.board.filter(
        (pc.field("week") == week)
        & (pc.field("metric") == METRIC)
        & (pc.field("recommender") == manifest.chosen)
    )
    return mine["value"][0].as_py() if mine.num_rows else None


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
