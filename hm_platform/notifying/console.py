"""Notices on standard error, for whoever is watching, or for the service that keeps it."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass

from hm_platform.notifying.notice import Notice


@dataclass(frozen=True)
class Console:
    """The default: a line for the subject, and the text below it, indented."""

    def send(self, notice: Notice, timeout_s: float) -> None:
        """Never fails: where standard error is closed, there is nobody left to tell."""
        lines = [notice.heading, *(f"  {line}".rstrip() for line in notice.text.splitlines())]
        with suppress(OSError, ValueError):
            print("\n".join(lines), file=sys.stderr, flush=True)
