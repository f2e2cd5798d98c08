"""Training: it learns, repeats itself to the byte, stops, and copes with odd data."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch

from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.fallback import WithFallback
from hm_platform.modelling.parameters import TrainingParams
from hm_platform.modelling.training import TrainedModel, TrainingInputs, train
from tests.modelling.worlds import VALIDATION, World, day, random_world

QUICK = TrainingParams(
    dimension=8, hidden=16, history_length=20, batch_size=16, negatives=8, epochs=2
)


def trained(
    world: World, folder: Path, params: TrainingParams = QUICK, seed: int = 0, **options
) -> TrainedModel:
    inputs = TrainingInputs(world.snapshot(), world.train, world.validation)
    return train(inputs, params, folder, seed, **options)


def weights(model: TrainedModel) -> dict[str, torch.Tensor]:
    return dict(model.recommender.network.state_dict())


def test_the_same_seed_gives_the_same_weights(tmp_path):
    world = random_world(1)
    first, again = trained(world, tmp_path / "a"), trained(world, tmp_path / "b")
    other = trained(world, tmp_path / "c", seed=1)
    assert all(torch.equal(t, weights(again)[name]) for name, t in weights(first).items())
    assert any(not torch.equal(t, weights(other)[name]) for name, t in weights(first).items())
    assert first.curves.equals(again.curves)
    assert first.validation == again.validation


def test_training_leaves_torch_as_it_was(tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    trained(random_world(1), tmp_path)
    assert torch.equal(torch.rand(3), expected)
    assert not torch.are_deterministic_algorithms_enabled()


def test_it_learns_what_customers_come_back_for(tmp_path):
    world = random_world(2, customers=60, weeks=12, habit=0.9)
    params = TrainingParams(
        dimension=16, hidden=32, history_length=20, batch_size=32, learning_rate=0.01, epochs=6
    )
    model = trained(world, tmp_path, params)
    assert model.validation["recall"] > 0.75
    by_chance = 12 / world.articles
    assert model.validation["recall"] > 2 * by_chance


def test_it_learns_that_nobody_buys_anything_twice(tmp_path):
    rng = np.random.default_rng(0)
    orders = [rng.permutation(60) for _ in range(60)]
    purchases = [(day(age), c, int(orders[c][age + 7])) for c in range(60) for age in range(-6, 50)]
    world = World(purchases, 60, 60)
    model = trained(
        world,
        tmp_path,
        TrainingParams(history_length=60, batch_size=16, learning_rate=0.01, epochs=10, patience=9),
    )
    found = model.recommender.prepare(world.snapshot()).top(np.arange(60, dtype=np.int32), 3)
    bought = [set(orders[c][8:57].tolist()) for c in range(60)]
    repeated = np.mean([a in bought[c] for c in range(60) for a in found.articles[c].tolist()])
    assert repeated < 0.5 * 49 / 60


def test_training_stops_when_validation_no_longer_rises_and_keeps_the_best(tmp_path):
    world = random_world(3)
    params = TrainingParams(**{**vars(QUICK), "epochs": 30, "patience": 2, "learning_rate": 0.02})
    model = trained(world, tmp_path, params)
    maps = model.curves["validation_map"].to_pylist()
    best = int(np.argmax(maps))
    assert model.best_epoch == best + 1
    assert len(maps) in (best + 3, 30)
    assert model.validation["map"] == pytest.approx(maps[best], abs=1e-6)
    assert model.curves["epoch"].to_pylist() == list(range(1, len(maps) + 1))


def test_checkpoints_are_those_of_the_last_run_alone(tmp_path):
    stale = tmp_path / "checkpoints" / "old.ckpt"
    stale.parent.mkdir()
    stale.write_text("old")
    trained(random_world(1), tmp_path)
    assert not stale.exists()
    assert len(list(stale.parent.glob("*.ckpt"))) == 1


def test_progress_is_a_line_an_epoch(tmp_path, capsys):
    lines: list[str] = []
    trained(random_world(1), tmp_path, progress=lines.append)
    assert len(lines) == 2
    assert "epoch 1 of at most 2" in lines[0]
    assert "MAP@12" in lines[1]
    assert capsys.readouterr().out == ""


def test_without_a_terminal_and_a_listener_nothing_is_printed(tmp_path, capsys):
    assert not sys.stderr.isatty()
    trained(random_world(1), tmp_path)
    printed = capsys.readouterr()
    assert printed.out == ""


def test_without_purchases_in_the_validation_week_a_fixed_number_of_epochs(tmp_path):
    world = random_world(1)
    world.purchases = [p for p in world.purchases if p[0] < VALIDATION]
    params = TrainingParams(**{**vars(QUICK), "epochs_without_validation": 3})
    model = trained(world, tmp_path, params)
    assert model.curves.num_rows == model.best_epoch == 3
    assert model.validation == {}


@pytest.fixture
def interruptible() -> Iterator[None]:
    """What a shell starts in the background ignores interrupts, and so would the tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_training_that_is_killed_does_not_look_finished(tmp_path, sent, interruptible):
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with pytest.raises(KeyboardInterrupt):
        trained(random_world(1), tmp_path, progress=lambda _: os.kill(os.getpid(), sent))
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == handlers


