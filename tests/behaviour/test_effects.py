"""Effects in words."""

from __future__ import annotations

import pytest

from hm_platform.behaviour.effects import Effect


@pytest.mark.parametrize(
    ("effect", "told"),
    [
        (Effect("map", 0.25, 9, 0.125, 0.5), "map is 0.25 (0.125 to 0.5)"),
        (Effect("faults", 3.0, 9), "faults is 3"),
        (Effect("map", None, 0), "map was not measured"),
    ],
)
def test_an_effect_in_words(effect: Effect, told: str) -> None:
    assert str(effect) == told
    assert effect.estimated == ("to" in told)
