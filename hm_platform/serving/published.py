"""What was published before: the rows of ``serving.publications``, and the models behind them.

A publication is by a stored model, or by a baseline: one that beat the model of its week (its
``model_version`` is then that model's), or one that stood in where there was no model to serve (its
``model_version`` is then the baseline's own name). A baseline can always be asked again, a model as
long as its folder is whole and this version of the platform can read it.

Importing this module does not import what opens models, since commands and sensors read rows only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from hm_platform.errors import PlatformError

if TYPE_CHECKING:
    from hm_platform.features.encoders import Encoders
    from hm_platform.modelling.recommenders import Recommender
    from hm_platform.modelling.restored import Stored

NAME = "last_published"
"""What the last published recommender is called on boards."""

PASSED = "passed"
PROMOTED = "promoted"
ROLLED_BACK = "rolled_back"
LAST_PUBLISHED = "last_published"
BASELINE = "baseline"
FALLBACKS = (LAST_PUBLISHED, BASELINE)
"""The states of a publication whose own model did not pass, and nobody decided otherwise."""

FolderOf = Callable[[str], Path]
"""Gives the folder of a model version. Raises PlatformError when there is none."""

Opener = Callable[[str, str], "Stored"]
"""Opens what a publication was made by: model version, recommender. Raises PlatformError or OSError
when it cannot be opened."""


@dataclass(frozen=True)
class Publication:
    """A row of ``serving.publications``.

    state : passed, promoted, rolled_back, last_published or baseline; None in rows that were
        written before there was a gate
    reason : why that state, for people
    """

    week: date
    model_version: str
    recommender: str
    state: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class LastPublished:
    """What served last, ready to recommend again.

    recommender : for the snapshots of the week that it is opened for; called NAME
    version : its model version
    week : the week that it was published for
    serves : the name of the recommender inside
    passed_over : why newer publications are not it
    """

    recommender: Recommender
    version: str
    week: date
    serves: str
    passed_over: Sequence[str] = ()


def read_publications(table: pa.Table | None) -> list[Publication]:
    """The publications, newest week first.

    table : ``serving.publications``, of this or an earlier version of the platform; None where
        there is none yet
    """
    if table is None:
        return []
    nothing = [None] * table.num_rows
    columns = [
        table[name].to_pylist() if name in table.column_names else nothing
        for name in ("week", "model_version", "recommender", "state", "reason")
    ]
    found = [Publication(*row) for row in zip(*columns, strict=True) if all(row[:3])]
    return sorted(found, key=lambda publication: publication.week, reverse=True)


def opener(folder_of: FolderOf) -> Opener:
    """Opens models from their folders and keeps the one that was opened last."""
    from hm_platform.modelling.restored import is_baseline, open_baseline, open_stored

    @lru_cache(maxsize=1)
    def opened(version: str, recommender: str) -> Stored:
        if is_baseline(recommender):
            return open_baseline(recommender)
        return open_stored(folder_of(version), recommender)

    return opened


def newest_that_opens(
    publications: Iterable[Publication], opened: Opener
) -> tuple[Publication | None, tuple[str, ...]]:
    """The first of ``publications`` that can be opened, and why those before it cannot."""
    closed: dict[tuple[str, str], str] = {}
    for publication in publications:
        key = publication.model_version, publication.recommender
        if key in closed:
            continue
        try:
            opened(*key)
        except (PlatformError, OSError) as error:
            closed[key] = f"{publication.model_version} cannot be opened: {error}"
            continue
        return publication, tuple(closed.values())
    return None, tuple(closed.values())


def open_last_published(
    publications: pa.Table | None, before: date, folder_of: FolderOf, encoders: Encoders
) -> LastPublished | None:
    """The newest publication of a week before ``before`` that can still be opened, or None.

    publications : ``serving.publications``; None where there is none yet
    encoders : those of the snapshots that it will be asked to recommend for
    """
    earlier = [each for each in read_publications(publications) if each.week < before]
    opened = opener(folder_of)
    found, passed_over = newest_that_opens(earlier, opened)
    if found is None:
        return None
    stored = opened(found.model_version, found.recommender)
    return LastPublished(
        stored.reading(encoders, NAME),
        found.model_version,
        found.week,
        found.recommender,
        passed_over,
    )
