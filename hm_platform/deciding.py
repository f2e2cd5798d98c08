"""`hm promote` and `hm rollback`: somebody decides which stored model serves a week.

The decision is checked here, so that a wrong one ends before a run begins, and again by the asset
``serving/decisions``, which anyone can run in the UI.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import partial

import pyarrow as pa

from hm_platform.modelling.model_store import Manifest, read_manifest
from hm_platform.running import Runs, Say
from hm_platform.serving.decisions import (
    Decision,
    DecisionError,
    check_decision,
    newest_decision,
)
from hm_platform.serving.published import Publication, read_publications
from hm_platform.serving.verdicts import passed_any
from hm_platform.settings import Settings
from hm_platform.storage.places import storage_of
from hm_platform.storage.tables import Slice


@dataclass(frozen=True)
class ServingRecords:
    """What the warehouse knows of models and publications.

    publications : newest week first
    decisions : ``serving.decisions``, None where there is none yet
    tests, board : ``evaluation.behavioral_tests`` and ``evaluation.behavioral_report``, None where
        there is none yet
    """

    publications: list[Publication]
    decisions: pa.Table | None
    tests: pa.Table | None
    board: pa.Table | None


def read_serving_records(settings: Settings) -> ServingRecords:
    """Raises TableError when there are no tables yet, or they stay in use."""
    publications, decisions, tests, board = storage_of(settings).tables.read_each(
        Slice("serving", "publications"),
        Slice("serving", "decisions"),
        Slice("evaluation", "behavioral_tests"),
        Slice("evaluation", "behavioral_report"),
        wait_s=60,
    )
    return ServingRecords(read_publications(publications), decisions, tests, board)


def manifest_of(settings: Settings, version: str) -> Manifest:
    """The manifest of a stored version. Raises ModelFolderError or ModellingError."""
    return read_manifest(storage_of(settings).models.folder_of_version(version))


def decide(
    settings: Settings, kind: str, version: str, reason: str, week: str | None, say: Say
) -> date:
    """Have a stored model serve a week (default: the newest published), and publish it again.

    kind : promote or rollback

    Raises DecisionError when that makes no sense, RunFailedError when the run fails.
    """
    records = read_serving_records(settings)
    wanted = _week(settings, week, records.publications)
    check_decision(
        Decision(kind, wanted, version, reason),
        partial(manifest_of, settings),
        records.publications,
        partial(passed_any, records.tests),
        newest_decision(records.decisions, wanted),
    )
    decision = {"kind": kind, "version": version, "week": str(wanted), "reason": reason}
    Runs(settings, say).run(
        "decide",
        f"publishing week {wanted} again, by {version}",
        partition=str(wanted),
        config={"ops": {"serving__decisions": {"config": decision}}},
    )
    return wanted


def _week(settings: Settings, week: str | None, publications: list[Publication]) -> date:
    """The week that is meant. Raises DecisionError when it is not built, CalendarError when it is
    none."""
    weeks = [publication.week for publication in publications]
    if week is None:
        if not weeks:
            raise DecisionError("nothing is published yet: run `hm build`, or name a --week")
        return weeks[0]
    wanted = settings.calendar.parse(week)
    if storage_of(settings).models.version_of_week(wanted) is None:
        why = "is not built"
        if wanted in weeks:
            why = "is published, and its splits and features have been removed since (`hm tidy`)"
        raise DecisionError(
            f"week {wanted} {why}: run `hm build --week {wanted}` first "
            f"(published: {', '.join(map(str, sorted(weeks)[-5:])) or 'none'})"
        )
    return wanted
