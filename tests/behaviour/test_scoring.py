"""The report's inputs from a stored model, a week's data and what was published last."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from hm_platform.behaviour.inputs import CATALOGUE, ReportInputs, ServingNow, SplitVolume
from hm_platform.behaviour.scoring import Week, report_inputs
from hm_platform.behaviour.week import Audit
from hm_platform.datasets.plan import SplitPlan
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.baselines.popularity import Popularity
from hm_platform.modelling.pipeline import OpenModel, bought_in
from hm_platform.modelling.recommenders import Scorer
from hm_platform.serving.published import LastPublished
from tests.behaviour.stored import DATA, ENCODERS, SCORES, WORLD, stored
from tests.modelling.worlds import VALIDATION, WEEK

SALES = np.arange(WORLD.articles, dtype=np.int64)


@dataclass(frozen=True)
class Renamed:
    """What serves now, under its name on the board."""

    name: str = "last_published"
    needs_history: bool = False

    def prepare(self, snapshot: Snapshot) -> Scorer:
        return Popularity().prepare(snapshot)


def week(validation_end: date = VALIDATION) -> Week:
    snapshot = replace(WORLD.snapshot(), split="test")
    nothing = pa.nulls(WORLD.articles, pa.string())
    days = (VALIDATION - timedelta(weeks=1), VALIDATION - timedelta(days=1))
    return Week(
        dataset="Made-up shop",
        snapshot=snapshot,
        bought=bought_in(WORLD.validation),
        purchases=WORLD.transactions(snapshot.cutoff),
        train=Audit(SplitVolume("train", 9, *days, 3, 3), "aa", SALES * 2),
        validation=Audit(SplitVolume("validation", 9, *days, 3, 3), "other", SALES),
        test=SplitVolume("test", 9, VALIDATION, WEEK, 3, 3),
        plan=SplitPlan(WEEK, date(2019, 1, 2), VALIDATION - timedelta(weeks=1), validation_end),
        catalogue=pa.table(dict.fromkeys(CATALOGUE, nothing)),
        encoders=ENCODERS,
        served=None,
        before=None,
        drift=None,
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> OpenModel:
    return stored(Path(tmp_path_factory.mktemp("stored")) / "model", with_ranker=True)


def inputs_of(model: OpenModel, asked: Week, last: LastPublished | None = None) -> ReportInputs:
    return report_inputs(asked, model, last, versions={"a": "1"}, feature_graph_svg=None, seed=3)


@pytest.fixture(scope="module")
def made(model: OpenModel) -> ReportInputs:
    return inputs_of(model, week())


def test_both_stages_and_the_baselines_are_on_the_board(made: ReportInputs) -> None:
    assert [r.name for r in made.recommenders if not r.is_baseline] == ["ranker", "two_tower"]
    baselines = [r.name for r in made.recommenders if r.is_baseline]
    assert {"popularity", "segment_popularity"} <= set(baselines)
    assert made.last_published is None


def test_what_the_manifest_chose_is_under_test(made: ReportInputs, model: OpenModel) -> None:
    assert made.challenger == model.manifest.chosen == "two_tower"
    assert made.model_version == model.manifest.version
    assert made.club_statuses == ENCODERS.vocabularies["club_member_status_code"]
    assert made.seed == 3


def test_fingerprints_of_the_splits_stand_beside_those_of_the_model(made: ReportInputs) -> None:
    about = made.provenance
    assert about is not None
    assert about.recorded == DATA
    assert about.actual == {"train": "aa", "validation": "other"}
    assert about.validation_map == {name: found["map"] for name, found in SCORES.items()}
    assert [v.split for v in made.volumes] == ["train", "validation", "test"]


def test_sales_are_known_where_validation_is_the_week_before(
    made: ReportInputs, model: OpenModel
) -> None:
    assert made.provenance is not None
    assert made.provenance.last_week_sales is SALES
    longer = inputs_of(model, week(VALIDATION + timedelta(weeks=1)))
    assert longer.provenance is not None
    assert longer.provenance.last_week_sales is None


def test_the_model_gives_the_same_lists_when_asked_again(made: ReportInputs) -> None:
    assert made.stability is not None
    assert len(made.stability.asked_again) == made.n
    assert made.stability.asked_again.min() == 1


def test_what_serves_now_stands_among_the_models(model: OpenModel) -> None:
    last = LastPublished(Renamed(), "2020-02-26-0", WEEK - timedelta(7), "popularity")
    made = inputs_of(model, week(), last)
    assert [r.name for r in made.recommenders][:3] == ["ranker", "two_tower", "last_published"]
    found = made.recommender("last_published")
    assert not found.is_baseline
    np.testing.assert_array_equal(found.articles, made.recommender("popularity").articles)
    assert made.last_published == ServingNow(
        "last_published", "popularity", "2020-02-26-0", WEEK - timedelta(7)
    )
