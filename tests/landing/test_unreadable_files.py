"""Files that cannot be read: which have gone, and which are tried again, and when."""

from __future__ import annotations

import errno
import os
import struct
import zlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hm_platform.landing import index as index_module
from hm_platform.landing.zone import LandedFile, LandingZone
from tests.landing.landed import (
    GOOD,
    HEADER,
    TODAY,
    by_uri,
    examinations,
    good,
    index,
    put,
    put_transactions,
    transactions,
)


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file counts as settled the moment it is there."""
    monkeypatch.setattr(index_module, "SETTLED_S", 0.0)


def _at(name: str, act: Callable[..., Any], then: Callable[..., Any]) -> Callable[..., Any]:
    """``then``, but for the file of that name, with which ``act`` is done first."""

    def acting(*arguments: Any) -> Any:
        for argument in arguments:
            if isinstance(argument, LandedFile) and argument.path.name == name:
                act(argument)
        return then(*arguments)

    return acting


def _raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any) -> None:
        raise error

    return fail


def test_a_file_that_may_not_be_read_is_tried_again_the_next_day(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put_transactions(zone, "a.csv", GOOD)
    denied = _raising(PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    with monkeypatch.context() as patched:
        patched.setattr(index_module, "examine", _at("a.csv", denied, index_module.examine))
        before = index(zone)
    entry = by_uri(before)["transactions/a.csv"]
    assert (entry["state"], entry["reason"]) == (
        "held",
        "the file cannot be read: Permission denied",
    )
    examined = examinations(monkeypatch)
    assert index(zone, before).equals(before)
    assert examined == [], "not at every look"
    tomorrow = index(zone, before, today=TODAY + timedelta(days=1))
    assert by_uri(tomorrow)["transactions/a.csv"]["state"] == "loaded"
    path.chmod(0o644)
    assert by_uri(index(zone, before))["transactions/a.csv"]["state"] == "loaded"


@pytest.mark.parametrize("function", ["examine", "validate"])
def test_a_file_whose_folder_a_file_has_replaced_has_gone(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    put_transactions(zone, "2018/a.csv", GOOD)
    put_transactions(zone, "b.csv", *good(5))

    def replace(file: LandedFile) -> None:
        file.path.unlink()
        file.path.parent.rmdir()
        file.path.parent.touch()

    then = getattr(index_module, function)
    monkeypatch.setattr(index_module, function, _at("a.csv", replace, then))
    assert index(zone)["uri"].to_pylist() == ["transactions/b.csv"]


@pytest.mark.parametrize("function", ["examine", "validate"])
def test_what_a_file_is_read_by_may_be_missing_while_the_file_is_there(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    put_transactions(zone, "a.csv", GOOD)
    put_transactions(zone, "b.csv", *good(5))
    missing = _raising(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "x"))
    with monkeypatch.context() as patched:
        then = getattr(index_module, function)
        patched.setattr(index_module, function, _at("a.csv", missing, then))
        before = index(zone)
    assert before["state"].to_pylist() == ["held", "loaded"]
    assert index(zone, before)["state"].to_pylist() == ["loaded", "loaded"]


def test_a_file_of_which_nobody_can_tell_whether_it_changed_is_held_for_now(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_transactions(zone, "a.csv", GOOD)
    put_transactions(zone, "b.csv", *good(5))
    stale = _raising(OSError(errno.ESTALE, os.strerror(errno.ESTALE)))
    with monkeypatch.context() as patched:
        then = LandedFile.is_as_listed
        patched.setattr(LandedFile, "is_as_listed", _at("a.csv", stale, then))
        before = index(zone)
    assert before["state"].to_pylist() == ["held", "loaded"]
    entry = by_uri(before)["transactions/a.csv"]
    assert (entry["rows"], entry["rows_loaded"], entry["weeks"]) == (None, 0, [])
    assert index(zone, before)["state"].to_pylist() == ["loaded", "loaded"]


def _gzipped(path: Path, flags: int, text: str) -> None:
    """A gzip file with these things in its header (RFC 1952, section 2.3.1)."""
    head = b"\x1f\x8b\x08" + bytes([flags]) + bytes(5) + b"\xff"
    head += struct.pack("<H", 4) + b"ab\0\0" if flags & 0x04 else b""
    head += b"a name\0" if flags & 0x08 else b""
    head += b"a comment\0" if flags & 0x10 else b""
    head += struct.pack("<H", zlib.crc32(head) & 0xFFFF) if flags & 0x02 else b""
    packing = zlib.compressobj(wbits=-15)
    body = packing.compress(text.encode()) + packing.flush()
    path.write_bytes(head + body + struct.pack("<II", zlib.crc32(text.encode()), len(text)))


@pytest.mark.parametrize("flags", [0x01, 0x02, 0x04, 0x08, 0x10, 0x1F])
def test_a_gzip_file_may_have_anything_in_its_header(zone: LandingZone, flags: int) -> None:
    path = put(zone, "transactions/a.csv.gz", b"")
    _gzipped(path, flags, f"{HEADER}\n{GOOD}\n")
    assert len(transactions(zone)) == 1
