"""The one error that the landing package raises on purpose."""

from __future__ import annotations

from hm_platform.errors import PlatformError


class LandingError(PlatformError):
    """Something about the landing zone, or what is to land there, that a person has to put right.

    The message is one line for that person: what is wrong, where, and what to do.
    """
