"""Effects by name, to hold against numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Iterable

from hm_platform.behaviour.effects import Effect


def named(effects: Iterable[Effect]) -> dict[str, Effect]:
    """Effects by their names, which must be distinct."""
    listed = list(effects)
    found = {effect.name: effect for effect in listed}
    assert len(found) == len(listed)
    return found


def values(effects: Iterable[Effect]) -> dict[str, float | None]:
    return {name: effect.value for name, effect in named(effects).items()}


def counts(effects: Iterable[Effect]) -> dict[str, int]:
    return {name: effect.count for name, effect in named(effects).items()}
