"""How recommenders, candidate sources and groups of features are called for people."""

from __future__ import annotations

_HYPHENATED = {"two_tower": "Two-tower", "co_purchase": "Co-purchase"}


def label(name: str) -> str:
    """A name as people write it: ``two_tower`` -> ``Two-tower``, ``new_arrivals`` -> ``New
    arrivals``."""
    spaced = name.replace("_", " ")
    return _HYPHENATED.get(name, spaced[:1].upper() + spaced[1:])
