"""The ranker learns a rule, repeats itself to the byte, and knows when there is too little."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hm_platform.modelling.candidates import CANDIDATES_EACH
from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.fallback import WithFallback
from hm_platform.modelling.metrics import measure
from hm_platform.modelling.parameters import RankingParams
from hm_platform.modelling.ranker.examples import TooLittleToRankError
from hm_platform.modelling.ranker.inputs import feature_groups
from hm_platform.modelling.ranker.recommender import RankerRecommender
from hm_platform.modelling.ranker.training import TrainedRanker, _Shuffled, train_ranker
from hm_platform.modelling.recommenders import Recommender, eligible_articles
from hm_platform.modelling.selection import baselines
from tests.modelling.networks import everybody, recommender_for
from tests.modelling.ranker.shops import QUICK, bought_after, due_world, labelled, train_on
from tests.modelling.worlds import VALIDATION, World, day

WORLD = due_world()


def validation_map(recommender: Recommender) -> float:
    snapshot = WORLD.snapshot()
    scorer = WithFallback(recommender).prepare(snapshot)
    bought = bought_after(WORLD, snapshot)
    return measure(scorer, bought, eligible_articles(snapshot)).summary()["map"]


def stored(recommender: RankerRecommender) -> list[bytes]:
    """Everything that is learnt."""
    weights = recommender.network.state_dict()
    return [recommender.levels.tobytes(), *(t.numpy().tobytes() for t in weights.values())]


@pytest.fixture(scope="module")
def learnt(tmp_path_factory) -> TrainedRanker:
    params = replace(QUICK, epochs=8, learning_rate=5e-3)
    return train_on(WORLD, tmp_path_factory.mktemp("learnt"), params, weeks=4)


@pytest.fixture(scope="module")
def quick(tmp_path_factory) -> TrainedRanker:
    return train_on(WORLD, tmp_path_factory.mktemp("quick"))


def test_it_learns_that_customers_buy_what_is_due(learnt):
    others = (*baselines(), learnt.recommender.two_tower)
    best = max(validation_map(other) for other in others)
    found = validation_map(learnt.validated)
    assert best < 0.6
    assert found > 0.9


def test_a_sample_of_the_pairs_will_do_for_the_levels(learnt, tmp_path, monkeypatch):
    monkeypatch.setattr("hm_platform.modelling.ranker.examples.LEVEL_SAMPLE", 500)
    trained = train_on(WORLD, tmp_path, learnt.params, weeks=4)
    assert trained.lists * 40 > 5000
    assert trained.recommender.levels.tobytes() != learnt.recommender.levels.tobytes()
    assert validation_map(trained.validated) > 0.9


def test_few_lists_are_gone_through_more_often(quick, tmp_path):
    assert quick.curves.num_rows == 2 + 1
    steps = -(-quick.lists // QUICK.batch_size)
    often = train_on(WORLD, tmp_path, replace(QUICK, fewest_steps=20 * steps - 1))
    assert often.curves.num_rows == 20 + 10
    assert validation_map(often.validated) > validation_map(quick.validated)
    enough = train_on(WORLD, tmp_path, replace(QUICK, fewest_steps=2 * steps))
    assert stored(enough.recommender) == stored(quick.recommender)


def test_it_knows_which_features_that_took(learnt):
    groups = set(feature_groups().values())
    assert set(learnt.importance) == groups
    assert max(learnt.importance, key=learnt.importance.__getitem__) == "rhythm"
    assert learnt.importance["rhythm"] > 0.2


def test_it_says_what_was_among_the_candidates_of_the_validation_week(learnt):
    assert set(learnt.recall) == {*CANDIDATES_EACH, "union"}
    # All that is bought was bought before.
    assert learnt.recall["repurchase"].recall == learnt.recall["union"].recall == 1
    assert learnt.recall["repurchase"].candidates == 8
    assert 0 < learnt.recall["popularity"].recall < 1


def test_the_network_is_done_with_training(quick):
    assert not quick.recommender.network.training


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(quick, tmp_path):
    again, other = train_on(WORLD, tmp_path / "a"), train_on(WORLD, tmp_path / "b", seed=1)
    assert stored(again.recommender) == stored(quick.recommender)
    assert again.curves.equals(quick.curves)
    assert again.importance == quick.importance
    assert stored(again.validated) == stored(quick.validated)
    assert stored(other.recommender) != stored(quick.recommender)


def test_training_leaves_torch_as_it_was(tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    two_tower = recommender_for(WORLD)
    weeks = [labelled(WORLD, snapshot) for snapshot in WORLD.past(2)]
    torch.manual_seed(5)
    train_ranker(two_tower, weeks, weeks[-1], QUICK, tmp_path, 0)
    assert torch.equal(torch.rand(3), expected)
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_validation_week_is_scored_and_only_then_learnt_from(tmp_path):
    params = replace(QUICK, epochs=8, learning_rate=1e-2)
    trained = train_on(WORLD, tmp_path, params)
    maps = trained.curves["validation_map"].to_pylist()
    assert trained.curves["epoch"].to_pylist() == list(range(1, 13))
    assert [value is None for value in maps] == [False] * 8 + [True] * 4
    assert trained.curves["train_loss"].null_count == 0
    # These are the weights of the last of the eight, though another one scored more.
    assert max(maps[:8]) > maps[7] + 5e-3
    assert validation_map(trained.validated) == pytest.approx(maps[7], abs=2e-3)
    assert trained.validation_lists == len(labelled(WORLD, WORLD.snapshot()).bought.customers)
    assert validation_map(trained.recommender) > validation_map(trained.validated)


def test_without_purchases_in_the_validation_week_all_epochs_learn_from_the_others(tmp_path):
    closed = World(**vars(WORLD))
    closed.purchases = [p for p in WORLD.purchases if p[0] < VALIDATION]
    trained = train_on(closed, tmp_path)
    assert trained.curves.column_names == ["epoch", "train_loss"]
    assert trained.curves.num_rows == 2 + 1
    assert trained.validation_lists == 0
    assert stored(trained.recommender) == stored(trained.validated)
    assert trained.importance == {}
    assert trained.recall["union"].recall == 1


def test_what_is_scored_has_not_seen_the_validation_week(tmp_path, quick):
    changed = World(**vars(WORLD))
    changed.purchases = [
        (when, c, a) if when < VALIDATION else (when, c, (a + 1) % 40)
        for when, c, a in WORLD.purchases
    ]
    trained = train_on(changed, tmp_path)
    assert stored(trained.validated) == stored(quick.validated)
    assert stored(trained.recommender) != stored(quick.recommender)
    assert trained.curves["validation_map"] != quick.curves["validation_map"]


def test_too_few_lists_are_counted(tmp_path):
    there = train_on(WORLD, tmp_path, replace(QUICK, epochs=1)).lists
    with pytest.raises(
        TooLittleToRankError,
        match=rf"^{there} lists of past weeks .* and a ranker needs {there + 1} ",
    ):
        train_on(WORLD, tmp_path, replace(QUICK, fewest_lists=there + 1))
    enough = train_on(WORLD, tmp_path, replace(QUICK, epochs=1, fewest_lists=there))
    assert enough.lists == there


def test_no_past_week_is_too_little(tmp_path):
    with pytest.raises(TooLittleToRankError, match=r"^0 lists of past weeks"):
        train_on(WORLD, tmp_path, weeks=0)


def test_a_past_week_in_which_nobody_bought_is_passed_over(tmp_path):
    closed = World(**vars(WORLD))
    closed.purchases = [p for p in WORLD.purchases if not day(14) <= p[0] < day(7)]
    weeks = [labelled(closed, snapshot) for snapshot in closed.past(2)]
    counts = [len(week.bought.customers) for week in weeks]
    trained = train_ranker(
        recommender_for(closed), weeks, labelled(closed, closed.snapshot()), QUICK, tmp_path, 0
    )
    assert counts[0] == 0
    assert 0 < trained.lists <= counts[1]


def test_no_more_lists_are_learnt_from_than_wanted(tmp_path):
    trained = train_on(WORLD, tmp_path, replace(QUICK, lists=20))
    assert 10 < trained.lists <= 20
    assert trained.params.lists == 20


def test_sources_that_are_left_out_propose_nothing(tmp_path):
    without = ("repurchase", "popularity")
    trained = train_on(WORLD, tmp_path, replace(QUICK, without_sources=without))
    assert set(trained.recall) == {*CANDIDATES_EACH, "union"} - set(without)
    assert trained.recommender.without_sources == without
    scorer = trained.recommender.prepare(WORLD.snapshot())
    assert not set(without) & set(scorer.generator.sources)


def test_groups_that_are_left_out_are_not_read(tmp_path):
    trained = train_on(WORLD, tmp_path, replace(QUICK, without_groups=("rhythm", "kind")))
    groups = feature_groups()
    kept = tuple(name for name, group in groups.items() if group not in ("rhythm", "kind"))
    assert trained.recommender.features == kept
    assert set(trained.importance) == set(groups.values()) - {"rhythm", "kind"}
    assert trained.recommender.network.linear.in_features == len(kept)
    assert len(trained.recommender.levels) == len(kept)
    found = trained.recommender.prepare(WORLD.snapshot()).top(everybody(WORLD), 12)
    assert np.isfinite(found.scores[found.articles >= 0]).all()


def test_what_cannot_be_left_out_is_named(tmp_path):
    for params, message in (
        (replace(QUICK, without_groups=("kind", "smell")), "no group of features smell: know aff"),
        (replace(QUICK, without_groups=tuple(feature_groups().values())), "no group of features"),
        (replace(QUICK, without_sources=("magic",)), "no candidate source magic"),
    ):
        with pytest.raises(ModellingError, match=message):
            train_on(WORLD, tmp_path, params)


@pytest.mark.parametrize("epochs", [1, 2, 5, 10, 11])
def test_any_number_of_steps_will_do(tmp_path, epochs):
    """With a batch for all lists an epoch is a step."""
    params = replace(QUICK, epochs=epochs, batch_size=1000)
    assert train_on(WORLD, tmp_path, params).curves.num_rows == epochs + -(-epochs // 2)


def test_progress_tells_of_the_lists_and_of_every_epoch(tmp_path):
    lines: list[str] = []
    trained = train_on(WORLD, tmp_path, progress=lines.append)
    assert lines[0].startswith(f"ranking: {trained.lists} lists of 40 candidates, ")
    assert lines[0].endswith(f"{len(feature_groups())} features")
    assert [line.split(":")[0] for line in lines[1:]] == [
        "epoch 1 of at most 2",
        "epoch 2 of at most 2",
        "ranking",
        "epoch 1 of at most 1",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden", 0),
        ("lists", 0),
        ("fewest_lists", 0),
        ("batch_size", 0),
        ("epochs", 0),
        ("learning_rate", 0.0),
        ("weight_decay", -0.1),
        ("popularity_discount", -0.1),
        ("popularity_discount", float("nan")),
        ("dropout", 1.0),
        ("as_if_new", -0.1),
        ("as_if_new", 1.0),
    ],
)
def test_parameters_that_make_no_sense_are_refused(name, value):
    with pytest.raises(ModellingError, match=name):
        RankingParams(**{name: value})


def test_shuffled_features_are_those_of_other_pairs_in_some_columns() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(50, 4)).astype(np.float16)
    order = rng.permutation(50)
    shuffled = _Shuffled(features, np.array([1, 3]), order)
    expected = features.copy()
    expected[:, [1, 3]] = features[order][:, [1, 3]]
    assert shuffled.shape == (50, 4)
    parts = [shuffled[start : start + 7] for start in range(0, 50, 7)]
    assert (np.concatenate(parts) == expected).all()
