"""What can go wrong when features are computed: the errors of ``hm_platform.features``."""

from __future__ import annotations

from hm_platform.errors import PlatformError


class FeatureError(PlatformError, ValueError):
    """Inputs that no feature can be computed from, or a feature that fails its output check."""


class LeakageError(FeatureError):
    """A row that lies on or after the cut-off was about to reach a feature function."""