def test_nothing_to_train_on_is_an_error(tmp_path):
    world = World([(VALIDATION, 0, 0)], 1, 1)
    with pytest.raises(ModellingError, match="training split is empty"):
        trained(world, tmp_path)


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(World([(day(9), 0, 0)], 1, 1), id="one purchase"),
        pytest.param(
            World([(day(d), d % 5, 0) for d in range(-6, 40)], 1, 5), id="one article for all"
        ),
        pytest.param(World([(day(d), 0, d % 9) for d in range(-6, 40)], 9, 1), id="one customer"),
        pytest.param(
            World([(day(1 + d % 5), d % 7, d % 9) for d in range(60)], 9, 8), id="five days"
        ),
        pytest.param(
            World([(day(1), c, c % 4) for c in range(9)] + [(day(-1), 1, 1)], 9, 12), id="one day"
        ),
        pytest.param(
            World([(day(60), c, c % 4) for c in range(9)] + [(day(-1), 1, 1)], 9, 12),
            id="a gap before validation",
        ),
    ],
)
def test_odd_data_is_trained_on_and_everybody_gets_a_list(world, tmp_path):
    model = trained(world, tmp_path)
    snapshot = world.snapshot()
    scorer = WithFallback(model.recommender).prepare(snapshot)
    found = scorer.top(np.arange(world.customers, dtype=np.int32), 12)
    eligible = int((snapshot.articles["purchases_total"] > 0).sum())
    for row in found.articles:
        assert len(set(row[row >= 0].tolist())) == min(12, eligible)
    assert np.isfinite(found.scores[found.articles >= 0]).all()


def test_no_price_and_no_attribute_at_all(tmp_path):
    world = random_world(1)
    world.article_codes, world.customer_codes, world.prices = {}, {}, None
    assert trained(world, tmp_path).validation["customers"] > 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("history_length", 0),
        ("example_weeks", 0),
        ("negatives", -1),
        ("learning_rate", 0.0),
        ("customer_id_dropout", 1.0),
    ],
)
def test_parameters_that_make_no_sense_are_refused(name, value):
    with pytest.raises(ModellingError, match=name):
        TrainingParams(**{name: value})


def test_a_learning_rate_that_makes_it_diverge_is_reported(tmp_path):
    params = TrainingParams(**{**vars(QUICK), "learning_rate": 1e30})
    with pytest.raises(ModellingError, match="diverged"):
        trained(random_world(1), tmp_path, params)


def test_tables_may_be_chunked_and_in_any_order(tmp_path):
    world = random_world(1)
    table = world.train
    order = np.random.default_rng(0).permutation(table.num_rows)
    shuffled = table.take(pa.array(order))
    chunked = pa.concat_tables([shuffled.slice(0, 10), shuffled.slice(10)])
    inputs = TrainingInputs(world.snapshot(), chunked, world.validation)
    model, expected = train(inputs, QUICK, tmp_path, 0), trained(world, tmp_path)
    assert all(torch.equal(t, weights(expected)[name]) for name, t in weights(model).items())


def test_as_of_an_earlier_week_it_knows_only_what_was_bought_before(tmp_path):
    world = random_world(1)
    cutoff = VALIDATION - timedelta(days=21)
    world.purchases = [
        (when, c, a) for when, c, a in world.purchases if when >= cutoff or (a != 7 and c != 3)
    ]
    inputs = TrainingInputs(
        world.snapshot(cutoff),
        world.split(date.min, cutoff),
        world.split(cutoff, cutoff + timedelta(days=7)),
    )
    model = train(inputs, QUICK, tmp_path, 0).recommender
    assert "000007" not in model.article_ids.to_pylist()
    assert "c3" not in model.customer_ids.to_pylist()
    assert len(model.article_ids) == model.network.shape.articles == 39
    assert len(model.customer_ids) == model.network.shape.customers == 29
    later = model.prepare(world.snapshot())
    assert later.top(np.arange(30, dtype=np.int32), 12).articles.min() >= 0


def test_category_sizes_are_those_of_the_encoders_where_they_are_given(tmp_path):
    world = random_world(1)
    articles = {
        "department_code": 9,
        "product_code": 6,
        "product_group_code": 3,
        "product_type_code": 5,
        "section_code": 8,
    }
    customers = {"age_band_code": 4, "segment_code": 7}
    sizes = articles | customers
    encoders = SimpleNamespace(size=sizes.__getitem__)
    inputs = TrainingInputs(world.snapshot(), world.train, world.validation, encoders)  # type: ignore[arg-type]
    shape = train(inputs, QUICK, tmp_path, 0).recommender.network.shape
    assert dict(shape.article_sizes) == articles
    assert dict(shape.customer_sizes) == customers
