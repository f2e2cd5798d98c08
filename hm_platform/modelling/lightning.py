"""The Lightning module: one training step, and validation over the full catalogue."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from hm_platform.features.snapshot import Snapshot
from hm_platform.modelling.data import Batch
from hm_platform.modelling.losses import sampled_softmax
from hm_platform.modelling.metrics import K, Purchased, coverage, evaluate
from hm_platform.modelling.network import TwoTower
from hm_platform.modelling.two_tower import TwoTowerRecommender, TwoTowerScorer


class TwoTowerModule(pl.LightningModule):
    """Trains a network on batches; validates it on customers who bought.

    recommender : holds the network; what is validated is what will be published
    snapshot : the validation snapshot
    bought : what was bought in the validation week
    learning_rate : of the layers (Adam); embedding_learning_rate : of the embeddings (SparseAdam)
    """

    _scorer: TwoTowerScorer
    _lists: list[NDArray[np.int32]]

    def __init__(
        self,
        recommender: TwoTowerRecommender,
        snapshot: Snapshot,
        bought: Purchased,
        learning_rate: float,
        embedding_learning_rate: float,
    ) -> None:
        super().__init__()
        self.network: TwoTower = recommender.network
        self.recommender = recommender
        self.snapshot = snapshot
        self.bought = bought
        self.learning_rate = learning_rate
        self.embedding_learning_rate = embedding_learning_rate
        # No optimiser of torch takes sparse and dense gradients with Adam's steps, so there are
        # two, and Lightning leaves stepping two to the module.
        self.automatic_optimization = False

    def configure_optimizers(self) -> Any:
        dense = torch.optim.Adam(self.network.dense_parameters(), lr=self.learning_rate)
        sparse = torch.optim.SparseAdam(
            self.network.sparse_parameters(), lr=self.embedding_learning_rate
        )
        # Ever smaller steps: at a constant rate the validation score jumps from epoch to epoch.
        steps = self.trainer.estimated_stepping_batches
        schedules = [
            torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, int(steps))
            for optimiser in (dense, sparse)
        ]
        return [dense, sparse], schedules

    def loss(self, batch: Batch) -> Tensor:
        """The loss of one batch, a scalar."""
        history = batch.history
        known = _tensor(history.known)
        vectors = self.network.articles(*_tensors(batch.articles))
        past = vectors.take(_tensor(history.articles))
        customers, repeats = self.network.customers(
            *_tensors(batch.customers), past, _tensor(history.numbers), known
        )
        own = self.network.score_each(customers, past) + repeats
        shared = self.network.score(customers, vectors.take(_tensor(batch.shared)))
        row, target, place = map(_tensor, (batch.target_row, batch.target, batch.target_place))
        repeated = place >= 0
        targets = shared[row, target]
        targets = targets.masked_scatter(repeated, own[row[repeated], place[repeated]])

        own_taken = ~known
        own_taken[row[repeated], place[repeated]] = True
        shared_taken = torch.zeros_like(shared, dtype=torch.bool)
        shared_taken[row, target] = True
        in_history = np.nonzero(batch.history_shared >= 0)
        shared_taken[_tensor(in_history[0]), _tensor(batch.history_shared[in_history])] = True
        return sampled_softmax(
            own,
            shared,
            own_taken=own_taken,
            shared_taken=shared_taken,
            log_inclusion=_tensor(batch.log_inclusion),
            targets=targets,
            target_row=row,
        )

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        """Batches are numpy arrays and stay so until the step that uses them."""
        return batch

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        optimisers: Any = self.optimizers()
        loss = self.loss(batch)
        for optimiser in optimisers:
            optimiser.zero_grad()
        self.manual_backward(loss)
        for optimiser in optimisers:
            optimiser.step()
        schedules: Any = self.lr_schedulers()
        for schedule in schedules:
            schedule.step()
        self.log(
            "train_loss",
            loss.detach(),
            on_step=False,
            on_epoch=True,
            prog_bar=True,
            batch_size=len(batch.customers.ids),
        )

    def on_validation_epoch_start(self) -> None:
        self._scorer = self.recommender.prepare(self.snapshot)
        self._lists = []

    def validation_step(self, customers: NDArray[np.int32], batch_idx: int) -> None:
        self._lists.append(self._scorer.top(customers, K).articles)

    def on_validation_epoch_end(self) -> None:
        lists = np.concatenate(self._lists)
        values = evaluate(lists, self.bought).means()
        values["coverage"] = coverage(lists, self._scorer.eligible)
        for name, value in values.items():
            self.log(f"validation_{name}", value, prog_bar=name == "map", batch_size=len(lists))


def _tensor(array: NDArray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))


def _tensors(entities: Any) -> tuple[Tensor, ...]:
    return tuple(_tensor(getattr(entities, field.name)) for field in dataclasses.fields(entities))
