"""What a ranker is fitted to: lists of weeks, with their features as a network reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hm_platform.modelling.candidates import CandidateRecall
from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.parameters import RankingParams
from hm_platform.modelling.ranker.discount import log_sales
from hm_platform.modelling.ranker.inputs import feature_groups
from hm_platform.modelling.ranker.lists import (
    LabelledWeek,
    RankingLists,
    concatenate,
    make_lists,
    some,
)
from hm_platform.modelling.ranker.scaling import fit_levels, scale
from hm_platform.modelling.two_tower import TwoTowerRecommender

LEVEL_SAMPLE = 200_000


class TooLittleToRankError(ModellingError):
    """There are too few lists to learn a ranking from; the message says how many."""


@dataclass(frozen=True)
class RankingExamples:
    """Lists to fit a network to, and lists to score it by.

    features : the names of the columns
    levels : float32, shape (features, LEVELS), fitted to the lists of past weeks (see ``scaling``)
    lists : those in which something was bought and something was not, scaled: of past weeks, and
        after them of the validation week
    past : how many of them are of past weeks
    validation : of all buyers of the validation week, scaled; None where nobody bought
    recall : candidate source (and ``union``) -> recall among the buyers of the validation week, or
        of the last past week where nobody bought in that
    log_sales : float32, shape (articles,), as known before the validation week (see ``discount``)
    """

    features: tuple[str, ...]
    levels: NDArray[np.float32]
    lists: RankingLists
    past: int
    validation: RankingLists | None
    recall: Mapping[str, CandidateRecall]
    log_sales: NDArray[np.float32]

    @property
    def of_past_weeks(self) -> RankingLists:
        """The lists that may be learnt from before the validation week is scored; no copy."""
        return self.lists.first(self.past)

    def scaled(self, features: NDArray[np.float32]) -> NDArray[np.float16]:
        """All features of other pairs, as a network that is fitted to these lists reads them.

        Half precision is enough for quantiles, and half the memory.
        """
        columns = _positions(self.features)
        scaled = np.empty((len(features), len(columns)), dtype=np.float16)
        for start in range(0, len(scaled), LEVEL_SAMPLE):
            part = slice(start, start + LEVEL_SAMPLE)
            scaled[part] = scale(features[part][:, columns], self.levels)
        return scaled

    def without(self, group: str) -> RankingExamples:
        """The same without a group of features.

        Raises ModellingError where there is no such group, or no other.
        """
        features = tuple(name for name in features_without([group]) if name in self.features)
        columns = np.array([self.features.index(name) for name in features])
        return replace(
            self,
            features=features,
            levels=self.levels[columns],
            lists=_columns(self.lists, columns),
            validation=None if self.validation is None else _columns(self.validation, columns),
        )


def ranking_examples(
    two_tower: TwoTowerRecommender,
    weeks: Sequence[LabelledWeek],
    validation: LabelledWeek,
    params: RankingParams,
    seed: int,
) -> RankingExamples:
    """The lists of these weeks.

    In each past week some buyers are as if they were new (:meth:`Snapshot.as_if_new`). Few really
    are, and a network that has hardly seen a customer without a history learns nothing of how to
    serve one (after Volkovs, Yu and Poutanen 2017, "DropoutNet: addressing cold start in
    recommender systems", section 4.1). On the sample's weeks of 2017-09-11, 09-18 and 09-25 a tenth
    of the buyers raised the MAP@12 of customers as if they were new from .0551 to .0585, and that
    of customers as they are went from .1824 to .1826.

    two_tower : the retrieval model, trained on what lies before the first of ``weeks``
    weeks : past weeks, each with its snapshot, oldest first

    Raises TooLittleToRankError when fewer than ``params.fewest_lists`` customers bought any of
    their candidates in these weeks, ModellingError when a source or a group of features does not
    exist or none is left.
    """
    rng = np.random.default_rng(seed)
    features = features_without(params.without_groups)
    # As many of the validation week as of each other one.
    most = max(1, params.lists // (len(weeks) + 1))
    parts = []
    for week in weeks:
        known = _some_as_if_new(week, params.as_if_new, rng)
        lists, _ = make_lists(known, two_tower, params.without_sources, most, rng)
        parts.append(lists.learnable())
    found = sum(map(len, parts))
    if found < params.fewest_lists:
        raise TooLittleToRankError(
            f"{found} lists of past weeks hold something that was bought, and a ranker needs "
            f"{params.fewest_lists} to learn from"
        )
    unscaled = concatenate(parts)
    del parts
    pairs = len(unscaled.features)
    sample = np.sort(rng.choice(pairs, min(pairs, LEVEL_SAMPLE), replace=False))
    levels = fit_levels(unscaled.features[sample][:, _positions(features)])
    examples = RankingExamples(
        features, levels, unscaled, found, None, {}, log_sales(validation.snapshot)
    )
    past = unscaled.with_features(examples.scaled(unscaled.features))
    examples = replace(examples, lists=past)
    del unscaled
    bought = bool(len(validation.bought.customers))
    latest = validation if bought else weeks[-1]
    # Scaled block by block: whole and as they are, they would be most of the memory of training.
    of_latest, recall = make_lists(
        latest, two_tower, params.without_sources, params.lists, rng, examples.scaled
    )
    if not bought:
        return replace(examples, recall=recall)
    learnt_from = of_latest.learnable(some(len(of_latest), most, rng))
    return replace(
        examples, lists=concatenate([past, learnt_from]), validation=of_latest, recall=recall
    )


def _some_as_if_new(week: LabelledWeek, share: float, rng: np.random.Generator) -> LabelledWeek:
    """The week, with the past of a random share of its buyers hidden."""
    buyers = week.bought.customers
    hidden = rng.choice(buyers, round(share * len(buyers)), replace=False)
    return replace(week, snapshot=week.snapshot.as_if_new(hidden)) if len(hidden) else week


def features_without(without_groups: Sequence[str]) -> tuple[str, ...]:
    """The pair features that are not in these groups; ModellingError where a group does not exist,
    or none is left."""
    groups = feature_groups()
    if unknown := sorted(set(without_groups) - set(groups.values())):
        raise ModellingError(
            f"there is no group of features {', '.join(unknown)}: know "
            f"{', '.join(sorted(set(groups.values())))}"
        )
    names = tuple(name for name, group in groups.items() if group not in without_groups)
    if not names:
        raise ModellingError("no group of features is left")
    return names


def _positions(features: Sequence[str]) -> NDArray[np.int64]:
    """Where these features are among all pair features."""
    everything = list(feature_groups())
    return np.array([everything.index(name) for name in features])


def _columns(lists: RankingLists, columns: NDArray[np.int64]) -> RankingLists:
    return lists.with_features(lists.features[:, columns])
