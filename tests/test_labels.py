"""Names read as people write them."""

from __future__ import annotations

import pytest

from hm_platform.labels import label
from hm_platform.modelling.recommenders import SOURCES
from hm_platform.modelling.selection import MODELS, baselines


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("two_tower", "Two-tower"),
        ("co_purchase", "Co-purchase"),
        ("new_arrivals", "New arrivals"),
        ("segment_popularity", "Segment popularity"),
        ("ranker", "Ranker"),
        ("", ""),
    ],
)
def test_label(name: str, text: str) -> None:
    assert label(name) == text


def test_no_name_of_ours_shows_its_underscores_or_is_shared() -> None:
    names = {*SOURCES, *MODELS, *(baseline.name for baseline in baselines())}
    labels = {label(name) for name in names}
    assert len(labels) == len(names)
    assert all("_" not in text and text[0].isupper() for text in labels)
