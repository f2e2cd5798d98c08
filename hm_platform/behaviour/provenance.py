"""Signs that the model has seen the week that it is tested on.

Three kinds: what the model says it was trained on against the splits as they are, what its features
say of the last weeks against what was bought in them, and a score in the test week that is too good
beside the validation week's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
from numpy.typing import NDArray

from hm_platform.behaviour.bootstrap import Bootstrap, Statistic, Sums, quotient
from hm_platform.behaviour.effects import Effect
from hm_platform.behaviour.inputs import ReportInputs, SplitVolume


def signs_of_leakage(inputs: ReportInputs, bootstrap: Bootstrap) -> list[Effect]:
    """What must be zero, and how much better than in the validation week the test score is."""
    cutoff = inputs.snapshot.cutoff
    trained_on = [v for v in inputs.volumes if v.split != "test"]
    history = inputs.snapshot.histories
    found = [
        Effect(
            "splits with days past the cut-off",
            float(sum(_past(volume, cutoff) for volume in trained_on)) if trained_on else None,
            len(trained_on),
        ),
        Effect(
            "purchases in histories past the cut-off",
            float(np.count_nonzero(history.days_since_last < 1)),
            len(history.articles),
        ),
    ]
    about = inputs.provenance
    if about is None:
        return found
    found.append(
        Effect(
            "splits that are not those it was trained on",
            float(sum(about.actual[split] != about.recorded.get(split) for split in about.actual)),
            len(about.actual),
        )
    )
    counted = inputs.snapshot.articles.get("purchases_last_week")
    if about.last_week_sales is not None and counted is not None:
        found.append(
            Effect(
                "articles whose features count other sales than were made",
                float(np.count_nonzero(counted != about.last_week_sales)),
                inputs.n_articles,
            )
        )
    return [*found, *_too_good(inputs, about.validation_map, bootstrap)]


def _past(volume: SplitVolume, cutoff: date) -> bool:
    return volume.last_day is not None and volume.last_day >= cutoff


def _too_good(
    inputs: ReportInputs, validation: Mapping[str, float], bootstrap: Bootstrap
) -> list[Effect]:
    """By what factor MAP rose from the validation week to the test week, over the same factor of
    the baseline that was best in the validation week: how good people can be foreseen differs from
    week to week, for all recommenders alike. (The ranker has learnt from the validation week since,
    which makes it better by half a percent.)"""
    name = "rise of MAP since validation, over a baseline's"
    baselines = [r.name for r in inputs.recommenders if r.is_baseline and r.name in validation]
    baselines = [b for b in baselines if b != inputs.challenger]
    if not baselines or not validation.get(inputs.challenger):
        return [Effect(name, None, 0)]
    rival = max(baselines, key=lambda b: validation[b])
    expected = validation[inputs.challenger] / validation[rival] if validation[rival] else np.nan
    mine, theirs = (inputs.recommender(r).metrics.map for r in (inputs.challenger, rival))

    def rise(sums: Sums) -> NDArray[np.float64]:
        return quotient(0, 1)(sums) / expected

    return bootstrap.effects(np.stack([mine, theirs], axis=1), {name: Statistic(rise, bootstrap.n)})
