"""What a ranker is fitted to: whose past is hidden, and columns that can be left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hm_platform.modelling.errors import ModellingError
from hm_platform.modelling.ranker.examples import RankingExamples, ranking_examples
from hm_platform.modelling.ranker.inputs import feature_groups
from hm_platform.modelling.ranker.lists import RankingLists, make_lists
from tests.modelling.networks import recommender_for
from tests.modelling.ranker.shops import QUICK, due_world, labelled

WORLD = due_world()
WEEKS = [labelled(WORLD, snapshot) for snapshot in WORLD.past(2)]
VALIDATION = labelled(WORLD, WORLD.snapshot())


def examples(share: float, seed: int = 0, **params) -> RankingExamples:
    wanted = replace(QUICK, as_if_new=share, **params)
    return ranking_examples(recommender_for(WORLD), WEEKS, VALIDATION, wanted, seed)


def without_history(found: RankingExamples, lists: RankingLists) -> int:
    """Lists in which no candidate was bought before: all features of a customer and an article
    that the customer bought are 0, in the middle."""
    groups = feature_groups()
    pair = [i for i, name in enumerate(found.features) if groups[name] == "frequency"]
    row = np.repeat(np.arange(len(lists)), np.diff(lists.offsets))
    said = np.abs(lists.features[:, pair]).max(axis=1)
    return int(np.sum(np.bincount(row, said, minlength=len(lists)) == 0))


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5])
def test_a_share_of_the_buyers_of_each_past_week_is_as_if_new(share: float) -> None:
    found = examples(share)
    hidden = sum(round(share * len(week.bought.customers)) for week in WEEKS)
    everybody = sum(len(week.bought.customers) for week in WEEKS)
    assert found.validation is not None
    assert without_history(found, found.validation) == 0
    assert len(found.validation) == len(VALIDATION.bought.customers)
    # Who is as if new may have none of what was bought among the candidates: no list then.
    past = found.of_past_weeks
    assert everybody - hidden <= len(past) <= everybody
    assert without_history(found, past) == hidden - (everybody - len(past))
    assert (without_history(found, past) > 0) == (share > 0)


def test_the_lists_of_the_validation_week_come_last() -> None:
    found = examples(0.0)
    assert found.validation is not None
    learnable = found.validation.learnable()
    assert 0 < len(learnable) == len(found.lists) - found.past
    assert found.lists.articles[-len(learnable.articles) :].tolist() == learnable.articles.tolist()
    assert found.lists.features[: len(found.of_past_weeks.features)].tobytes() == (
        found.of_past_weeks.features.tobytes()
    )


def test_no_week_has_more_than_its_share_of_the_lists() -> None:
    whole, few = examples(0.0), examples(0.0, lists=30)
    assert len(few.of_past_weeks) <= 2 * 10 < len(whole.of_past_weeks)
    assert len(few.lists) - few.past <= 10 < len(whole.lists) - whole.past
    assert few.validation is not None
    assert len(few.validation) == 30


def test_another_seed_hides_others() -> None:
    one, same, other = (examples(0.5, seed).lists.features for seed in (0, 0, 1))
    assert one.tobytes() == same.tobytes()
    assert one.tobytes() != other.tobytes()


def test_recall_is_that_of_customers_as_they_are() -> None:
    assert examples(0.5).recall == examples(0.0).recall


def test_a_group_that_is_left_out_afterwards_is_left_out() -> None:
    whole = examples(0.1)
    part, made = whole.without("rhythm"), examples(0.1, without_groups=("rhythm",))
    assert part.features == made.features
    assert len(part.features) < len(whole.features)
    assert part.levels.tobytes() == made.levels.tobytes()
    assert part.lists.features.tobytes() == made.lists.features.tobytes()
    assert part.validation is not None
    assert made.validation is not None
    assert part.validation.features.tobytes() == made.validation.features.tobytes()
    with pytest.raises(ModellingError, match="no group of features smell"):
        whole.without("smell")


def test_other_lists_are_scaled_like_those_that_it_is_fitted_to() -> None:
    found = examples(0.0)
    lists, _ = make_lists(
        VALIDATION, recommender_for(WORLD), (), len(WORLD.purchases), np.random.default_rng(0)
    )
    assert found.validation is not None
    assert found.scaled(lists.features).tobytes() == found.validation.features.tobytes()
