from __future__ import annotations

import pytest

from hm_platform.datasets.names import SPLITS, is_split, ranking_split, ranking_weeks


@pytest.mark.parametrize("weeks", [1, 8, 12])
def test_a_ranking_split_is_named_by_its_weeks(weeks: int) -> None:
    assert ranking_split(weeks) == f"ranking_{weeks}"
    assert ranking_weeks(ranking_split(weeks)) == weeks
    assert is_split(ranking_split(weeks))


@pytest.mark.parametrize("split", SPLITS)
def test_the_other_splits_are_no_ranking_splits(split: str) -> None:
    assert ranking_weeks(split) is None
    assert is_split(split)


@pytest.mark.parametrize(
    "name",
    ["", "train", "ranking", "ranking_", "ranking_0", "ranking_01", "ranking_-1", "xranking_1"],
)
def test_what_is_no_split(name: str) -> None:
    assert ranking_weeks(name) is None
    assert not is_split(name)
