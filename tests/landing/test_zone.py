"""Tests of listing a landing zone and of its dataset.toml."""

from __future__ import annotations

import errno
import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from hm_platform.landing.errors import LandingError
from hm_platform.landing.zone import DatasetInfo, LandingZone
from tests.landing.landed import put


def test_lists_data_files_sorted_and_leaves_the_rest(zone: LandingZone) -> None:
    for name in (
        *("b.csv", "a.parquet", "c.csv.gz", "2020/d.CSV", "it's; drop table x.csv"),
        *(".hidden.csv", ".sub/e.csv", "f.csv.tmp", "g.csv.part", "h.txt", "i.csv.zip", "csv"),
    ):
        put(zone, f"transactions/{name}", "x")
    assert [file.uri for file in zone.files("transactions")] == [
        "transactions/2020/d.CSV",
        "transactions/a.parquet",
        "transactions/b.csv",
        "transactions/c.csv.gz",
        "transactions/it's; drop table x.csv",
    ]
    assert [file.size for file in zone.files("transactions")] == [1] * 5
    assert zone.files("articles") == []


def test_a_pipe_or_dangling_link_is_no_file(zone: LandingZone) -> None:
    put(zone, "transactions/a.csv", "x")
    os.mkfifo(zone.root / "transactions/pipe.csv")
    (zone.root / "transactions/gone.csv").symlink_to(zone.root / "nowhere")
    assert [file.uri for file in zone.files("transactions")] == ["transactions/a.csv"]


def test_a_name_that_is_not_utf8_has_a_printable_uri(zone: LandingZone) -> None:
    put(zone, "transactions/a.csv", "x")
    try:
        (zone.root / "transactions" / os.fsdecode(b"b\xff.csv")).write_text("x")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    uris = [file.uri for file in zone.files("transactions")]
    assert uris == ["transactions/a.csv", "transactions/b\\xff.csv"]


def test_dataset_info_is_read_as_written(zone: LandingZone) -> None:
    info = DatasetInfo('a "quoted" \\ name', date(2017, 1, 2))
    assert zone.dataset() is None
    assert zone.write_dataset_info(info)
    assert zone.dataset() == info
    assert not zone.write_dataset_info(info)


def test_columns_that_a_person_gave_up_outlast_the_next_landing(zone: LandingZone) -> None:
    info = DatasetInfo("x", date(2017, 1, 2))
    text = 'name = "x"\nfirst_week = 2017-01-02\nwithout = ["customers.fn", "customers.age"]\n'
    put(zone, "dataset.toml", text)
    given_up = DatasetInfo(info.name, info.first_week, ("customers.age", "customers.fn"))
    assert zone.dataset() == given_up
    zone.write_dataset_info(info)
    assert zone.dataset() == given_up
    assert not zone.write_dataset_info(info)
    zone.write_dataset_info(DatasetInfo("x", date(2017, 1, 9)))
    assert zone.dataset() == DatasetInfo("x", date(2017, 1, 9), given_up.without)


def test_two_data_sets_in_one_zone_are_refused(zone: LandingZone) -> None:
    zone.write_dataset_info(DatasetInfo("one", date(2017, 1, 2)))
    with pytest.raises(LandingError, match="already holds the data set 'one'"):
        zone.write_dataset_info(DatasetInfo("two", date(2017, 1, 2)))
    assert zone.dataset() == DatasetInfo("one", date(2017, 1, 2))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "not valid TOML"),
        ("first_week = 2017-01-02", "has no name"),
        ("name = 5\nfirst_week = 2017-01-02", "has no name"),
        ('name = "x"', "has no first_week"),
        ('name = "x"\nfirst_week = "soon"', "has no first_week"),
        ('name = "x"\nfirst_week = 2017-01-02T10:00:00', "has no first_week"),
        ('name = "x"\nfirst_week = 2017-01-02\nwithout = "customers.age"', "without has to be a"),
        ('name = "x"\nfirst_week = 2017-01-02\nwithout = [1]', "without has to be a list"),
        ('name = "x"\nfirst_week = 2017-01-02\nwithout = ["age"]', "without has to be a list"),
        ('name = "x"\nfirst_week = 2017-01-02\nwithout = ["people.age"]', "without has to be"),
        ('name = "x"\nfirst_week = 2017-01-02\nwithout = ["customers.agee"]', "without has to be"),
        ('name = "x"\nfirst_week = 2017-01-02\nwithout = ["customers"]', "without has to be"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_malformed_dataset_file_is_named(
    zone: LandingZone, text: str | bytes, message: str
) -> None:
    path = put(zone, "dataset.toml", text)
    with pytest.raises(LandingError, match=message) as raised:
        zone.dataset()
    assert str(path) in str(raised.value)


def test_first_week_may_be_a_string(zone: LandingZone) -> None:
    put(zone, "dataset.toml", 'name = "x"\nfirst_week = "2017-01-02"')
    assert zone.dataset() == DatasetInfo("x", date(2017, 1, 2))


def _forbid(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, folder: Path) -> None:
    """Have a function of the operating system refuse what lies in a folder, or the folder."""
    allowed = getattr(owner, name)

    def refusing(path: Any, *arguments: Any, **named: Any) -> Any:
        if Path(path) == folder or folder in Path(path).parents:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return allowed(path, *arguments, **named)

    monkeypatch.setattr(owner, name, refusing)


@pytest.mark.parametrize(("owner", "name"), [(os, "scandir"), (Path, "stat")])
def test_files_in_a_folder_that_cannot_be_looked_into_do_not_count_as_gone(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    put(zone, "transactions/2018/a.csv", "x")
    put(zone, "transactions/b.csv", "x")
    _forbid(monkeypatch, owner, name, zone.root / "transactions" / "2018")
    with pytest.raises(LandingError, match=r"transactions/2018.* cannot be looked into \(Perm"):
        zone.files("transactions")
