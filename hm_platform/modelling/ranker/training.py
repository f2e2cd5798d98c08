"""Trains the ranker on past weeks, each seen as of its own cut-off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hm_platform.modelling.candidates import CandidateRecall
from hm_platform.modelling.fitting import Progress, fit, quiet, reproducible
from hm_platform.modelling.parameters import RankingParams
from hm_platform.modelling.ranker.examples import RankingExamples, ranking_examples
from hm_platform.modelling.ranker.inputs import feature_groups
from hm_platform.modelling.ranker.lightning import RankingModule, mean_average_precision
from hm_platform.modelling.ranker.lists import LabelledWeek, ListBatches, RankingLists, Whole
from hm_platform.modelling.ranker.network import RankingNetwork, score_pairs
from hm_platform.modelling.ranker.recommender import RankerRecommender
from hm_platform.modelling.two_tower import TwoTowerRecommender


@dataclass(frozen=True)
class TrainedRanker:
    """The ranker with the weights of its best epoch, and how it got there.

    lists : how many lists it learnt from
    curves : a row an epoch: ``epoch`` (from 1), ``train_loss``, ``validation_map``
    recall : candidate source (and ``union``) -> recall among the buyers of the validation week, or
        of the last ranking week where nobody bought in that
    importance : feature group -> what validation MAP@12 loses when the network does not see the
        group; empty where nobody bought in the validation week
    """

    recommender: RankerRecommender
    params: RankingParams
    lists: int
    curves: pa.Table
    best_epoch: int
    recall: Mapping[str, CandidateRecall]
    importance: Mapping[str, float]


def train_ranker(
    two_tower: TwoTowerRecommender,
    weeks: Sequence[LabelledWeek],
    validation: LabelledWeek,
    params: RankingParams,
    directory: Path,
    seed: int,
    progress: Progress | None = None,
) -> TrainedRanker:
    """Train until MAP@12 on the validation week stops rising, and keep the best epoch.

    two_tower : the retrieval model, trained on what lies before the first of ``weeks``
    weeks : past weeks, each with its snapshot, oldest first

    Raises TooLittleToRankError when fewer than ``params.fewest_lists`` customers bought any of
    their candidates in these weeks, ModellingError when a group of features does not exist or none
    is left.
    """
    examples = ranking_examples(two_tower, weeks, validation, params, seed)
    return fit_ranker(two_tower, examples, params, directory, seed, progress)


def fit_ranker(
    two_tower: TwoTowerRecommender,
    examples: RankingExamples,
    params: RankingParams,
    directory: Path,
    seed: int,
    progress: Progress | None = None,
) -> TrainedRanker:
    """Train on examples that are made already; the same bytes for the same seed."""
    lists, held_out, names = examples.lists, examples.held_out, examples.features
    if progress:
        progress(
            f"ranking: {len(lists):,} lists of {len(lists.features) // len(lists)} candidates, "
            f"{len(names)} features"
        )
    batches = ListBatches(lists, params.batch_size, seed)
    with reproducible(seed), quiet():
        network = RankingNetwork(len(names), params.hidden, params.dropout)
        epochs, patience = _epochs(params, len(batches), held_out is not None)
        curves, best = fit(
            RankingModule(network, params, epochs * len(batches)),
            batches,
            None if held_out is None else Whole(held_out),
            epochs=epochs,
            patience=patience,
            checkpoints=directory / "ranker_checkpoints",
            progress=progress,
            clip=1.0,
        )
    network.load_state_dict(best.weights)
    network.eval()
    return TrainedRanker(
        RankerRecommender(two_tower, network, names, examples.levels, params.without_sources),
        params,
        len(lists),
        curves.table(),
        best.epoch,
        examples.recall,
        {} if held_out is None else group_importance(network, names, held_out),
    )


def _epochs(params: RankingParams, steps: int, validated: bool) -> tuple[int, int]:
    """How many epochs of so many steps there are at most, and the patience with them."""
    epochs = params.epochs if validated else params.epochs_without_validation
    if epochs * steps >= params.fewest_steps:
        return epochs, params.patience
    epochs = -(-params.fewest_steps // steps)
    return epochs, max(params.patience, epochs // 2)


def group_importance(
    network: RankingNetwork, names: Sequence[str], lists: RankingLists
) -> dict[str, float]:
    """What MAP@12 on these lists loses when a group of features is shuffled among all pairs.

    Shuffled (Breiman 2001, "Random forests", section 10), not left out of the training: what the
    other features could make up for is not seen.
    """
    whole = mean_average_precision(lists, score_pairs(network, lists.features))
    groups = feature_groups()
    losses = {}
    for group in sorted(set(groups.values())):
        columns = [i for i, name in enumerate(names) if groups[name] == group]
        if not columns:
            continue
        order = np.random.default_rng(0).permutation(len(lists.features))
        shuffled = _Shuffled(lists.features, np.array(columns), order)
        losses[group] = whole - mean_average_precision(lists, score_pairs(network, shuffled))
    return losses


@dataclass(frozen=True)
class _Shuffled:
    """Features of pairs, some columns of which are those of other pairs; no copy of all of them."""

    features: NDArray[np.floating]
    columns: NDArray[np.int64]
    order: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.features.shape

    def __getitem__(self, rows: slice) -> NDArray[np.floating]:
        part = self.features[rows].copy()
        part[:, self.columns] = self.features[np.ix_(self.order[rows], self.columns)]
        return part
