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
    """The name of the recommender to publish: the highest ``map`` on the validation week.

    With one exception: where that is another model than the first, and its lead is no more than
    ``map_noise``, it is the first. One week alone does not tell the stages apart that finely, and
    the first has learnt from several. (In the manner of the one-standard-error rule of Breiman et
    al. 1984, "Classification and regression trees", section 3.4.3.)

    validation : recommender -> metric -> value; ``map_noise`` is the standard error of the
        difference in ``map`` from the first model, 0 where it is not there. Where the validation
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
    best = min(
        validation,
        key=lambda name: (-validation[name]["map"], place.get(name, len(models)), name),
    )
    if best in models and first in validation:
        lead = validation[best]["map"] - validation[first]["map"]
        return first if lead <= validation[best].get("map_noise", 0.0) else best
    return best


def recommender_named(name: str, models: Sequence[Recommender]) -> Recommender:
    """The contender of that name; ``models`` are the trained models."""
    contenders = (*models, *baselines())
    for recommender in contenders:
        if recommender.name == name:
            return recommender
    raise ModellingError(
        f"there is no recommender {name!r}: know {[known.name for known in contenders]}"
    )
