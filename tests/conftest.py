"""What all tests share: settings of their own, never those of the person who runs them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# Machines that run tests are shared: how long an example takes says nothing about the code.
settings.register_profile(
    "tests", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50
)
settings.load_profile("tests")

for _name in [name for name in os.environ if name.startswith(("HM_", "DAGSTER_"))]:
    del os.environ[_name]
# Read when the asset modules are imported: one calendar, that of synthetic data, for all tests.
os.environ["HM_FIRST_WEEK"] = "2018-09-19"
os.environ["HM_TRAIN_WEEKS"] = "4"
LONGEST = (
    "tests/cli/test_daemon.py",
    "tests/ci/test_weeks.py",
    # Without the shop of tests/cli, so that nobody waits for another worker to build it.
    "tests/dbt/test_weekly_models.py",
    "tests/cli/test_rebuilding.py",
    "tests/dbt/test_in_a_bucket.py",
    "tests/cli/test_faults.py",
    "tests/cli/test_late_catalogue.py",
    "tests/cli/test_serving.py",
    "tests/cli/test_backtest.py",
    "tests/cli/test_hm.py",
)
"""What takes minutes begins first: begun last, it would keep one worker busy and no other."""

_home = tempfile.TemporaryDirectory(prefix="hm-test-")
os.environ["HM_HOME"] = _home.name


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; the others stay as they are, shuffled."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.nodeid.split("::")[0], len(place)))


@pytest.fixture(scope="session", autouse=True)
def _remove_home() -> Iterator[None]:
    yield
    _home.cleanup()
