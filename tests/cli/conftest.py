"""The shop that the tests of the command line share: it is built once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.shop import contents, run


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which a small synthetic shop has landed and its last week is built."""
    home = tmp_path_factory.mktemp("shop") / "data"
    landed = run(home, "hm", "land", "synthetic", "--customers", "300", "--weeks", "8")
    assert landed.returncode == 0, landed.stderr
    built = run(home, "hm", "build")
    assert built.returncode == 0, built.stderr
    home.joinpath("build.out").write_text(built.stdout)
    home.joinpath("build.err").write_text(built.stderr)
    return home


@pytest.fixture(scope="session")
def undisturbed(home: Path) -> dict[str, str]:
    """What one build that nothing disturbed has left in ``home``."""
    return contents(home)


@pytest.fixture
def other(home: Path, tmp_path: Path) -> Path:
    """A home in which nothing is built; what landed is that of ``home``."""
    (tmp_path / ".env").write_text(f"HM_LANDING={home / 'landing'}\n")
    return tmp_path / "data"
