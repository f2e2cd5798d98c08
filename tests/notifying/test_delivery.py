from __future__ import annotations

import io

import pytest

from hm_platform.notifying import Notice, notify
from tests.notifying.conftest import leading_to


@pytest.mark.parametrize(
    ("notice", "shown"),
    [
        (Notice("week 2020-09-16 is published", "", "info"), "info: week 2020-09-16 is published"),
        (
            Notice("two\nlines", "first\n\n  second\n", "warning"),
            "warning: two lines\n  first\n\n    second",
        ),
    ],
)
def test_the_console_shows_a_notice(
    notice: Notice, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    notify(notice, leading_to("console"))
    assert capsys.readouterr() == ("", f"{shown}\n")


def test_a_console_that_is_closed_does_not_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr("sys.stderr", closed)
    notify(Notice("s", "t", "info"), leading_to("console"))
