"""Tests of what the index trusts a file's stamp for, and of when it reads and checks again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hm_platform.landing import index as index_module
from hm_platform.landing.zone import LandingZone
from tests.landing.landed import (
    BAD,
    GOOD,
    STRICT,
    by_uri,
    examinations,
    good,
    index,
    put,
    put_transactions,
    validations,
)


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file counts as settled the moment it is there."""
    monkeypatch.setattr(index_module, "SETTLED_S", 0.0)


@pytest.mark.usefixtures("settled")
def test_an_untouched_file_is_not_opened(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_transactions(zone, "a.csv", GOOD)
    put_transactions(zone, "b.csv", GOOD)  # a duplicate
    put_transactions(zone, "c.csv", GOOD, BAD)  # held for its rows
    put(zone, "transactions/d.csv", "")  # held, since it cannot be read
    put(zone, "transactions/e.csv", "price\n1\n")  # held for its columns
    before = index(zone, rules=STRICT)
    examined, checked = examinations(monkeypatch), validations(monkeypatch)
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("a file was opened"))
    again = index(zone, before, STRICT)
    assert (examined, checked) == ([], [])
    assert again.equals(before)


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    "touch",
    [
        lambda path: os.utime(path, (0, 0)),
        lambda path: path.write_bytes(path.read_bytes()),
        lambda path: path.chmod(0o600),
        lambda path: (
            path.with_name("x.tmp").write_bytes(path.read_bytes())
            and path.with_name("x.tmp").replace(path)
        ),
    ],
    ids=["times", "written", "mode", "replaced"],
)
def test_a_touched_file_is_read_but_not_checked_again_where_its_content_is_the_same(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch, touch: Callable[[Path], Any]
) -> None:
    path = put_transactions(zone, "a.csv", GOOD)
    put_transactions(zone, "b.csv", *good(5))
    before = index(zone)
    time.sleep(0.02)
    touch(path)
    examined, checked = examinations(monkeypatch), validations(monkeypatch)
    again = index(zone, before)
    assert (examined, checked) == (["transactions/a.csv"], [])
    assert again.drop(["stamp"]).equals(before.drop(["stamp"]))
    assert index(zone, again).equals(again)
    assert examined == ["transactions/a.csv"], "the third look trusts the stamp of the second"


@pytest.mark.usefixtures("settled")
def test_content_of_the_same_size_with_its_time_set_back_is_noticed(zone: LandingZone) -> None:
    path = put_transactions(zone, "a.csv", *good(1))
    before = index(zone)
    status = path.stat()
    time.sleep(0.02)
    with path.open("r+b") as stream:  # the very same inode
        stream.write(path.read_bytes().replace(b"c1", b"c2"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_ino) == (status.st_size, status.st_ino)
    again = index(zone, before)
    assert again["content_hash"] != before["content_hash"]
    assert again.equals(index(zone))


def test_a_file_that_has_only_just_changed_is_looked_at_again(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Within a step of the file system's clock it could change and keep its stamp.
    path = put_transactions(zone, "a.csv", GOOD)
    changed = path.stat().st_ctime
    monkeypatch.setattr(time, "time", lambda: changed + 0.9)
    before = index(zone)
    assert before["stamp"].to_pylist() == [None]
    examined, checked = examinations(monkeypatch), validations(monkeypatch)
    monkeypatch.setattr(time, "time", lambda: changed + 1.1)
    again = index(zone, before)
    assert (examined, checked) == (["transactions/a.csv"], [])
    assert again["stamp"].to_pylist() != [None]
    index(zone, again)
    assert len(examined) == 1


def test_a_file_from_the_future_is_read_like_any_other(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put_transactions(zone, "a.csv", GOOD)
    changed = path.stat().st_ctime
    monkeypatch.setattr(time, "time", lambda: changed - 1_000)
    found = by_uri(index(zone, quiet_s=60))["transactions/a.csv"]
    assert found["state"] == "loaded"
    assert found["stamp"] is not None


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("lines", [[GOOD], [GOOD, BAD]], ids=["loaded", "held"])
def test_a_renamed_file_is_not_checked_again(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    path = put_transactions(zone, "a.csv", *lines)
    before = index(zone, rules=STRICT)
    path.rename(path.with_name("z.csv"))
    checked = validations(monkeypatch)
    again = index(zone, before, STRICT)
    assert checked == []
    assert again["uri"].to_pylist() == ["transactions/z.csv"]
    own = ["uri", "stamp"]
    assert again.drop(own).equals(before.drop(own))


@pytest.mark.usefixtures("settled")
def test_the_same_bytes_in_another_folder_are_checked_there(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = "customer_id,article_id\n1,2\n"
    put(zone, "customers/a.csv", content)
    before = index(zone)
    put(zone, "articles/a.csv", content)
    checked = validations(monkeypatch)
    found = by_uri(index(zone, before))
    assert checked == ["articles/a.csv"]
    assert found["articles/a.csv"]["columns"] == found["customers/a.csv"]["columns"]


def test_a_young_file_is_pending_until_it_has_been_quiet(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put_transactions(zone, "a.csv", GOOD)
    os.utime(path, (0, 0))  # as a copy that keeps the times of its original
    changed = path.stat().st_ctime
    monkeypatch.setattr(time, "time", lambda: changed + 59)
    examined = examinations(monkeypatch)
    waiting = index(zone, quiet_s=60)
    entry = by_uri(waiting)["transactions/a.csv"]
    assert (entry["state"], entry["rows"], entry["stamp"]) == ("pending", None, None)
    assert "still writing it" in entry["reason"]
    assert examined == []
    assert by_uri(index(zone, waiting))["transactions/a.csv"]["state"] == "loaded"
    monkeypatch.setattr(time, "time", lambda: changed + 61)
    assert by_uri(index(zone, waiting, quiet_s=60))["transactions/a.csv"]["rows_loaded"] == 1


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), duckdb.OutOfMemoryException("of 300 MB")]
)
def test_what_may_be_the_machines_fault_is_tried_again_at_the_next_look(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    put_transactions(zone, "a.csv", GOOD)

    def failing(*_: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(index_module, "validate", failing)
        before = index(zone)
    assert by_uri(before)["transactions/a.csv"]["state"] == "held"
    assert by_uri(index(zone, before))["transactions/a.csv"]["state"] == "loaded"


@pytest.mark.usefixtures("settled")
def test_a_check_that_failed_for_lack_of_memory_is_repeated_for_known_content(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_transactions(zone, "a.csv", GOOD)
    loaded = index(zone)

    def failing(*_: Any) -> None:
        raise duckdb.OutOfMemoryException("of 300 MB")

    with monkeypatch.context() as patch:
        patch.setattr(index_module, "validate", failing)
        held = index(zone, loaded, STRICT)
    assert by_uri(held)["transactions/a.csv"]["state"] == "held"
    assert by_uri(index(zone, held, STRICT))["transactions/a.csv"]["state"] == "loaded"


@pytest.mark.parametrize("error", [OverflowError("date value out of range"), ValueError("no text")])
def test_values_that_python_has_no_room_for_hold_the_file(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    put_transactions(zone, "a.csv", GOOD)
    validate = index_module.validate

    def failing(session: Any, file: Any, *rest: Any) -> Any:
        if file.uri.endswith("a.csv"):
            raise error
        return validate(session, file, *rest)

    monkeypatch.setattr(index_module, "validate", failing)
    put_transactions(zone, "b.csv", *good(3))
    found = by_uri(index(zone))
    assert [entry["state"] for entry in found.values()] == ["held", "loaded"]
    assert str(error) in found["transactions/a.csv"]["reason"]
