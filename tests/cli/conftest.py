"""The shop that the tests of the command line share: it is built once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import duckdb
import pytest
from filelock import FileLock

from tests.cli.shop import contents, run


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which a small synthetic shop has landed and its last week is built.

    All workers have the same landing zone, and each has a copy of its own of what was built.
    """
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return build_shop(base / "shop")
    with FileLock(base.parent / "shop.lock"):
        built = build_shop(base.parent / "shop")
    copy = tmp_path_factory.mktemp("shop") / "data"
    shutil.copytree(built, copy, ignore=shutil.ignore_patterns("landing"))
    (copy / "landing").symlink_to(built / "landing")
    return copy


def build_shop(folder: Path) -> Path:
    """The shop in ``folder``, made if it is not there."""
    home, built = folder / "data", folder / "built"
    if built.exists():
        return home
    folder.mkdir(exist_ok=True)
    landed = run(home, "hm", "land", "synthetic", "--customers", "300", "--weeks", "8")
    assert landed.returncode == 0, landed.stderr
    done = run(home, "hm", "build")
    assert done.returncode == 0, done.stderr
    home.joinpath("build.out").write_text(done.stdout)
    home.joinpath("build.err").write_text(done.stderr)
    built.touch()
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


@pytest.fixture
def unbuilt(home: Path, other: Path) -> Path:
    """A home in which everything that landed is loaded, and no week is built."""
    other.mkdir()
    shutil.copy(home / "warehouse.duckdb", other)
    with duckdb.connect(other / "warehouse.duckdb") as db:
        for schema in ("datasets", "features", "evaluation", "serving"):
            db.execute(f"DROP SCHEMA {schema} CASCADE")
    return other
