from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hm_platform.storage.unfinished import alive, remove_abandoned, unfinished


@pytest.fixture
def gone() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_a_dead_process_left_is_removed(tmp_path: Path, gone: int) -> None:
    folder = tmp_path / f".2018-11-07-abc.{gone}.tmp"
    folder.mkdir()
    (folder / "weights.safetensors").write_bytes(b"half")
    (tmp_path / f".page.html.{gone}.tmp").write_text("half")
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_finished_or_still_being_written_stays(tmp_path: Path) -> None:
    kept = {tmp_path / "page.html", tmp_path / ".notes.tmp", unfinished(tmp_path / "page.html")}
    for path in kept:
        path.touch()
    remove_abandoned(tmp_path)
    assert set(tmp_path.iterdir()) == kept


def test_a_process_is_alive_until_it_ends(gone: int) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert alive(process.pid)
    assert not alive(gone)
