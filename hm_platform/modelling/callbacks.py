"""What watches a training run: its curves, its best weights, its progress."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytorch_lightning as pl
import torch
from torch import Tensor

from hm_platform.modelling.errors import ModellingError


class Curves(pl.Callback):
    """The metrics of each epoch."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.rows.append({"epoch": trainer.current_epoch + 1, **dict(sorted(metrics.items()))})

    def append(self, later: Curves) -> None:
        """Let the epochs of a later training follow."""
        before = len(self.rows)
        self.rows += [{**row, "epoch": before + row["epoch"]} for row in later.rows]

    def table(self) -> pa.Table:
        """A row an epoch; null for a metric that only earlier ones have."""
        return pa.Table.from_pylist(self.rows)


class KeepBest(pl.Callback):
    """A copy of the weights of the epoch with the highest metric, the earliest of equal ones.

    Kept in memory, because Lightning's checkpoints are pickles, which nothing here ever reads.

    monitor : None keeps the last epoch's
    """

    def __init__(self, monitor: str | None) -> None:
        self._monitor = monitor
        self._highest = float("-inf")
        self.epoch = 0
        self.weights: dict[str, Tensor] = {}

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        weights = pl_module.network.state_dict()  # type: ignore[operator, union-attr]
        if not all(torch.isfinite(tensor).all() for tensor in weights.values()):
            raise ModellingError(
                f"training diverged in epoch {trainer.current_epoch + 1}: a weight is not a finite "
                "number; lower the learning rates"
            )
        if self._monitor:
            value = float(trainer.callback_metrics[self._monitor])
            if value <= self._highest:
                return
            self._highest = value
        self.epoch = trainer.current_epoch + 1
        self.weights = {name: tensor.detach().clone() for name, tensor in weights.items()}


class Lines(pl.Callback):
    """One line of text an epoch, for logs."""

    def __init__(self, progress: Callable[[str], None], curves: Curves) -> None:
        self._progress = progress
        self._curves = curves

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        row = self._curves.rows[-1]
        text = f"epoch {row['epoch']:.0f} of at most {trainer.max_epochs}: "
        text += f"training loss {row['train_loss']:.4f}"
        if "validation_map" in row:
            text += f", validation MAP@12 {row['validation_map']:.4f}"
        self._progress(text)
