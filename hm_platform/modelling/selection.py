"""Which recommender serves: a trained model, or a baseline where no model has earned it.

The list of contenders is here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hm_platform.modelling.baselines.co_purchase import CoPurchase
from hm_platform.modelling.baselines.popularity import Popularity, SegmentPopularity
from hm_platform.modelling.baselines.repurchase import Repurchase
from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.recommenders import Recommender

MODELS = ("ranker", "two_tower")
"""The names under which the trained models compete: both stages, and the first alone."""


def baselines() -> Sequence[Recommender]:
    """The recommenders that the model is compared with, always."""
    return (Repurchase(), CoPurchase(), SegmentPopularity(), Popularity())


def choose_recommender(
    validation: Mapping[str, Mapping[str, float]], models: Sequence[str] = MODELS
) -> str:
    """The name of the recommender to publish: the first model, unless another one is better.

    Better means a higher ``map`` on the validation week by more than ``map_noise``, the standard
    error of the two's difference there (after the one-standard-error rule of Breiman et al. 1984,
    "Classification and regression trees", section 3.4.3): one week alone tells no finer, and the
    first model has learnt from several. Of several better ones it is the best.

    validation : recommender -> metric -> value; no ``map_noise`` is none. Where the validation
        week cannot tell (nobody bought), the mapping is empty and the first model is published.
    models : the models that were trained, preferred first

    Ties go to the models in their order, then to the name that sorts first.
    """
    first = models[0]
    if not validation:
        return first
    if missing := sorted(name for name, metrics in validation.items() if "map" not in metrics):
        raise ModellingError(f"no validation MAP for {', '.join(missing)}: nothing to choose by")
    place = {name: number for number, name in enumerate(models)}
    highest = validation[first]["map"] if first in validation else float("-inf")
    better = [
        name
        for name, metrics in validation.items()
        if name == first or metrics["map"] - highest > metrics.get("map_noise", 0.0)
    ]
    return min(
        better,
        key=lambda name: (-validation[name]["map"], place.get(name, len(models)), name),
    )


def recommender_named(name: str, models: Sequence[Recommender]) -> Recommender:
    """The contender of that name; ``models`` are the trained models."""
    contenders = (*models, *baselines())
    for recommender in contenders:
        if recommender.name == name:
            return recommender
    raise ModellingError(
        f"there is no recommender {name!r}: know {[known.name for known in contenders]}"
    )
