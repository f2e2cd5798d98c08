"""Tests of landing the H&M competition's files."""

from __future__ import annotations

import hashlib
import os
import random
from datetime import date
from pathlib import Path

import pytest

from hm_platform.landing.errors import LandingError
from hm_platform.landing.kaggle import land
from hm_platform.landing.loading import read_articles, read_customers
from hm_platform.landing.zone import DatasetInfo, LandingZone
from tests.landing.landed import HEADER, header, index, quarantine, row, state, transactions

CUSTOMERS = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(400)]
CUSTOMERS_HEADER = "customer_id,FN,Active,club_member_status,fashion_news_frequency,age,postal_code"
ODD = ["never,bought,anything", "", "2018-99-99,{},0000000009,0.1,1", '2018-09-25,"{}",x,"0.10",1']


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small competition."""
    folder = tmp_path / "kaggle's files"
    folder.mkdir()
    description = '"Jersey top, with a ""so-called"" collar"'
    articles = [
        row("articles", article_id=f"01087750{i:02d}", prod_name="Strap", detail_desc=description)
        for i in range(10)
    ]
    (folder / "articles.csv").write_text("\n".join([header("articles"), *articles]) + "\n")
    customers = [f"{key},1.0,,ACTIVE,NONE,{20 + i % 60},p" for i, key in enumerate(CUSTOMERS)]
    (folder / "customers.csv").write_text("\n".join([CUSTOMERS_HEADER, *customers]) + "\n")
    draw = random.Random(0)
    lines = [
        f"2018-09-{20 + i // 400},{draw.choice(CUSTOMERS)},01087750{i % 10:02d},0.0{i:04d}0,2"
        for i in range(4_000)
    ]
    lines[7:7] = [odd.format(CUSTOMERS[0]) for odd in ODD]
    (folder / "transactions_train.csv").write_text("\n".join([HEADER, *lines]) + "\n")
    return folder


def _customers(zone: LandingZone) -> list[str]:
    return read_customers(zone, index(zone)).read_all()["customer_id"].to_pylist()


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_all_of_it_is_the_files_themselves(zone: LandingZone, folder: Path) -> None:
    landed = land(zone, folder)
    assert zone.dataset() == DatasetInfo("kaggle", date(2018, 9, 19))
    assert (landed.rows, landed.first_day, landed.last_day) == (
        4_003,
        date(2018, 9, 20),
        date(2018, 9, 29),
    )
    for dataset in ("articles", "customers", "transactions"):
        (file,) = zone.files(dataset)
        assert file.path.samefile(folder / file.path.name)
    before = state(zone.root)
    again = land(zone, folder)
    assert (again.written, len(again.unchanged)) == ((), 3)
    assert state(zone.root) == before


def test_what_is_picked_from_a_damaged_file_is_as_it_was(zone: LandingZone, folder: Path) -> None:
    source = folder / "customers.csv"
    source.write_bytes(source.read_bytes().replace(b"ACTIVE", b"ACTIV\xc9"))
    land(zone, folder, fraction=0.5)
    picked = (zone.root / "customers/customers.csv").read_bytes().splitlines()
    assert 100 < len(picked) < 300
    assert {*picked} <= {*source.read_bytes().splitlines()}


def test_without_links_it_is_copied(
    zone: LandingZone, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    land(zone, folder)
    (file,) = zone.files("transactions")
    assert not file.path.samefile(folder / file.path.name)
    assert file.path.read_bytes() == (folder / file.path.name).read_bytes()
    assert land(zone, folder).written == ()


def test_a_fraction_keeps_whole_histories_of_a_share_of_customers(
    zone: LandingZone, folder: Path
) -> None:
    land(zone, folder, fraction=0.25)
    kept = set(_customers(zone))
    assert 60 <= len(kept) <= 140
    source = _lines(folder / "transactions_train.csv")
    landed = _lines(zone.folder("transactions") / "transactions_train.csv")
    known = [line for line in source[1:] if any(key in line for key in kept)]
    assert [line for line in landed[1:] if any(key in line for key in kept)] == known
    others = [line for line in landed[1:] if line not in set(known)]
    assert [line for line in others if any(key in line for key in CUSTOMERS)] == []
    assert landed[0] == source[0]
    assert (zone.folder("articles") / "articles.csv").samefile(folder / "articles.csv")


def test_customers_of_a_fraction_are_among_those_of_a_larger_one(
    tmp_path: Path, folder: Path
) -> None:
    kept = []
    for fraction in (0.1, 0.25, 0.9, 1.0):
        zone = LandingZone(tmp_path / str(fraction))
        land(zone, folder, fraction=fraction)
        kept.append(set(_customers(zone)))
    assert kept[0] < kept[1] < kept[2] < kept[3]
    assert kept[3] == set(CUSTOMERS)


def test_the_same_customers_every_time(zone: LandingZone, folder: Path) -> None:
    land(zone, folder, fraction=0.1)
    # Fixed for good: another choice would change everybody's sample.
    numbers = {
        key: int.from_bytes(hashlib.md5(key.encode()).digest()[:8], "little")  # noqa: S324
        for key in CUSTOMERS
    }
    assert _customers(zone) == sorted(key for key in CUSTOMERS if numbers[key] < 0.1 * 2**64)
    before = state(zone.root)
    assert land(zone, folder, fraction=0.1).written == ()
    assert state(zone.root) == before


def test_through_a_day(zone: LandingZone, folder: Path) -> None:
    landed = land(zone, folder, through=date(2018, 9, 22))
    assert (landed.rows, landed.last_day) == (3 * 400 + 2, date(2018, 9, 22))
    lines = _lines(zone.folder("transactions") / "transactions_train.csv")
    odd = "2018-99-99," + CUSTOMERS[0]
    assert any(line.startswith(odd) for line in lines), "a bad date is the loader's business"
    assert {found["t_dat"] for found in transactions(zone)} == {
        date(2018, 9, day) for day in (20, 21, 22)
    }
    assert [found["reason"] for found in quarantine(zone)] == [
        "too few fields (5 expected)",
        "not a date written YYYY-MM-DD",
    ]
    assert len(_customers(zone)) == len(CUSTOMERS)


def test_what_landed_loads(zone: LandingZone, folder: Path) -> None:
    land(zone, folder, fraction=0.5)
    articles = read_articles(zone, index(zone)).read_all()
    assert articles["article_id"][0].as_py() == "0108775000"
    assert articles["detail_desc"][0].as_py() == 'Jersey top, with a "so-called" collar'
    assert {found["customer_id"] for found in transactions(zone)} <= set(_customers(zone))


@pytest.mark.parametrize("fraction", [0, -0.1, 1.01, float("nan")])
def test_a_bad_fraction(zone: LandingZone, folder: Path, fraction: float) -> None:
    with pytest.raises(LandingError, match=r"fraction .* out of range"):
        land(zone, folder, fraction=fraction)
    assert not zone.root.exists()


def test_missing_files_are_named(zone: LandingZone, folder: Path) -> None:
    (folder / "customers.csv").unlink()
    with pytest.raises(LandingError, match=r"has no customers\.csv"):
        land(zone, folder)
    with pytest.raises(LandingError, match="is not a folder"):
        land(zone, folder / "nowhere")
    assert not zone.root.exists()


def test_files_of_another_kind_are_refused(zone: LandingZone, folder: Path) -> None:
    (folder / "customers.csv").write_text("id,name\n1,x\n")
    with pytest.raises(LandingError, match=r"customers\.csv: no column customer_id"):
        land(zone, folder)
    assert not zone.root.exists()
