"""What people decide: which stored model serves a week, whatever its tests say.

The rows of ``serving.decisions`` are only added to. The newest one for a week holds until there is
another one for that week.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from hm_platform.errors import PlatformError
from hm_platform.serving.published import FALLBACKS, Publication

if TYPE_CHECKING:
    from hm_platform.modelling.model_store import Manifest

PROMOTE = "promote"
ROLLBACK = "rollback"
KINDS = (PROMOTE, ROLLBACK)

SCHEMA = pa.schema(
    [
        ("decided_at", pa.timestamp("us")),
        ("week", pa.date32()),
        ("kind", pa.string()),
        ("model_version", pa.string()),
        ("reason", pa.string()),
    ]
)

ManifestOf = Callable[[str], "Manifest"]
"""Gives the manifest of a model version. Raises PlatformError when there is none, or none that can
be read."""


class DecisionError(PlatformError):
    """A decision that cannot be carried out, or should not be."""


@dataclass(frozen=True)
class Decision:
    """A model version serves a week because somebody said so.

    kind : promote or rollback
    reason : why; may be empty for a rollback
    """

    kind: str
    week: date
    model_version: str
    reason: str


def newest_decision(decisions: pa.Table | None, week: date) -> Decision | None:
    """The decision that holds for a week, or None.

    decisions : ``serving.decisions``; None where there is none yet
    """
    if decisions is None or not decisions.num_rows:
        return None
    mine = decisions.filter(pc.field("week") == week)
    if not mine.num_rows:
        return None
    rows = mine.to_pylist()
    # Of two in the same moment the one that was added later.
    _, row = max(enumerate(rows), key=lambda each: (each[1]["decided_at"], each[0]))
    return Decision(row["kind"], row["week"], row["model_version"], row["reason"])


def with_decision(
    decisions: pa.Table | None, decision: Decision | None, decided_at: datetime
) -> pa.Table:
    """The table with a decision more, or as it was.

    decided_at : in UTC, without a time zone
    """
    before = SCHEMA.empty_table() if decisions is None else decisions.select(SCHEMA.names)
    if decision is None:
        return before.cast(SCHEMA)
    row = {"decided_at": decided_at, **vars(decision)}
    return pa.concat_tables([before.cast(SCHEMA), pa.Table.from_pylist([row], SCHEMA)])


def check_decision(
    decision: Decision,
    manifest_of: ManifestOf,
    publications: Sequence[Publication],
    has_passed: Callable[[str], bool],
    former: Decision | None = None,
) -> None:
    """Raise DecisionError where a decision makes no sense.

    publications : all there are
    former : the decision that has held for the week; a run may have failed before it was published
    has_passed : whether a model version has passed the tests of some week
    """
    version, week = decision.model_version, decision.week
    if decision.kind not in KINDS:
        raise DecisionError(f"{decision.kind!r} is no decision: it is {' or '.join(KINDS)}")
    if decision.kind == PROMOTE and not decision.reason.strip():
        raise DecisionError(
            f"why should {version} serve although its tests do not say so? Give a reason: it is "
            "kept with what is published"
        )
    trained_for = date.fromisoformat(manifest_of(version).week)
    if trained_for > week:
        raise DecisionError(
            f"{version} was trained for week {trained_for} and cannot serve week {week}: it has "
            f"learnt from weeks after it"
        )
    serving = next((each for each in publications if each.week == week), None)
    other = former is not None and former.model_version != version
    if serving is not None and serving.model_version == version and not other:
        accepted = decision.kind == PROMOTE and serving.state in FALLBACKS
        if not accepted:
            raise DecisionError(f"{version} serves week {week} already")
    if decision.kind == ROLLBACK:
        was_published = any(each.model_version == version for each in publications)
        if not was_published and not has_passed(version):
            raise DecisionError(
                f"{version} was never published and has never passed its tests; to have it serve "
                f"all the same: hm promote {version} --reason TEXT"
            )
