"""`hm backtest` as a user types it, in a process of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.shop import query, run

TOO_EARLY, BUILT, LAST = "2018-09-26", "2018-10-03", "2018-10-10"


@pytest.fixture(scope="module")
def backtested(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A home in which nothing was built before, and what the command said."""
    folder = tmp_path_factory.mktemp("backtest")
    (folder / ".env").write_text(f"HM_LANDING={home / 'landing'}\n")
    mine = folder / "data"
    return mine, run(mine, "hm", "backtest", "--from", TOO_EARLY, "--to", LAST, COLUMNS="140")


def test_the_failed_week_is_named_and_the_others_are_scored(
    backtested: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    _, done = backtested
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    *progress, said = done.stderr.strip().splitlines()
    assert said == f"hm: 1 of 3 weeks failed: {TOO_EARLY} (why is said above)"
    assert any(f"week {TOO_EARLY} failed: week {TOO_EARLY} has no two" in line for line in progress)
    order = [line for line in progress if line.startswith("week ") and " of 3: " in line]
    assert order == [f"week 2 of 3: {BUILT}", f"week 3 of 3: {LAST}"]
    rows = [line for line in done.stdout.splitlines() if line.startswith("│")]
    assert [row.split("│")[1].strip() for row in rows] == [BUILT, LAST]
    assert all(row.count("0.") >= 3 for row in rows)


def test_scores_and_drift_are_there_and_nothing_is_published(
    backtested: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    mine, _ = backtested
    for table in ("behavioral_report", "drift", "score_trend"):
        weeks = query(mine, f"SELECT DISTINCT week::VARCHAR FROM evaluation.{table} ORDER BY 1")
        assert [week for (week,) in weeks] == [BUILT, LAST], table
    schemas = query(mine, "SELECT DISTINCT table_schema FROM information_schema.tables")
    assert ("serving",) not in schemas
    page = (mine / "reports" / "trend.html").read_text("utf-8")
    assert BUILT in page
    assert LAST in page
    status = run(mine, "hm", "status")
    assert status.returncode == 0, status.stderr


def test_a_wrong_range_ends_with_one_clear_line(home: Path) -> None:
    done = run(home, "hm", "backtest", "--from", LAST, "--to", BUILT)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"hm: --from {LAST} is after --to {BUILT}: the older week comes first"
    )
