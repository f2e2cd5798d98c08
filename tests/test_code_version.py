"""What counts as code: whatever decides what is built or published."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hm_platform import code_version
from hm_platform.code_version import code_fingerprint


@pytest.fixture
def here() -> str:
    """The fingerprint of the sources where they are."""
    return code_fingerprint()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sources, which takes their place."""
    for name in ("PACKAGE", "DBT_PROJECT"):
        source: Path = getattr(code_version, name)
        made = shutil.ignore_patterns("__pycache__", "target", "logs", "dbt_packages")
        shutil.copytree(source, tmp_path / source.name, ignore=made)
        monkeypatch.setattr(code_version, name, tmp_path / source.name)
    return tmp_path / "hm_platform"


def test_the_same_sources_have_the_same_fingerprint_wherever_they_lie(
    here: str, package: Path
) -> None:
    there = code_fingerprint()
    assert there == here
    (package / "notes.md").write_text("not code")
    assert code_fingerprint() == there


@pytest.mark.parametrize("name", ["serving/gate.py", "behaviour/thresholds.toml"])
def test_a_changed_source_is_another_code(package: Path, name: str) -> None:
    before = code_fingerprint()
    with (package / name).open("a") as file:
        file.write("\n# another line\n")
    assert code_fingerprint() != before
