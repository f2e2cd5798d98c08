"""Costs as Dagster's record has them, in a table and as a page."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from dagster import AssetMaterialization, DagsterInstance, MetadataValue, job, op

from hm_platform.behaviour.cost_page import headline, render_costs, size
from hm_platform.cli import costs as command
from hm_platform.costs import Cost, Costs, cost_of, newest, read_costs
from hm_platform.settings import Settings
from tests.behaviour.pages import Checked
from tests.home import FIRST, week

AT = datetime(2018, 11, 14, tzinfo=UTC)


def cost(
    asset: str, number: int | None, seconds: float | None, run: str = "r", **more: float
) -> Cost:
    of_week = None if number is None else week(number)
    return Cost(asset, of_week, run, AT, seconds=seconds, **more)  # type: ignore[arg-type]


THREE = Costs(
    (
        *(
            cost(asset, number, took * (number + 1), bytes_read=2e6, bytes_written=1500.0,
                 peak_memory_bytes=3e8 + number)
            for number in range(3)
            for asset, took in (("features/<b>", 2.0), ("serving/publications", 120.0))
        ),
        cost("evaluation/score_trend", None, 1.5),
    )
)  # fmt: skip


def test_the_newest_of_each_week_counts_and_a_run_of_several_is_shared_out() -> None:
    found = newest(
        [
            cost("raw/t", 2, 5, "third"),
            *(cost("raw/t", n, 30, "second", bytes_read=90.0, peak_memory_bytes=7.0)
              for n in (0, 1, 2)),
            cost("raw/t", 0, 99, "first"),
        ]
    )  # fmt: skip
    assert {(c.week, c.seconds, c.bytes_read, c.weeks) for c in found} == {
        (week(2), 5, None, 1),
        (week(1), 10, 30, 3),
        (week(0), 10, 30, 3),
    }
    # Memory is not shared out.
    assert {c.peak_memory_bytes for c in found if c.weeks == 3} == {7}


def test_costs_are_read_back_from_the_record() -> None:
    @op
    def makes(context) -> None:  # type: ignore[no-untyped-def]
        for number, took in ((0, 1.0), (0, 2.5), (1, 4.0)):
            context.log_event(
                AssetMaterialization(
                    ["datasets", "train"],
                    partition=str(week(number)),
                    metadata={"seconds": took, "bytes_read": 10, "other": MetadataValue.md("x")},
                )
            )
        context.log_event(AssetMaterialization(["raw", "old"]))

    @job
    def made() -> None:
        makes()

    instance = DagsterInstance.ephemeral()
    assert made.execute_in_process(instance=instance).success
    found = read_costs(instance)
    assert [(c.asset, c.week, c.bytes_written) for c in found.each] == [
        ("datasets/train", week(0), None),
        ("datasets/train", week(1), None),
    ]
    # The run made two weeks.
    assert [c.seconds for c in found.each] == [1.25, 2.0]


def test_what_was_recorded_before_costs_were_has_none() -> None:
    assert cost_of("a/b", None, "r", 0.0, {"dagster/row_count": MetadataValue.int(3)}) is None


def test_weeks_are_those_that_are_built_and_the_longest_comes_first() -> None:
    loaded = Costs((cost("raw/transactions", 9, 1), *THREE.each))
    assert loaded.weeks == [week(0), week(1), week(2)]
    assert [c.asset for c in loaded.of(week(2))] == ["serving/publications", "features/<b>"]
    assert loaded.seconds(week(1)) == {"features": 4, "serving": 240}
    assert loaded.peak(week(1)) == 3e8 + 1
    assert Costs((cost("raw/transactions", 9, 1),)).weeks == [week(9)]


def test_the_page_is_whole_escaped_and_needs_nothing_from_outside() -> None:
    html = render_costs(THREE, "A <shop>")
    page = Checked(html)
    of_newest, by_week, without = page.tables
    assert of_newest[0] == ["Asset", "Seconds", "Read", "Written", "Peak memory"]
    assert [cell.strip() for cell in of_newest[1]] == [
        "serving/publications", "360", "2.0 MB", "1.5 kB", "300 MB",
    ]  # fmt: skip
    assert by_week[0] == ["Asset", str(week(2)), str(week(1)), str(week(0))]
    assert [cell.strip() for cell in by_week[1]] == ["features/<b>", "6.0", "4.0", "2.0"]
    assert without[1][0].strip() == "evaluation/score_trend"
    assert "<b>" not in html
    assert "A &lt;shop&gt;" in html
    assert not re.search(r"https?:|//|<script|@import|url\(", html.replace("http-equiv", ""))
    assert "prefers-color-scheme: dark" in html
    assert html == render_costs(Costs(THREE.each[::-1]), "A <shop>")


@pytest.mark.parametrize(
    "costs",
    [
        Costs(),
        Costs((cost("evaluation/score_trend", None, 1.5),)),
        Costs((cost("serving/publications", 0, None),)),
        Costs((cost("serving/publications", 0, 0.0), cost("serving/publications", 1, 0.0))),
    ],
    ids=["nothing", "no week", "no number", "zeros"],
)
def test_costs_that_lack_something_still_make_a_page(costs: Costs) -> None:
    Checked(render_costs(costs, "shop"))


def test_the_headline_says_what_took_longest() -> None:
    said = headline(THREE)
    assert "took 366 s, serving/publications the most of it: 360 s" in said
    assert "At most 300 MB of memory" in said
    assert "next build" in headline(Costs())


@pytest.mark.parametrize(
    ("bytes_", "said"),
    [
        (None, ""),
        (0, "0 B"),
        (999, "999 B"),
        (1500, "1.5 kB"),
        (123456, "123 kB"),
        (2.5e9, "2.5 GB"),
    ],
)
def test_sizes_read_well(bytes_: float | None, said: str) -> None:
    assert size(bytes_) == said


def test_the_command_prints_a_week_and_writes_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(home=tmp_path / "home", first_week=FIRST)
    monkeypatch.setattr(command, "dagster_instance", lambda _: DagsterInstance.ephemeral())
    with pytest.raises(command.NoCostsError, match="hm build"):
        command.print_costs(settings, None)
    monkeypatch.setattr(command, "read_costs", lambda instance: THREE)
    monkeypatch.setenv("COLUMNS", "200")
    command.print_costs(settings, str(week(1)))
    said = capsys.readouterr().out
    assert f"What week {week(1)} has cost" in said
    assert re.search(r"serving/publications .* 240 .* 2\.0 MB", said)
    assert (tmp_path / "home" / "reports" / "cost.html").exists()
    with pytest.raises(command.NoCostsError, match="nothing is known of what week 2018-12-26"):
        command.print_costs(settings, str(date(2018, 12, 26)))
