"""A stored model for the tests of serving, trained once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.modelling.weeks import trained_week
from tests.modelling.worlds import described_world


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model with both stages; not to be changed."""
    folder = tmp_path_factory.mktemp("stored")
    trained_week(described_world(1, customers=60), folder)
    return folder / "model"
