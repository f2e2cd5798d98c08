"""The one exception that the modelling package raises for its users."""

from __future__ import annotations

from hm_platform.errors import PlatformError


class ModellingError(PlatformError, ValueError):
    """Data, parameters or stored files that no recommender can be made from.

    The message says what is wrong, where, and what to do about it.
    """
