"""Servers on this machine that take notices, or fail to, and settings that lead to them."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hm_platform.settings import Settings

SECRET = "T0AAA/B0BBB/dontTellAnyone7"  # noqa: S105
"""The part of a webhook's address that nobody may see."""


class Receiver:
    """A web server that answers with each of ``statuses`` in turn, then with the last of them."""

    def __init__(self) -> None:
        self.statuses = [200]
        self.answer = b"ok"
        self.hangs = False
        self.bodies: list[bytes] = []
        self.released = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                if receiver.hangs:
                    receiver.released.wait(30)
                    return
                statuses = receiver.statuses
                self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
                self.send_header("Content-Length", str(len(receiver.answer)))
                self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/else")
                self.end_headers()
                self.wfile.write(receiver.answer)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def webhook(self) -> str:
        return f"{self.root}/services/{SECRET}"

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]

    def stop(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    started.stop()


@pytest.fixture(autouse=True)
def _nothing_of_the_person_who_runs_tests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No proxy, no .env, and credentials that are good for nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_SNS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made between tries, in seconds; none of them takes any time."""
    made: list[float] = []
    monkeypatch.setattr("hm_platform.notifying.delivery.time", SimpleNamespace(sleep=made.append))
    return made


@pytest.fixture
def warned(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What delivering has logged so far; the servers of the tests log too, when they like."""

    def messages() -> list[str]:
        records = [r for r in caplog.records if r.name.startswith("hm_platform.")]
        assert all(r.levelno == logging.WARNING for r in records)
        return [r.getMessage() for r in records]

    return messages


def leading_to(address: str) -> Settings:
    """Settings whose notices go there."""
    return Settings(notify=address)  # type: ignore[arg-type]
