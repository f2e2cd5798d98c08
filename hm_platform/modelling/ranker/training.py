"""Trains the ranker on past weeks, each seen as of its own cut-off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hm_platform.modelling.callbacks import Curves
from hm_platform.modelling.candidates import CandidateRecall
from hm_platform.modelling.fitting import Progress, fit, quiet, reproducible
from hm_platform.modelling.parameters import RankingParams
from hm_platform.modelling.ranker.discount import settled_discount
from hm_platform.modelling.ranker.examples import RankingExamples, ranking_examples
from hm_platform.modelling.ranker.inputs import feature_groups
from hm_platform.modelling.ranker.lightning import RankingModule
from hm_platform.modelling.ranker.lists import LabelledWeek, ListBatches, RankingLists, Whole
from hm_platform.modelling.ranker.metrics import mean_average_precision
from hm_platform.modelling.ranker.network import RankingNetwork, score_pairs
from hm_platform.modelling.ranker.recommender import RankerRecommender
from hm_platform.modelling.two_tower import TwoTowerRecommender


@dataclass(frozen=True)
class TrainedRanker:
    """The ranker, and how it got there.

    validated : as it was when the validation week was scored, which it had not learnt from
    recommender : the same, trained on with that week too, where anybody bought in it
    lists, validation_lists : how many it learnt from, of past weeks and of the validation week
    curves : a row an epoch: ``epoch`` (from 1), ``train_loss``, ``validation_map``, which is null
        once that week is learnt from
    recall : candidate source (and ``union``) -> recall among the buyers of the validation week, or
        of the last ranking week where nobody bought in that
    importance : feature group -> what validation MAP@12 of ``validated`` loses when it does not see
        the group; empty where nobody bought in the validation week
    """

    validated: RankerRecommender
    recommender: RankerRecommender
    params: RankingParams
    lists: int
    validation_lists: int
    curves: pa.Table
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
    """Train on the past weeks, score the validation week, and learn from that one too.

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
    """Train on examples that are made already; the same bytes for the same seed.

    No epoch is chosen by the validation week: while the learning rate is high the scores of one
    week rise and fall by more than there is between the epochs, and the one that does best in it is
    no better in the next. On 13,000 customer-weeks of the sample, 2017-08-14 to 2017-10-16, the
    last of six epochs had MAP@12 .1835, the chosen one .1831, the last of four .1832.

    The newest week says most of the next one. So once it has been scored it is learnt from, with
    the others beside it, in a second, shorter round of the learning rate (Loshchilov and Hutter
    2017, "SGDR: Stochastic gradient descent with warm restarts"): .1840 on those weeks.
    """
    past, validation, names = examples.of_past_weeks, examples.validation, examples.features
    if progress:
        progress(
            f"ranking: {len(past):,} lists of {len(past.features) // len(past)} candidates, "
            f"{len(names)} features"
        )
    epochs = _epochs(params, -(-len(past) // params.batch_size))
    final_epochs = -(-epochs // 2)
    discount = params.popularity_discount

    def recommender(network: RankingNetwork) -> RankerRecommender:
        return RankerRecommender(
            two_tower,
            network.eval(),
            names,
            examples.levels,
            popularity_discount=discount,
            without_sources=params.without_sources,
        )

    def learn(lists: RankingLists, validation: Whole | None, epochs: int) -> Curves:
        batches = ListBatches(lists, params.batch_size, seed)
        curves, _ = fit(
            RankingModule(network.train(), params, epochs * len(batches)),
            batches,
            validation,
            epochs=epochs,
            checkpoints=directory / "ranker_checkpoints",
            progress=progress,
            clip=1.0,
        )
        return curves

    importance: Mapping[str, float] = {}
    with reproducible(seed), quiet():
        network = RankingNetwork(len(names), params.hidden, params.dropout)
        if validation is None:
            curves = learn(past, None, epochs + final_epochs)
            validated = network
        else:
            curves = learn(past, Whole(validation), epochs)
            validated = deepcopy(network).eval()
            scores = score_pairs(validated, validation.features)
            discount = settled_discount(validation, scores, examples.log_sales, discount)
            importance = group_importance(validated, names, validation, scores)
            if progress:
                newest = len(examples.lists) - len(past)
                progress(f"ranking: with {newest:,} lists of the validation week beside them")
            curves.append(learn(examples.lists, None, final_epochs))
    return TrainedRanker(
        recommender(validated),
        recommender(network),
        params,
        len(past),
        len(examples.lists) - len(past),
        curves.table(),
        examples.recall,
        importance,
    )


def _epochs(params: RankingParams, steps: int) -> int:
    """How many epochs of so many steps there are before the validation week is scored."""
    return max(params.epochs, -(-params.fewest_steps // steps))


def group_importance(
    network: RankingNetwork,
    names: Sequence[str],
    lists: RankingLists,
    scores: NDArray[np.float32],
) -> dict[str, float]:
    """What MAP@12 on these lists loses when a group of features is shuffled among all pairs.

    Shuffled (Breiman 2001, "Random forests", section 10), not left out of the training: what the
    other features could make up for is not seen.

    scores : of the network for the pairs as they are
    """
    whole = mean_average_precision(lists, scores)
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
