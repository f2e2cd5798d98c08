"""Who is told when `hm build` fails. The build itself is played."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from hm_platform import building
from hm_platform.building import BuildError, NotPassedError
from hm_platform.cli import telling
from hm_platform.cli.main import app
from hm_platform.errors import PlatformError
from hm_platform.notifying import Notice
from hm_platform.running import RunFailedError
from hm_platform.settings import Settings
from tests.home import week

WEBHOOK = "https://hooks.slack.com/services/T0/B0/x"
FAILED = RunFailedError("building week 2018-10-10 failed: no space left\n(run abc)")
NOT_PASSED = NotPassedError(week(3), "accuracy: -0.05")


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Notice]:
    told: list[Notice] = []

    def take(notice: Notice, settings: Settings) -> None:
        told.append(notice)

    monkeypatch.setattr(telling, "notify", take)
    monkeypatch.setattr("hm_platform.cli.board.print_board", lambda settings, week: None)
    monkeypatch.setenv("HM_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return told


def build(monkeypatch: pytest.MonkeyPatch, ends_with: PlatformError, notify: str) -> None:
    def build(*_: object) -> None:
        raise ends_with

    monkeypatch.setattr(building, "build", build)
    monkeypatch.setenv("HM_NOTIFY", notify)
    assert CliRunner().invoke(app, ["build"]).exception is ends_with


@pytest.mark.parametrize(
    ("error", "subject"),
    [(FAILED, "`hm build` failed"), (NOT_PASSED, f"the model of week {week(3)} did not pass")],
)
def test_a_build_that_fails_is_told_with_its_reason(
    told: list[Notice], monkeypatch: pytest.MonkeyPatch, error: PlatformError, subject: str
) -> None:
    build(monkeypatch, error, WEBHOOK)
    assert [notice.subject for notice in told] == [subject]
    assert told[0].text.startswith(f"{error}\n")


def test_the_console_has_the_error_already(
    told: list[Notice], monkeypatch: pytest.MonkeyPatch
) -> None:
    build(monkeypatch, FAILED, "console")
    assert told == []


def test_who_asks_for_what_cannot_be_built_is_told_by_the_command_alone(
    told: list[Notice], monkeypatch: pytest.MonkeyPatch
) -> None:
    build(monkeypatch, BuildError("no landed week is complete yet"), WEBHOOK)
    assert told == []
