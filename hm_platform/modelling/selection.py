"""Which recommender serves: the model, or a baseline where the model has not earned it.

The list of contenders is here and nowhere else. A stage that re-ranks candidates (the ranker)
is one more contender: a ``Recommender`` in a subpackage of its own, ``modelling/ranker``, that
asks those of this module for candidates in ``prepare`` and is chosen by the same rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hm_platform.modelling.baselines.co_purchase import CoPurchase
from hm_platform.modelling.baselines.popularity import Popularity, SegmentPopularity
from hm_platform.modelling.baselines.repurchase import Repurchase
from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.recommenders import Recommender

MODEL = "two_tower"
"""The name under which the trained model competes."""


def baselines() -> Sequence[Recommender]:
    """The recommenders that the model is compared with, always."""
    return (Repurchase(), CoPurchase(), SegmentPopularity(), Popularity())


def choose_recommender(validation: Mapping[str, Mapping[str, float]]) -> str:
    """The name of the recommender to publish: the highest ``map`` on the validation week.

    validation : recommender -> metric -> value. Where the validation week cannot tell (nobody
        bought), the mapping is empty and the model is published.

    Ties go to the model, then to the name that sorts first.
    """
    if not validation:
        return MODEL
    if missing := sorted(name for name, metrics in validation.items() if "map" not in metrics):
        raise ModellingError(f"no validation MAP for {', '.join(missing)}: nothing to choose by")
    return min(validation, key=lambda name: (-validation[name]["map"], name != MODEL, name))


def recommender_named(name: str, model: Recommender) -> Recommender:
    """The contender of that name; ``model`` is the trained model."""
    for recommender in (model, *baselines()):
        if recommender.name == name:
            return recommender
    raise ModellingError(
        f"there is no recommender {name!r}: know {[model.name, *(b.name for b in baselines())]}"
    )
