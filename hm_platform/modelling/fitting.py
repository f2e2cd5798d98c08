"""Running Lightning: what the training of every model here has in common."""

from __future__ import annotations

import logging
import shutil
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint, TQDMProgressBar

from hm_platform.modelling.callbacks import Curves, KeepBest, Lines

Progress = Callable[[str], None]


def fit(
    module: pl.LightningModule,
    batches: Iterable[Any],
    validation: Iterable[Any] | None,
    *,
    epochs: int,
    patience: int | None = None,
    checkpoints: Path,
    progress: Progress | None,
    clip: float | None = None,
) -> tuple[Curves, KeepBest]:
    """Train, and return the curves and the weights that are kept.

    validation : what ``validation_map`` is measured on after each epoch; None where nothing is
    patience : epochs without a better ``validation_map`` before training stops, of which the best
        epoch's weights are kept. None, or without validation: all epochs are trained, and the
        weights are the last one's
    checkpoints : the folder for Lightning's checkpoints, in place of those of an earlier run. They
        are for people to look into; nothing here reads them back.
    progress : is told one line an epoch; without it there is a progress bar on a terminal
    clip : the longest gradient
    """
    shutil.rmtree(checkpoints, ignore_errors=True)
    monitor = None if validation is None or patience is None else "validation_map"
    curves, best = Curves(), KeepBest(monitor)
    callbacks: list[Callback] = [curves, best]
    callbacks.append(ModelCheckpoint(checkpoints, monitor=monitor, mode="max"))
    if monitor and patience is not None:
        callbacks.append(EarlyStopping(monitor, mode="max", patience=patience))
    bar = progress is None and sys.stderr.isatty()
    if bar:
        callbacks.append(TQDMProgressBar())
    if progress:
        callbacks.append(Lines(progress, curves))
    trainer = pl.Trainer(
        accelerator="cpu",
        deterministic=True,
        max_epochs=epochs,
        callbacks=callbacks,
        logger=False,
        enable_progress_bar=bar,
        enable_model_summary=False,
        gradient_clip_val=clip,
        num_sanity_val_steps=0,
        default_root_dir=checkpoints.parent,
    )
    try:
        trainer.fit(module, batches, validation)
    except SystemExit as stopped:
        # What Lightning makes of signals; on SIGTERM even one that looks like a success.
        raise KeyboardInterrupt("training was interrupted") from stopped
    return curves, best


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Seed torch and make it deterministic, and leave it afterwards as it was."""
    was = torch.are_deterministic_algorithms_enabled()
    settings: Any = torch.utils.deterministic
    filled = settings.fill_uninitialized_memory
    # Everything that a step reads it has written; filling it before costs a tenth of the time.
    settings.fill_uninitialized_memory = False
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(was)
            settings.fill_uninitialized_memory = filled


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Lightning's advice, which is about clusters and loaders, out of people's logs."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning.pytorch")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"pytorch_lightning\..*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
