"""The command line as a user types it: in a process of its own, on small made-up data."""

from __future__ import annotations

import csv
import re
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hm_platform.progress import OF_DAGSTER_DBT
from tests.cli.shop import WEEK, query, run


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """What an error said: one line after any progress, a status, and no traceback."""
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    *progress, said = done.stderr.strip().splitlines()
    assert said.startswith("hm: "), done.stderr
    assert not any(line.startswith("hm: ") for line in progress)
    return said


def test_a_build_shows_progress_and_ends_with_the_board(home: Path) -> None:
    progress, board = home.joinpath("build.err").read_text(), home.joinpath("build.out").read_text()
    assert "epoch 1" in progress
    assert "models/recommender" in progress
    # What dbt makes is said when it is made, once for all of its weeks; how it is called is not.
    assert len(re.findall(r"^    marts/joined_transactions: \d+\.\d s$", progress, re.M)) == 1
    assert not [mark for mark in (*OF_DAGSTER_DBT, "AssetObservation") if mark in progress]
    for word in ("Loaded", "two_tower", "repurchase", "popularity", "map@12", "hm recommend"):
        assert word in board
    assert (home / "reports" / f"{WEEK}.html").stat().st_size > 10_000


def test_the_latest_complete_week_is_built_and_everyone_is_served(home: Path) -> None:
    assert query(home, "SELECT DISTINCT week::VARCHAR FROM serving.recommendations") == [(WEEK,)]
    everyone = query(home, "SELECT count(*) FROM staging.stg_customers")[0][0]
    served = query(
        home,
        "SELECT count(*), min(n), max(n), bool_and(d = n) FROM (SELECT customer_id, count(*) AS n,"
        " count(DISTINCT article_id) AS d FROM serving.recommendations GROUP BY 1)",
    )
    assert served == [(everyone, 12, 12, True)]


def test_a_second_build_is_quick_and_changes_nothing(home: Path) -> None:
    before = (home / "warehouse.duckdb").stat().st_mtime_ns
    again = run(home, "hm", "build")
    assert again.returncode == 0
    assert "nothing to do" in again.stderr
    assert (home / "warehouse.duckdb").stat().st_mtime_ns == before


def test_landing_again_changes_nothing(home: Path) -> None:
    files = sorted((f, f.stat().st_mtime_ns) for f in (home / "landing").rglob("*.*"))
    again = run(home, "hm", "land", "synthetic", "--customers", "300", "--weeks", "8")
    assert again.returncode == 0
    assert sorted((f, f.stat().st_mtime_ns) for f in (home / "landing").rglob("*.*")) == files


def test_status_counts_what_is_there(home: Path) -> None:
    status = run(home, "hm", "status")
    purchases = query(home, "SELECT count(*) FROM raw.transactions")[0][0]
    assert status.returncode == 0
    assert f"{purchases:,} purchases in 8 weeks" in status.stdout
    assert f"{WEEK}" in status.stdout


def test_status_lists_every_file_with_what_is_known_of_it(home: Path) -> None:
    listed = run(home, "hm", "status", "--files")
    assert listed.returncode == 0
    index = query(
        home,
        "SELECT uri, state, size, first_day, last_day, rows, rows_loaded, rows_quarantined, "
        "rows_held, content_hash FROM raw.landed_files ORDER BY uri",
    )
    lines = [line.split("\t") for line in listed.stdout.splitlines() if "\t" in line]
    assert lines[0][0] == "uri"
    assert lines[1:] == [["-" if v is None else str(v) for v in row] for row in index]


def test_recommend_shows_names_and_sources(home: Path) -> None:
    customer, article = query(
        home,
        "SELECT customer_id, article_id FROM serving.recommendations WHERE rank = 1 LIMIT 1",
    )[0]
    shown = run(home, "hm", "recommend", customer, "-k", "3", COLUMNS="200")
    assert shown.returncode == 0
    assert article in shown.stdout
    assert len([line for line in shown.stdout.splitlines() if "│" in line]) == 3


def test_export_writes_what_is_published(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "recommendations.parquet"
    assert run(home, "hm", "export", "recommendations", "--out", str(out)).returncode == 0
    table = pq.read_table(out)
    assert table.column_names == [
        "week", "customer_id", "rank", "article_id", "score", "source", "model_version",
    ]  # fmt: skip
    assert table.num_rows == query(home, "SELECT count(*) FROM serving.recommendations")[0][0]

    submission = tmp_path / "submission.csv"
    done = run(
        home, "hm", "export", "recommendations", "--format", "kaggle", "--out", str(submission)
    )
    assert done.returncode == 0
    with submission.open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["customer_id", "prediction"]
    articles = rows[0]["prediction"].split(" ")
    assert len(articles) == 12
    assert all(len(article) == 10 and article.startswith("0") for article in articles)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("build", "--week", "2018-11-08"), "the week that holds it is 2018-11-07"),
        (("build", "--week", "soon"), "YYYY-MM-DD"),
        (("build", "--week", "2018-12-26"), "no purchases of week 2018-12-26 have landed"),
        (("build", "--week", "2018-09-19"), "one to train on and one to validate on"),
        (("recommend", "nobody"), "no customer 'nobody'"),
        (("recommend", "nobody", "--week", "2018-10-31"), "nothing is published for week"),
        (("export", "recommendations", "--out", "a.xlsx"), "--format"),
        (("export", "recommendations", "--out", "no/such/folder/a.csv"), "there is no folder"),
        (("land", "complete-journey"), "already holds the data set"),
        (("land", "kaggle", "nowhere"), "nowhere"),
    ],
)
def test_a_wrong_argument_ends_with_one_clear_line(
    home: Path, command: tuple[str, ...], says: str
) -> None:
    assert says in one_line(run(home, "hm", *command)).replace("\n", " ")


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"HM_TRAIN_WEKS": "3"}, "unknown setting HM_TRAIN_WEKS"),
        ({"HM_TRAIN_WEEKS": "none"}, "HM_TRAIN_WEEKS='none'"),
        ({"HM_FIRST_WEEK": "2018-13-01"}, "HM_FIRST_WEEK='2018-13-01'"),
        ({"HM_NOTIFY": "mail"}, "HM_NOTIFY: must be console, "),
    ],
)
def test_a_wrong_setting_ends_with_one_clear_line(
    home: Path, setting: dict[str, str], says: str
) -> None:
    assert says in one_line(run(home, "hm", "status", **setting))


def test_an_empty_home_says_how_to_begin(tmp_path: Path) -> None:
    home = tmp_path / "data"
    assert "hm land complete-journey" in one_line(run(home, "hm", "build"))
    assert "hm build" in one_line(run(home, "hm", "recommend", "1"))
    assert "run `hm build`" in run(home, "hm", "status").stdout
