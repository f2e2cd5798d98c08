from __future__ import annotations

import logging
import time
from collections.abc import Callable

import pytest

from hm_platform.notifying import Notice, notify
from hm_platform.notifying.slack import MESSAGE_CHARACTERS, message
from tests.notifying.conftest import SECRET, Receiver, leading_to

NOTICE = Notice("week 2020-09-16 is not built", "A check failed.\nThe run was stopped.", "error")
SHOWN = "error: week 2020-09-16 is not built\n  A check failed.\n  The run was stopped.\n"
AT_ONCE = (0.0, 0.0)
FAILED = "the notice 'week 2020-09-16 is not built' could not be delivered: "


def test_a_webhook_gets_the_notice(
    receiver: Receiver, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    notify(NOTICE, leading_to(receiver.webhook))
    assert receiver.messages == [
        {"text": "*error: week 2020-09-16 is not built*\nA check failed.\nThe run was stopped."}
    ]
    assert capsys.readouterr().err == ""
    assert caplog.records == []


@pytest.mark.parametrize("passing", [500, 503, 429])
def test_what_may_pass_is_tried_again(
    receiver: Receiver, passing: int, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.statuses = [passing, passing, 200]
    notify(NOTICE, leading_to(receiver.webhook), pauses_s=AT_ONCE)
    assert len(receiver.bodies) == 3
    assert capsys.readouterr().err == ""


def test_what_does_not_pass_ends_on_the_console(
    receiver: Receiver, capsys: pytest.CaptureFixture[str], warned: Callable[[], list[str]]
) -> None:
    receiver.statuses = [500]
    notify(NOTICE, leading_to(receiver.webhook), pauses_s=AT_ONCE)
    assert len(receiver.bodies) == 3
    assert warned() == [f"{FAILED}HTTP status 500"]
    assert capsys.readouterr().err == SHOWN


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (404, b"no_service\n", "HTTP status 404, no_service"),
        # What names the address may not be repeated.
        (404, f"nothing at /services/{SECRET}".encode(), "HTTP status 404"),
        (302, b"", "HTTP status 302"),
        (400, b"\xff\x00", "HTTP status 400"),
    ],
)
def test_a_refusal_is_not_tried_again(
    receiver: Receiver,
    status: int,
    answer: bytes,
    said: str,
    warned: Callable[[], list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    receiver.statuses, receiver.answer = [status], answer
    notify(NOTICE, leading_to(receiver.webhook), pauses_s=AT_ONCE)
    assert len(receiver.bodies) == 1
    assert warned() == [f"{FAILED}{said}"]
    assert capsys.readouterr().err == SHOWN


def test_a_server_that_hangs_is_left_after_the_timeout(
    receiver: Receiver, warned: Callable[[], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.hangs = True
    started = time.monotonic()
    notify(NOTICE, leading_to(receiver.webhook), timeout_s=0.1, pauses_s=AT_ONCE)
    assert time.monotonic() - started < 5
    assert len(receiver.bodies) == 1
    assert warned() == [f"{FAILED}no answer within 0.1 s"]
    assert capsys.readouterr().err == SHOWN


def test_a_server_that_is_gone_is_tried_again(
    receiver: Receiver,
    warned: Callable[[], list[str]],
    capsys: pytest.CaptureFixture[str],
    pauses: list[float],
) -> None:
    settings = leading_to(receiver.webhook)
    receiver.stop()
    notify(NOTICE, settings, pauses_s=(0.25, 0.5))
    assert pauses == [0.25, 0.5]
    assert warned() == [f"{FAILED}the connection failed (ConnectionError)"]
    assert capsys.readouterr().err == SHOWN


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("REQUESTS_CA_BUNDLE", "/nowhere/certificates.pem", "the file of certificates"),
        ("HTTPS_PROXY", "http://127.0.0.1:1", "the connection failed (ProxyError)"),
        ("HTTPS_PROXY", "http://[broken", "no request can be made (InvalidURL)"),
    ],
)
def test_a_broken_environment_does_not_raise(
    variable: str,
    value: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    warned: Callable[[], list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(variable, value)
    # Never reached: the file is looked for, and the proxy asked, before anything is looked up.
    address = f"https://hooks.slack.example/{SECRET}"
    caplog.set_level(logging.DEBUG)
    notify(NOTICE, leading_to(address), pauses_s=())
    assert warned()[0].startswith(f"{FAILED}{said}")
    assert SECRET not in caplog.text
    assert capsys.readouterr().err == SHOWN


@pytest.mark.parametrize("statuses", [[200], [500], [404], [302]])
def test_no_log_has_the_address(
    receiver: Receiver,
    statuses: list[int],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.statuses = statuses
    settings = leading_to(receiver.webhook)
    notify(NOTICE, settings, pauses_s=AT_ONCE)
    receiver.stop()
    notify(NOTICE, settings, pauses_s=AT_ONCE)
    assert "dontTellAnyone" not in caplog.text
    assert "dontTellAnyone" not in "".join(capfd.readouterr())
    # Other requests are logged as before.
    logging.getLogger("urllib3.connectionpool").debug("another request")
    assert caplog.messages[-1] == "another request"


def test_slacks_markup_is_escaped_and_nothing_else() -> None:
    notice = Notice('<!channel> "a" & b', "1 < 2 > 0 &amp; 'c' é", "info")
    assert message(notice) == (
        "*info: &lt;!channel&gt; \"a\" &amp; b*\n1 &lt; 2 &gt; 0 &amp;amp; 'c' é"
    )


def test_a_heading_has_one_line_and_an_empty_text_none() -> None:
    assert message(Notice("a\nb\t c", " \n", "warning")) == "*warning: a b c*"


@pytest.mark.parametrize("offset", range(6))
def test_long_texts_are_cut_between_characters(offset: int) -> None:
    cut = message(Notice("s", "x" * offset + "&" * MESSAGE_CHARACTERS, "info"))
    assert MESSAGE_CHARACTERS - 10 < len(cut) <= MESSAGE_CHARACTERS
    body = cut.removeprefix("*info: s*\n" + "x" * offset).removesuffix(" …")
    assert body == "&amp;" * (len(body) // 5)


def test_a_text_that_just_fits_is_whole() -> None:
    head = "*info: s*\n"
    fits = "x" * (MESSAGE_CHARACTERS - len(head))
    assert message(Notice("s", fits, "info")) == head + fits
