"""Who serves a week: the challenger, if it passed its tests, or the champion.

The challenger is the model that was trained for the week, the champion what was published last. In
this order:

============== ============================================================================
promoted,      somebody has decided for a model version (`hm promote`, `hm rollback`): that one
rolled_back
passed         the challenger, where none of its tests that block has failed
last_published the newest publication, of this week or an earlier one, that can still be opened,
               asked again on what is known now
baseline       the best baseline of the validation week, where no publication can be opened
============== ============================================================================

Plain functions; what they need to know is given to them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from hm_platform.errors import PlatformError
from hm_platform.modelling.model_store import Manifest
from hm_platform.modelling.restored import is_baseline
from hm_platform.modelling.selection import baselines
from hm_platform.serving.decisions import ROLLBACK, Decision, ManifestOf
from hm_platform.serving.published import (
    BASELINE,
    FALLBACKS,
    LAST_PUBLISHED,
    PASSED,
    PROMOTED,
    ROLLED_BACK,
    Opener,
    Publication,
    newest_that_opens,
)
from hm_platform.serving.verdicts import verdict_on, versions_tested


class GateError(PlatformError):
    """It cannot be told who serves."""


@dataclass(frozen=True)
class Choice:
    """Who serves a week.

    version : the model version, or the name of a baseline that stands in
    recommender : the name of the recommender inside, or of the baseline
    state : see the module
    reason : why, in a sentence or two
    failed : the challenger's tests that failed and block, where it was looked at
    """

    version: str
    recommender: str
    state: str
    reason: str
    failed: tuple[str, ...] = ()

    @property
    def is_fallback(self) -> bool:
        """Whether somebody should look: the challenger failed and nobody has decided."""
        return self.state in FALLBACKS


def choose(
    week: date,
    challenger: Manifest,
    tests: pa.Table | None,
    decision: Decision | None,
    publications: Sequence[Publication],
    opened: Opener,
    manifest_of: ManifestOf,
) -> Choice:
    """Who serves ``week``. The same arguments give the same choice, also when it was published.

    challenger : the manifest of the model trained for the week
    tests : ``evaluation.behavioral_tests``, of this week at least
    decision : the one that holds for the week
    publications : all there are, newest week first
    opened : opens a model version

    Raises GateError when the challenger was not tested, or when the model that was decided for
    cannot be opened.
    """
    if decision is not None:
        return _decided(decision, challenger, tests, opened, manifest_of)
    verdict = verdict_on(tests, week, challenger.version)
    if verdict is None:
        raise _not_tested(week, challenger, tests)
    if verdict.passed:
        return Choice(
            challenger.version,
            challenger.chosen,
            PASSED,
            f"{challenger.version} passed its behavioural tests.",
        )
    count = len(verdict.failed)
    blamed = (
        f"{challenger.version} failed {count} behavioural test{'s' if count > 1 else ''} that "
        f"block{'s' if count == 1 else ''} publishing ({'; '.join(verdict.failed)})."
    )
    champions = _champions(week, challenger, publications)
    found, passed_over = newest_that_opens(champions, opened)
    over = "".join(f" {why.rstrip('.')}." for why in passed_over)
    if found is not None:
        return Choice(
            found.model_version,
            found.recommender,
            LAST_PUBLISHED,
            f"{blamed} What was published last serves on: {found.recommender} of "
            f"{found.model_version}.{over}",
            verdict.failed,
        )
    name, score = best_baseline(challenger.validation, without=challenger.chosen)
    about = "" if score is None else f", whose MAP@12 there is {score:.4f}"
    nothing = "Nothing else that was published can be opened"
    if not over:
        nothing = "Nothing else was published that could serve on"
    return Choice(
        name,
        name,
        BASELINE,
        f"{blamed} {nothing}, so the best baseline of the validation week stands in: {name}{about}."
        f"{over}",
        verdict.failed,
    )


def best_baseline(
    validation: Mapping[str, Mapping[str, float]], without: str
) -> tuple[str, float | None]:
    """The baseline with the highest MAP on the validation week, and that; ties go by name.

    validation : recommender -> metric -> value; where nobody bought it is empty, and the best
        sellers are taken
    without : the challenger's own recommender: where that is a baseline, it is what has failed
    """
    names = [baseline.name for baseline in baselines() if baseline.name != without]
    known = [name for name in names if "map" in validation.get(name, {})]
    if known:
        best = min(known, key=lambda name: (-validation[name]["map"], name))
        return best, validation[best]["map"]
    return next(name for name in ("popularity", "segment_popularity") if name in names), None


def _decided(
    decision: Decision,
    challenger: Manifest,
    tests: pa.Table | None,
    opened: Opener,
    manifest_of: ManifestOf,
) -> Choice:
    version = decision.model_version
    try:
        chosen = manifest_of(version).chosen
        opened(version, chosen)
    except (PlatformError, OSError) as error:
        raise GateError(
            f"it was decided that {version} serves week {decision.week}, and it cannot be opened: "
            f"{error}. Decide for another one (`hm models` lists them); what was published stays"
        ) from error
    rollback = decision.kind == ROLLBACK
    verdict = verdict_on(tests, decision.week, version) if version == challenger.version else None
    return Choice(
        version,
        chosen,
        ROLLED_BACK if rollback else PROMOTED,
        decision.reason.strip() or f"Rolled back to {version}.",
        verdict.failed if verdict else (),
    )


def _champions(
    week: date, challenger: Manifest, publications: Sequence[Publication]
) -> list[Publication]:
    """The publications that can stand for a challenger that failed, newest first.

    Not its own; not the baseline that it would publish, if it is one, under whichever version; and
    not a baseline that stood in, which was never better than another one by more than a week. The
    week's own row counts, since the model that served before the week's was trained again may have
    published for this week alone; where it only repeats an earlier one, that one stands for it.
    """
    able = [
        each
        for each in publications
        if each.week <= week
        and each.model_version != challenger.version
        and each.state != BASELINE
        and not (is_baseline(each.recommender) and each.recommender == challenger.chosen)
    ]
    earlier = {each.model_version for each in able if each.week < week}
    return [
        each
        for each in able
        if not (
            each.week == week and each.state == LAST_PUBLISHED and each.model_version in earlier
        )
    ]


def _not_tested(week: date, challenger: Manifest, tests: pa.Table | None) -> GateError:
    others = [version for version in versions_tested(tests, week) if version != challenger.version]
    about = f" (tested was {', '.join(others)})" if others else ""
    return GateError(
        f"the behavioural tests of {challenger.version}, the model trained for week {week}, have "
        f"not been run{about}: materialise evaluation/behavioral_report first. What was published "
        f"stays"
    )
