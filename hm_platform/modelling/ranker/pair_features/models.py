"""What other models make of the pair: co-purchases, new arrivals, the two towers."""

from __future__ import annotations

from hamilton.function_modifiers import check_output_custom, tag

from hm_platform.features.arrays import Float32s
from hm_platform.modelling.ranker.pair_features.values import NUMBER


@tag(group="collaborative")
@check_output_custom(NUMBER)
def co_purchase_score(source_co_purchase: Float32s) -> Float32s:
    """How strongly the article goes with what the customer bought lately."""
    return source_co_purchase


@tag(group="collaborative")
@check_output_custom(NUMBER)
def new_arrivals_score(source_new_arrivals: Float32s) -> Float32s:
    """How near a new article is to the customer's taste."""
    return source_new_arrivals


@tag(group="two_tower")
@check_output_custom(NUMBER)
def two_tower_similarity(two_tower_dense: Float32s) -> Float32s:
    """The dense part of the retrieval model's score."""
    return two_tower_dense


@tag(group="two_tower")
@check_output_custom(NUMBER)
def two_tower_repetition(two_tower_repeat: Float32s) -> Float32s:
    """What the retrieval model makes of the pair's history; NaN without one."""
    return two_tower_repeat
