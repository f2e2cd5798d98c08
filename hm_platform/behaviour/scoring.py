"""The report's inputs: a week's model and its rivals asked for the lists of all who bought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hm_platform.behaviour.cold_articles import cold_articles
from hm_platform.behaviour.cold_customers import as_if_new, compared
from hm_platform.behaviour.inputs import (
    Provenance,
    ReportInputs,
    ServingNow,
    SplitVolume,
    WeekBefore,
)
from hm_platform.behaviour.stability import stability
from hm_platform.behaviour.week import Audit, candidate_sources, score_all
from hm_platform.datasets.plan import SplitPlan
from hm_platform.drift.view import DriftView
from hm_platform.features.encoders import Encoders
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.fallback import WithFallback
from hm_platform.modelling.metrics import Purchased
from hm_platform.modelling.pipeline import OpenModel
from hm_platform.modelling.selection import baselines
from hm_platform.serving.published import LastPublished


@dataclass(frozen=True)
class Week:
    """The data of a week, read.

    snapshot : what was known when the test week began
    bought : what was bought in it
    purchases : what the customers who are asked again (:func:`asked_again`) had bought before it
    served, before, drift : as in ReportInputs
    """

    dataset: str
    snapshot: Snapshot
    bought: Purchased
    purchases: pa.Table
    train: Audit
    validation: Audit
    test: SplitVolume
    plan: SplitPlan
    catalogue: pa.Table
    encoders: Encoders
    served: NDArray[np.int32] | None
    before: WeekBefore | None
    drift: DriftView | None


def report_inputs(
    week: Week,
    model: OpenModel,
    last: LastPublished | None,
    *,
    versions: Mapping[str, str],
    feature_graph_svg: str | None,
    seed: int,
) -> ReportInputs:
    """Score the model, what was published last, and the baselines; ask again after small changes.

    last : what serves now, for the snapshots of this week
    """
    snapshot, bought, manifest = week.snapshot, week.bought, model.manifest
    rivals = [] if last is None else [last.recommender]
    scored = score_all([*model.models, *rivals], baselines(), snapshot, bought)
    lists = next(r.articles for r in scored if r.name == manifest.chosen)
    return ReportInputs(
        week=snapshot.week,
        dataset=week.dataset,
        snapshot=snapshot,
        bought=bought,
        recommenders=scored,
        challenger=manifest.chosen,
        challenger_reason=model.reason(),
        model_version=manifest.version,
        last_published=None
        if last is None
        else ServingNow(last.recommender.name, last.serves, last.version, last.week),
        training=model.training,
        sources=candidate_sources(manifest),
        as_if_new=as_if_new(compared(model.models, model.published()), snapshot, bought),
        cold_articles=cold_articles(model.retrieval().prepare(snapshot), snapshot, bought),
        stability=stability(
            WithFallback(model.published()),
            snapshot,
            bought.customers,
            lists,
            week.purchases,
            seed,
        ),
        served=week.served,
        provenance=Provenance(
            recorded=manifest.data,
            actual={
                "train": week.train.fingerprint,
                "validation": week.validation.fingerprint,
            },
            last_week_sales=(
                week.validation.sales if week.plan.validates_on_the_week_before else None
            ),
            validation_map={name: metrics["map"] for name, metrics in manifest.validation.items()},
        ),
        before=week.before,
        drift=week.drift,
        volumes=[week.train.volume, week.validation.volume, week.test],
        versions=versions,
        fingerprints=manifest.data,
        feature_graph_svg=feature_graph_svg,
        catalogue=week.catalogue,
        club_statuses=week.encoders.vocabularies["club_member_status_code"],
        seed=seed,
    )
