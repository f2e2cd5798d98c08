from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pytest

from benchmarks.quality import ours
from benchmarks.quality.__main__ import NAMES, ArgumentError, chosen_names, chosen_weeks
from tests.benchmarks.quality.shops import TARGET, busy_shop


def test_all_take_part_unless_some_are_named_or_skipped() -> None:
    assert chosen_names("", "") == [*NAMES]
    assert chosen_names("hm_platform, ease", "") == ["ease", "hm_platform"]
    assert "bpr" not in chosen_names("", "bpr")


@pytest.mark.parametrize(("peers", "skip"), [("nobody", ""), ("", "nobody"), ("als", "als")])
def test_names_that_cannot_be_used_are_said(peers: str, skip: str) -> None:
    with pytest.raises(ArgumentError, match="nobody"):
        chosen_names(peers, skip)


def test_weeks_are_days_in_order() -> None:
    default = [date(2017, 11, 6)]
    assert chosen_weeks("", default) == default
    assert chosen_weeks("2017-12-04,2017-11-20", default) == [date(2017, 11, 20), date(2017, 12, 4)]
    with pytest.raises(ArgumentError, match="YYYY-MM-DD"):
        chosen_weeks("last", default)


def test_a_wrong_argument_ends_with_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.quality", "--peers", "nobody"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("bench-quality: there is no recommender 'nobody'")
    assert done.stderr.count("\n") == 1


def test_published_lists_are_those_of_the_week_before(tmp_path: Path) -> None:
    target = busy_shop().target(TARGET)
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        connection.execute(
            """CREATE SCHEMA serving;
            CREATE TABLE serving.recommendations AS SELECT * FROM (VALUES
                (DATE '2020-02-24', 'c0001', 2::TINYINT, 'a0007', 'v1'),
                (DATE '2020-02-24', 'c0001', 1::TINYINT, 'a0003', 'v1'),
                (DATE '2020-03-02', 'c0001', 1::TINYINT, 'a0009', 'v2')
            ) t(week, customer_id, rank, article_id, model_version)"""
        )
    version, lists = ours.published(tmp_path / "w.duckdb", target)
    assert version == "v1"
    row = int(np.searchsorted(target.bought.customers, 1))
    assert lists[row, :3].tolist() == [3, 7, -1]
    assert (np.delete(lists, row, axis=0) == -1).all()
