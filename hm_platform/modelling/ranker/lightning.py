"""Training the ranker: the Lightning module."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from hm_platform.modelling.parameters import RankingParams
from hm_platform.modelling.ranker.lists import ListBatch, RankingLists
from hm_platform.modelling.ranker.losses import listwise_loss
from hm_platform.modelling.ranker.metrics import mean_average_precision
from hm_platform.modelling.ranker.network import RankingNetwork, score_pairs


class RankingModule(pl.LightningModule):
    """Fits the network to lists; validates it on all buyers of a week that they do not hold.

    steps : of this training, which the learning rate rises and falls over (Smith and Topin
        2018, "Super-convergence")
    """

    def __init__(
        self,
        network: RankingNetwork,
        params: RankingParams,
        steps: int,
    ) -> None:
        super().__init__()
        self.network = network
        self.params = params
        self.steps = steps

    def configure_optimizers(self) -> Any:
        optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=self.params.learning_rate,
            weight_decay=self.params.weight_decay,
        )
        # The rise needs a whole step: a tenth of ten, less the first, would be none.
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, self.params.learning_rate, total_steps=max(self.steps, 11), pct_start=0.1
        )
        return [optimiser], [{"scheduler": schedule, "interval": "step"}]

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        """Batches are numpy arrays and stay so until the step that uses them."""
        return batch

    def training_step(self, batch: ListBatch, batch_idx: int) -> Tensor:
        loss = listwise_loss(
            self.network(torch.from_numpy(batch.features)),
            torch.from_numpy(batch.known),
            torch.from_numpy(batch.row),
            torch.from_numpy(batch.column),
            torch.from_numpy(batch.bought),
        )
        self.log(
            "train_loss",
            loss.detach(),
            on_step=False,
            on_epoch=True,
            prog_bar=True,
            batch_size=len(batch.bought),
        )
        return loss

    def validation_step(self, lists: RankingLists, batch_idx: int) -> None:
        value = mean_average_precision(lists, score_pairs(self.network, lists.features))
        self.log("validation_map", value, prog_bar=True, batch_size=len(lists))
