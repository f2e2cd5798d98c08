"""A server that speaks S3 (and SNS and SQS) as AWS does, on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from moto.server import ThreadedMotoServer


@contextmanager
def serving() -> Iterator[tuple[str, int]]:
    """Host and port of a server of one's own, which is stopped at the end."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield server.get_host_and_port()
    finally:
        server.stop()


@contextmanager
def serving_at() -> Iterator[str]:
    """The same, by its URL."""
    with serving() as (host, port):
        yield f"http://{host}:{port}"
