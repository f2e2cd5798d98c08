"""A proxy between a client and an S3 server on loopback.

It keeps a log of the requests, and does to some of them what networks and busy servers do.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import unquote

WAIT_S = 60.0
"""How long a request is held at most, so that a test that fails does not hang."""


@dataclass
class Request:
    """A request as it came.

    path : without the query, unquoted
    headers : by names in lower case
    status : what was answered, 0 where nothing was
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    status: int = 0

    @property
    def key_id(self) -> str:
        """The access key that it is signed with."""
        found = re.search(r"Credential=([^/]+)/", self.headers.get("authorization", ""))
        return found[1] if found else ""


@dataclass
class Fault:
    """What is done to requests; the default is nothing.

    answer : this status and S3 error code, instead of asking the server
    lose : nothing is answered, after the server was asked, and the connection is closed
    drop : the same, and the server is not asked
    cut_after, reset_after : the answer ends after so many bytes of its body
    before, amid : called before the server is asked, and after half of the answer's body was sent
    """

    answer: tuple[int, str] | None = None
    lose: bool = False
    drop: bool = False
    cut_after: int | None = None
    reset_after: int | None = None
    before: Callable[[], object] | None = None
    amid: Callable[[], object] | None = None


@dataclass
class Rule:
    """A fault, and the requests that it happens to: of a method, a part of their path and query
    that matches, the first ``times`` after the first ``skip``."""

    method: str
    pattern: str
    fault: Fault
    times: int = 1_000_000
    skip: int = 0
    happened: int = 0

    def takes(self, request: Request) -> bool:
        address = f"{request.path}?{request.query}"
        if request.method != self.method or not re.search(self.pattern, address):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.happened >= self.times:
            return False
        self.happened += 1
        return True


@dataclass
class Proxy:
    """A running proxy.

    upstream : host and port of the server
    """

    upstream: tuple[str, int]
    requests: list[Request] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    endpoint: str = ""

    def on(
        self, method: str, pattern: str, fault: Fault, times: int = 1_000_000, skip: int = 0
    ) -> Rule:
        """Have a fault happen to requests; rules that were added first come first."""
        rule = Rule(method, pattern, fault, times, skip)
        self.rules.append(rule)
        return rule

    def sent(self, method: str, pattern: str = "") -> list[Request]:
        """The requests of a method whose path and query match."""
        with self.lock:
            return [
                each
                for each in self.requests
                if each.method == method and re.search(pattern, f"{each.path}?{each.query}")
            ]

    def note(self, request: Request) -> Fault:
        """Log a request, and say what is to happen to it."""
        with self.lock:
            self.requests.append(request)
            return next((rule.fault for rule in self.rules if rule.takes(request)), Fault())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    proxy: ClassVar[Proxy]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, unquote(path), query, headers)
        fault = self.proxy.note(request)
        if fault.before:
            fault.before()
        if fault.drop:
            self.close_connection = True
            return
        if fault.answer is not None:
            request.status = fault.answer[0]
            self._refuse(*fault.answer)
            return
        connection = HTTPConnection(*self.proxy.upstream, timeout=WAIT_S)
        try:
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if fault.lose:
            self.close_connection = True
            return
        request.status = answer.status
        self._answer(answer, content, fault)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _serve  # noqa: N815

    def _refuse(self, status: int, code: str) -> None:
        text = f"<Error><Code>{code}</Code><Message>{code} happened</Message></Error>".encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(0 if self.command == "HEAD" else len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def _answer(self, answer: HTTPResponse, content: bytes, fault: Fault) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") or str(len(content))
        self.send_header("Content-Length", length)
        self.end_headers()
        end = fault.cut_after if fault.cut_after is not None else fault.reset_after
        if end is not None:
            self.wfile.write(content[:end])
            self.wfile.flush()
            if fault.reset_after is not None:
                # Closed like this, the other side is told at once that the connection is gone.
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            return
        half = len(content) // 2
        self.wfile.write(content[:half])
        if fault.amid:
            self.wfile.flush()
            fault.amid()
        self.wfile.write(content[half:])


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is none of the proxy's business."""


@contextmanager
def running(upstream: tuple[str, int]) -> Iterator[Proxy]:
    """A proxy before a server, stopped on the way out."""
    proxy = Proxy(upstream)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": proxy}))
    proxy.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
