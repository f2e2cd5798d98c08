"""A week from its tables to a stored model: both stages, or one and the reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from hm_platform.datasets.fingerprint import fingerprint
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling import pipeline
from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.fallback import WithFallback
from hm_platform.modelling.metrics import K, measure
from hm_platform.modelling.model_store import CARD, RANKER_CURVES, read_curves, read_encoders
from hm_platform.modelling.pipeline import (
    OpenModel,
    WeekData,
    bought_in,
    labelled_weeks,
    train_week,
    validation_scores,
)
from hm_platform.modelling.recommenders import eligible_articles
from hm_platform.modelling.selection import MODELS, baselines
from tests.modelling.networks import everybody
from tests.modelling.ranker.shops import due_world
from tests.modelling.weeks import ENCODERS, RANKING, RETRIEVAL, trained_week, week_data
from tests.modelling.worlds import VALIDATION, WEEK, World, day, histories

WORLD = due_world(customers=40)
BASELINES = {recommender.name for recommender in baselines()}
TOO_SHORT = "the training split is too short to learn a ranking from past weeks"
NOTHING_BEFORE = "nothing was bought before the weeks that it would learn from"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("whole")


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def whole(folder, said) -> OpenModel:
    """With past weeks and a validation week."""
    return trained_week(WORLD, folder, said=said)


def without(start: date, end: date) -> World:
    """The shop, closed from one day to before another."""
    world = World(**vars(WORLD))
    world.purchases = [p for p in WORLD.purchases if not start <= p[0] < end]
    return world


def test_with_past_weeks_both_stages_are_trained_and_compared(whole, said):
    manifest = whole.manifest
    assert tuple(model.name for model in whole.models) == MODELS
    assert set(manifest.validation) == {*MODELS, *BASELINES}
    assert manifest.seed == 3
    assert manifest.week == WEEK.isoformat()
    best = max(manifest.validation, key=lambda name: manifest.validation[name]["map"])
    assert manifest.chosen == whole.published().name == best
    assert whole.reason().startswith("It had the highest MAP@12 of all on the validation week: 0.")
    assert "no ranker" not in " ".join([whole.reason(), *said])
    assert said[0] == f"training on {WORLD.train.num_rows:,} purchases"
    assert [line.split(":")[0] for line in said].count("epoch 1 of at most 2") == 2


def test_the_stored_scores_are_those_of_the_models_as_they_were_compared(whole):
    snapshot, bought = WORLD.snapshot(), bought_in(WORLD.validation)
    found = {
        model.name: measure(
            WithFallback(model).prepare(snapshot), bought, eligible_articles(snapshot)
        ).summary()
        for model in (*whole.models, *baselines())
    }
    stored = {name: dict(scores) for name, scores in whole.manifest.validation.items()}
    noiseless = {name for name, scores in stored.items() if scores.pop("map_noise") == 0}
    assert noiseless == {"ranker"}
    assert found.keys() == stored.keys()
    # The stored ranker has learnt from the week that it was scored on before.
    after, before = found.pop("ranker"), stored.pop("ranker")
    assert found == {name: pytest.approx(scores) for name, scores in stored.items()}
    scored = whole.training["ranker"][RANKING.epochs - 1]
    assert before["map"] == pytest.approx(scored["validation_map"], abs=2e-3)
    assert after["map"] > before["map"]


def test_the_data_and_the_encoders_are_kept_with_the_model(whole, folder):
    for name, table in (("train", WORLD.train), ("validation", WORLD.validation)):
        assert whole.manifest.data[name] == fingerprint(table.schema, table.to_batches())
    assert read_encoders(folder / "model") == ENCODERS
    assert len(read_curves(folder / "model", RANKER_CURVES)) == 2 + 1
    assert len(whole.training["two_tower"]) == 2


def test_the_retrieval_model_has_not_seen_the_weeks_that_the_ranker_learns_from(tmp_path):
    world = World(**vars(WORLD))
    cutoff = day(14)
    # Article 5 and customer 7 appear in the first of the past weeks.
    world.purchases = [p for p in WORLD.purchases if p[0] >= cutoff or (p[2] != 5 and p[1] != 7)]
    retrieval = trained_week(world, tmp_path).models[1]
    assert "c7" not in retrieval.customer_ids.to_pylist()
    assert "000005" not in retrieval.article_ids.to_pylist()
    assert len(retrieval.customer_ids) == 39


@pytest.mark.parametrize(("most", "step"), [(50_000, 1), (40, 1), (15, 3)])
def test_the_labels_of_a_past_week_are_the_purchases_of_its_seven_days(monkeypatch, most, step):
    monkeypatch.setattr("hm_platform.datasets.plan.MOST_RANKING_CUSTOMERS", most)
    data = week_data(WORLD)
    past = labelled_weeks(data)[:-1]
    for week, start in zip(past, (day(14), day(7)), strict=True):
        labels = week.bought
        bought = {
            (c, a)
            for when, c, a in WORLD.purchases
            if 0 <= (when - start).days < 7 and c % step == 0
        }
        assert week.snapshot.cutoff == start
        found = {
            (int(customer), int(article))
            for place, customer in enumerate(labels.customers)
            for article in labels.articles[slice(*labels.offsets[place : place + 2])]
        }
        assert found == bought


def test_the_validation_week_has_everybody(monkeypatch):
    monkeypatch.setattr("hm_platform.datasets.plan.MOST_RANKING_CUSTOMERS", 3)
    data = week_data(WORLD)
    bought = set(data.validation["customer_index"].to_pylist())
    assert len(bought) > 3
    assert set(labelled_weeks(data)[-1].bought.customers.tolist()) == bought


def test_the_same_week_again_is_the_same_model(whole, tmp_path):
    assert trained_week(WORLD, tmp_path).manifest == whole.manifest
    assert trained_week(WORLD, tmp_path, seed=4).manifest.version != whole.manifest.version


def as_in_a_ranking_split(world: World, snapshot: Snapshot) -> Snapshot:
    """With the histories of those alone who bought in its week or the week before."""
    start, end = snapshot.cutoff - timedelta(weeks=1), snapshot.cutoff + timedelta(weeks=1)
    buyers = {c for when, c, _ in world.purchases if start <= when < end}
    known = [p for p in world.purchases if p[0] < snapshot.cutoff and p[1] in buyers]
    kept = histories(known, world.customers, snapshot.cutoff)
    assert 0 < len(kept.articles) < len(snapshot.histories.articles)
    return replace(snapshot, histories=kept)


def test_histories_that_ranking_splits_leave_out_make_no_difference(tmp_path):
    world = World(**vars(WORLD))
    world.purchases = [p for p in WORLD.purchases if p[1] > 8 or p[0] < day(28)]
    data = week_data(world)
    past = [as_in_a_ranking_split(world, snapshot) for snapshot in data.past]
    whole, part = (
        train_week(one, RETRIEVAL, RANKING, 3, tmp_path / "model", lambda _: None)
        for one in (data, replace(data, past=past))
    )
    assert part.ranker["lists"] > 10
    assert part == whole


def assert_alone(model: OpenModel, reason: str, said: list[str], folder) -> None:
    """There is no ranker, and everybody is told why."""
    assert [one.name for one in model.models] == ["two_tower"]
    assert model.manifest.ranker == {"reason": reason}
    assert set(model.manifest.validation) in ({"two_tower", *BASELINES}, set())
    assert f"There is no ranker: {reason}." in model.reason()
    assert f"There is no ranker: {reason}." in (folder / "model" / CARD).read_text()
    assert said.count(f"no ranker: {reason}") == 1


def knows_all_of_training(model: OpenModel, world: World) -> bool:
    retrieval = model.models[-1]
    bought = bought_in(world.train)
    return len(retrieval.customer_ids) == len(bought.customers)


def test_without_past_weeks_there_is_no_ranker(tmp_path):
    said: list[str] = []
    model = trained_week(WORLD, tmp_path, past=0, said=said)
    assert_alone(model, TOO_SHORT, said, tmp_path)


def test_where_nothing_was_bought_before_the_past_weeks_there_is_no_ranker(tmp_path):
    said: list[str] = []
    world = without(date.min, day(14))
    model = trained_week(world, tmp_path, said=said)
    assert_alone(model, NOTHING_BEFORE, said, tmp_path)
    assert knows_all_of_training(model, world)


def test_with_too_few_lists_there_is_no_ranker_and_the_retrieval_model_learns_from_all(tmp_path):
    said: list[str] = []
    world = World(**vars(WORLD))
    world.purchases = [p for p in WORLD.purchases if p[1] != 7 or p[0] >= day(14)]
    model = trained_week(world, tmp_path, said=said, fewest_lists=1000)
    reason = model.manifest.ranker["reason"]
    assert reason.endswith("and a ranker needs 1000 to learn from")
    assert_alone(model, reason, said, tmp_path)
    assert knows_all_of_training(model, world)
    assert "c7" in model.models[0].customer_ids.to_pylist()


def test_of_a_longer_validation_split_the_first_week_is_learnt_from():
    week = timedelta(weeks=1)
    longer = World(**vars(WORLD))
    longer.purchases = WORLD.purchases + [
        (when + week, customer, (article + 1) % 40)
        for when, customer, article in WORLD.purchases
        if VALIDATION <= when < VALIDATION + week
    ]
    data = week_data(WORLD)
    of_two_weeks = replace(data, validation=longer.split(VALIDATION, VALIDATION + 2 * week))
    assert of_two_weeks.validation.num_rows == 2 * data.validation.num_rows > 0
    bought, of_longer = (labelled_weeks(one)[-1].bought for one in (data, of_two_weeks))
    assert of_longer.customers.tolist() == bought.customers.tolist()
    assert of_longer.articles.tolist() == bought.articles.tolist()


def test_where_nobody_bought_in_the_validation_week_the_ranker_is_published(tmp_path):
    closed = without(VALIDATION, WEEK)
    model = trained_week(closed, tmp_path)
    assert model.manifest.validation == {}
    assert model.manifest.chosen == "ranker"
    assert model.manifest.ranker["epochs"] == 2 + 1
    assert model.manifest.ranker["importance"] == {}
    assert model.reason() == "Nobody bought in the validation week, so the model is published."
    assert validation_scores(baselines(), closed.snapshot(), closed.validation) == {}


def test_of_many_customers_some_are_compared(monkeypatch):
    monkeypatch.setattr(pipeline, "MOST_COMPARED", 10)
    bought = bought_in(WORLD.validation)
    assert len(bought.customers) > 30
    some = bought.of(np.arange(len(bought.customers)) % -(-len(bought.customers) // 10) == 0)
    assert 5 < len(some.customers) <= 10
    snapshot = WORLD.snapshot()
    found = validation_scores(baselines(), snapshot, WORLD.validation)
    for baseline in baselines():
        scorer = WithFallback(baseline).prepare(snapshot)
        expected = measure(scorer, some, eligible_articles(snapshot)).summary()
        assert expected.items() <= found[baseline.name].items()


def test_a_lead_within_the_noise_is_said(whole):
    behind = {"map": 0.2, "map_noise": 0.0}, {"map": 0.21, "map_noise": 0.03}
    scores = dict(zip(("ranker", "two_tower"), behind, strict=True))
    model = replace(whole, manifest=replace(whole.manifest, validation=scores, chosen="ranker"))
    assert model.reason() == (
        "Its MAP@12 on the validation week, 0.2000, is within the noise of the highest, 0.2100 of "
        "two_tower, and it has learnt from more weeks."
    )


def test_without_either_the_retrieval_model_is_published_and_both_are_said(tmp_path):
    model = trained_week(without(VALIDATION, WEEK), tmp_path, past=0)
    assert model.manifest.chosen == "two_tower"
    assert model.reason() == (
        "Nobody bought in the validation week, so the model is published. "
        f"There is no ranker: {TOO_SHORT}."
    )


def test_a_past_week_in_which_the_shop_was_closed_is_passed_over(tmp_path):
    model = trained_week(without(day(14), day(7)), tmp_path)
    assert [one.name for one in model.models] == ["ranker", "two_tower"]
    assert 10 <= model.manifest.ranker["lists"] <= 40


def test_what_was_left_out_is_kept_and_stays_left_out(tmp_path):
    model = trained_week(
        WORLD, tmp_path, without_sources=("popularity",), without_groups=("price", "kind")
    )
    ranker = model.models[0]
    assert model.manifest.ranker["parameters"]["without_sources"] == ["popularity"]
    assert model.manifest.ranker["parameters"]["without_groups"] == ["price", "kind"]
    assert "popularity" not in model.manifest.ranker["recall"]
    assert not {"price", "type_due"} & set(ranker.features)
    assert "popularity" not in ranker.prepare(WORLD.snapshot()).generator.sources


def test_nothing_to_train_on_is_an_error(tmp_path):
    data = week_data(WORLD)
    empty = WeekData(data.snapshot, (), data.train.slice(0, 0), data.validation, ENCODERS)
    with pytest.raises(ModellingError, match="training split is empty"):
        train_week(empty, RETRIEVAL, RANKING, 0, tmp_path / "model", print)
    assert not (tmp_path / "model").exists()


def test_a_published_baseline_is_opened_by_its_name(whole):
    for name in BASELINES:
        chosen = OpenModel(whole.models, replace(whole.manifest, chosen=name), [])
        assert chosen.published().name == name
        scorer = WithFallback(chosen.published()).prepare(WORLD.snapshot())
        assert (scorer.top(everybody(WORLD), K).articles >= 0).all()
