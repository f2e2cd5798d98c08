"""The model's parameters: what can be tuned, with defaults that need no tuning."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hm_platform.modelling.errors import ModellingError


@dataclass(frozen=True)
class TrainingParams:
    """How the two-tower model is built and trained.

    dimension, hidden : length of the towers' vectors; width of their hidden layers
    history_length : most recent distinct articles of a customer that are read
    example_weeks : examples come from the last so many weeks of the training split; what lies
        before is history only (None: from all weeks)
    epoch_examples : examples an epoch, at most: of more, a random choice of each week, another one
        in each epoch. So an epoch of a large shop takes minutes
    batch_size : customers a step, about
    negatives : uniform negatives a step, beside what the batch's customers bought
    learning_rate, embedding_learning_rate : of the layers; of id and attribute embeddings
    article_id_dropout, customer_id_dropout : the share of ids hidden in training, so that
        attributes and histories learn to do without
    epochs : at most
    patience : epochs without a better validation MAP@12 before training stops. The learning rates
        fall to 0 over ``epochs``, so that a standstill halfway is often followed by a better epoch
    epochs_without_validation : epochs where nobody bought in the validation week
    """

    dimension: int = 64
    hidden: int = 128
    history_length: int = 200
    example_weeks: int | None = 10
    epoch_examples: int = 100_000
    batch_size: int = 256
    negatives: int = 1024
    learning_rate: float = 3e-3
    embedding_learning_rate: float = 3e-4
    article_id_dropout: float = 0.3
    customer_id_dropout: float = 0.5
    epochs: int = 5
    patience: int = 3
    epochs_without_validation: int = 3

    def __post_init__(self) -> None:
        for name in (
            "dimension",
            "hidden",
            "history_length",
            "epoch_examples",
            "batch_size",
            "epochs",
            "patience",
            "epochs_without_validation",
        ):
            if getattr(self, name) < 1:
                raise ModellingError(f"{name} must be 1 or more, not {getattr(self, name)}")
        if self.example_weeks is not None and self.example_weeks < 1:
            raise ModellingError(f"example_weeks must be 1 or more, not {self.example_weeks}")
        if self.negatives < 0:
            raise ModellingError(f"negatives must be 0 or more, not {self.negatives}")
        for name in ("learning_rate", "embedding_learning_rate"):
            if not getattr(self, name) > 0:
                raise ModellingError(f"{name} must be above 0, not {getattr(self, name)}")
        for name in ("article_id_dropout", "customer_id_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ModellingError(f"{name} must be in [0, 1), not {getattr(self, name)}")


@dataclass(frozen=True)
class RankingParams:
    """How the ranker is built and trained.

    hidden, dropout : width of the hidden layers; share of it that each list is learnt without
    lists : customers' lists that are learnt from, at most: of more, a random choice in each week
    fewest_lists : with fewer than so many there is no ranker
    as_if_new : the share of each past week's buyers who are learnt from as if they were new
    batch_size : lists a step
    learning_rate : the highest, reached after a tenth of the steps
    weight_decay : of the weights a step, in units of the learning rate
    epochs : before the validation week is scored. After that there are half as many, with that
        week's lists beside the others
    popularity_discount : what the logarithm of an article's sales takes off its score, at most:
        less where that costs MAP@12 on the validation week (see ``ranker.discount``)
    fewest_steps : where the epochs have fewer steps than that, because there are few lists, there
        are as many more epochs
    without_sources, without_groups : candidate sources and groups of features that are left out, to
        see what they are worth
    """

    hidden: int = 128
    dropout: float = 0.2
    lists: int = 30_000
    fewest_lists: int = 100
    as_if_new: float = 0.1
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    epochs: int = 4
    popularity_discount: float = 0.05
    fewest_steps: int = 100
    without_sources: tuple[str, ...] = ()
    without_groups: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in (
            "hidden",
            "lists",
            "fewest_lists",
            "batch_size",
            "epochs",
            "fewest_steps",
        ):
            if getattr(self, name) < 1:
                raise ModellingError(f"{name} must be 1 or more, not {getattr(self, name)}")
        if not self.learning_rate > 0:
            raise ModellingError(f"learning_rate must be above 0, not {self.learning_rate}")
        for name in ("weight_decay", "popularity_discount"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ModellingError(f"{name} must be 0 or more, not {getattr(self, name)}")
        for name in ("dropout", "as_if_new"):
            if not 0 <= getattr(self, name) < 1:
                raise ModellingError(f"{name} must be in [0, 1), not {getattr(self, name)}")
