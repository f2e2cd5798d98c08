"""What the landing tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from hm_platform.landing.zone import LandingZone
from tests.s3.fixtures import aws, bucket, proxy, remote, server, waits

__all__ = ["aws", "bucket", "proxy", "remote", "server", "waits", "zone"]


@pytest.fixture
def zone(tmp_path: Path) -> LandingZone:
    return LandingZone(tmp_path / "landing")
