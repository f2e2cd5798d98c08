"""What is said, and what every channel that says it has in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True)
class Notice:
    """Something that a person should know: what it is in a few words, and the whole of it."""

    subject: str
    text: str
    severity: Severity

    @property
    def heading(self) -> str:
        """The severity and the subject, on one line whatever the subject holds."""
        return " ".join(f"{self.severity}: {self.subject}".split())


class DeliveryError(Exception):
    """A channel has not taken a notice. The message says why, and never where the channel is.

    ``passing`` says that another try, soon after, may fare better.
    """

    def __init__(self, reason: str, *, passing: bool) -> None:
        super().__init__(reason)
        self.passing = passing

    @classmethod
    def of_status(cls, status: int, said: str) -> DeliveryError:
        """For an answer with this HTTP status, none of 2xx, and what was said with it, if at all.

        A channel that is overloaded or broken may recover; one that refuses will refuse again.
        """
        reason = f"HTTP status {status}" + (f", {said}" if said else "")
        return cls(reason, passing=status == 429 or status >= 500)


class Channel(Protocol):
    """A place to which notices go."""

    def send(self, notice: Notice, timeout_s: float) -> None:
        """Try once. ``timeout_s``: seconds to wait for an answer. Raises DeliveryError."""
        ...


CONNECT_S = 3.0
"""Seconds to wait for a connection: one that is possible is made at once, and it is tried again."""


def timeouts(timeout_s: float) -> tuple[float, float]:
    """Seconds to wait for a connection, and then for an answer."""
    return min(CONNECT_S, timeout_s), timeout_s


def cut(text: str, characters: int, end: str = " …") -> str:
    """The text, or its start and ``end`` where it has more than so many characters."""
    return text if len(text) <= characters else text[: characters - len(end)] + end
