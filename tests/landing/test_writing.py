"""Tests of putting files into the landing zone whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from hm_platform.landing.writing import Tally, replacing, write_bytes


def test_the_same_bytes_leave_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"
    assert write_bytes(path, b"one")
    before = path.stat()
    assert not write_bytes(path, b"one")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert [each.name for each in path.parent.iterdir()] == ["b.txt"]


def test_a_failure_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_bytes(path, b"one")
    with pytest.raises(RuntimeError), replacing(path) as replacement:  # noqa: PT012
        replacement.temporary.write_bytes(b"half")
        assert replacement.temporary.name.endswith(".tmp")
        assert replacement.temporary.parent == path.parent
        raise RuntimeError("the disk is full")
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_bytes() == b"one"


def test_files_that_were_not_noted_go(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.txt", "b.txt", "c.txt")]
    for path in paths:
        path.touch()
    tally = Tally(tmp_path)
    tally.note(paths[0], changed=True)
    tally.note(paths[2], changed=False)
    tally.remove_others(paths)
    landed = tally.landed("x", 0, None, None)
    assert (landed.written, landed.unchanged, landed.removed) == (
        ("a.txt",),
        ("c.txt",),
        ("b.txt",),
    )
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.txt", "c.txt"]
