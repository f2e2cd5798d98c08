"""Trains the two-tower model on one week's splits, from tables to a recommender."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hm_platform.features.encoders import Encoders
from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.callbacks import Curves, KeepBest
from hm_platform.modelling.data import Batch, TrainingData
from hm_platform.modelling.examples import Purchases
from hm_platform.modelling.fitting import Progress, fit, quiet, reproducible
from hm_platform.modelling.inputs import cardinalities, customer_numbers
from hm_platform.modelling.lightning import TwoTowerModule
from hm_platform.modelling.metrics import BLOCK, Purchased, measure, purchased
from hm_platform.modelling.network import NetworkShape, TwoTower
from hm_platform.modelling.parameters import TrainingParams
from hm_platform.modelling.recommenders import eligible_articles
from hm_platform.modelling.two_tower import TwoTowerRecommender


@dataclass(frozen=True)
class TrainingInputs:
    """What a model is trained from.

    snapshot : as of the first day of the validation week. That may be any earlier week than the
        one that articles and customers were numbered in: only those of ``train`` are known to
        the model, all others are new to it
    train : the purchases before that day, as ``datasets/train`` has them, of which ``t_dat``,
        ``customer_index`` and ``article_index`` are read
    validation : the purchases of the week from that day on, of which the indices are read
    encoders : those of the snapshot's features; they know how many codes a feature can take
    """

    snapshot: Snapshot
    train: pa.Table
    validation: pa.Table
    encoders: Encoders | None = None


@dataclass(frozen=True)
class TrainedModel:
    """The model with the weights of its best epoch, and how it got there.

    curves : a row an epoch: ``epoch`` (from 1), ``train_loss``, ``validation_<metric>``
    best_epoch : the epoch whose weights these are
    validation : metric -> value on the validation week, full catalogue, all customers who
        bought; empty where nobody did
    """

    recommender: TwoTowerRecommender
    params: TrainingParams
    seed: int
    curves: pa.Table
    best_epoch: int
    validation: dict[str, float]


def train(
    inputs: TrainingInputs,
    params: TrainingParams,
    directory: Path,
    seed: int,
    progress: Progress | None = None,
) -> TrainedModel:
    """Train until the validation MAP@12 stops rising, and keep the weights of the best epoch.

    Where nobody bought in the validation week there is nothing to stop by: the model is trained
    for ``params.epochs_without_validation`` epochs.

    directory : checkpoints go to ``directory/checkpoints``, in place of those of an earlier run.
        They are for people to look into; nothing here reads them back.
    seed : the same inputs, parameters, seed and number of threads give the same weights
    progress : is told one line an epoch; without it there is a progress bar on a terminal

    Raises ModellingError when the training split is empty or disagrees with the snapshot.
    """
    snapshot = inputs.snapshot
    purchases = Purchases.from_table(inputs.train, snapshot.cutoff)
    shape = network_shape(inputs, purchases, params)
    data = TrainingData(
        snapshot,
        purchases,
        article_sizes=dict(shape.article_sizes),
        customer_sizes=dict(shape.customer_sizes),
        weeks=params.example_weeks,
        history_length=params.history_length,
        epoch_examples=params.epoch_examples,
        batch_size=params.batch_size,
        negatives=params.negatives,
    )
    bought = purchased(
        inputs.validation["customer_index"].to_numpy(),
        inputs.validation["article_index"].to_numpy(),
    )
    checkpoints = directory / "checkpoints"
    with reproducible(seed), quiet():
        network = TwoTower(
            shape,
            article_id_dropout=params.article_id_dropout,
            customer_id_dropout=params.customer_id_dropout,
        )
        recommender = TwoTowerRecommender(
            network,
            data.article_ids,
            data.customer_ids,
            params.history_length,
        )
        curves, best = _fit(recommender, inputs, params, data, bought, checkpoints, seed, progress)
    network.load_state_dict(best.weights)
    network.eval()
    validation = {}
    if len(bought.customers):
        scorer = recommender.prepare(snapshot)
        validation = measure(scorer, bought, eligible_articles(snapshot)).summary()
    return TrainedModel(recommender, params, seed, curves.table(), best.epoch, validation)


def network_shape(
    inputs: TrainingInputs, purchases: Purchases, params: TrainingParams
) -> NetworkShape:
    """The sizes of the network for this data."""
    snapshot = inputs.snapshot
    return NetworkShape(
        articles=len(purchases.known_articles),
        customers=len(purchases.known_customers),
        article_sizes=cardinalities(snapshot.articles, inputs.encoders),
        customer_sizes=cardinalities(snapshot.customers, inputs.encoders),
        customer_numbers=customer_numbers(snapshot.customers, 0).shape[1],
        dimension=params.dimension,
        hidden=params.hidden,
    )


class Epochs:
    """The training batches, other ones each time they are gone through."""

    def __init__(self, data: TrainingData, seed: int) -> None:
        self._data = data
        self._seed = seed
        self._epoch = 0
        self._length = len(data)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Batch]:
        self._epoch += 1
        return self._data.batches(self._seed, self._epoch)


class _Blocks:
    """The customers of the validation week, a block at a time."""

    def __init__(self, customers: NDArray[np.int32]) -> None:
        self._customers = customers

    def __len__(self) -> int:
        return -(-len(self._customers) // BLOCK)

    def __iter__(self) -> Iterator[NDArray[np.int32]]:
        for start in range(0, len(self._customers), BLOCK):
            yield self._customers[start : start + BLOCK]


def _fit(
    recommender: TwoTowerRecommender,
    inputs: TrainingInputs,
    params: TrainingParams,
    data: TrainingData,
    bought: Purchased,
    checkpoints: Path,
    seed: int,
    progress: Progress | None,
) -> tuple[Curves, KeepBest]:
    module = TwoTowerModule(
        recommender,
        inputs.snapshot,
        bought,
        params.learning_rate,
        params.embedding_learning_rate,
    )
    validated = len(bought.customers) > 0
    return fit(
        module,
        Epochs(data, seed),
        _Blocks(bought.customers) if validated else None,
        epochs=params.epochs if validated else params.epochs_without_validation,
        patience=params.patience,
        checkpoints=checkpoints,
        progress=progress,
    )
