"""Notices as messages of a Slack channel, by an incoming webhook.

Who knows a webhook's address can write to the channel. It is kept as a secret, and what requests
says when something fails is never passed on, since the address is part of most of it.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from hm_platform.notifying.notice import DeliveryError, Notice, cut, timeouts

MESSAGE_CHARACTERS = 4_000
"""Slack's advice for the text of a message; it splits longer ones, and drops what is after 40,000.

https://docs.slack.dev/changelog/2018-04-truncating-really-long-messages
"""

URLLIB3_LOGGERS = ("urllib3.connectionpool", "urllib3.poolmanager", "urllib3.util.retry")
"""Those that name the path or the whole of an address in what they log."""


@dataclass(frozen=True)
class SlackWebhook:
    """An incoming webhook of Slack, or of something else that takes the same messages."""

    address: SecretStr

    def send(self, notice: Notice, timeout_s: float) -> None:
        """Post the notice. ``timeout_s``: seconds to wait for an answer. Raises DeliveryError."""
        # Settings are read by each command, and few of them send anything.
        import requests

        try:
            with (
                _no_address_logged(),
                requests.post(
                    self.address.get_secret_value(),
                    json={"text": message(notice)},
                    timeout=timeouts(timeout_s),
                    # A notice is for this address only; and a POST is redirected as a GET.
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                if not 200 <= response.status_code < 300:
                    answer = next(response.iter_content(100), b"")
                    raise DeliveryError.of_status(response.status_code, _error_name(answer))
        except requests.ReadTimeout:
            # It may have been taken; and whoever waits for this has waited long enough.
            raise DeliveryError(f"no answer within {timeout_s:g} s", passing=False) from None
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            # The class is the one part of an error that holds no address.
            reason = f"the connection failed ({type(error).__name__})"
            raise DeliveryError(reason, passing=True) from None
        except requests.RequestException as error:
            reason = f"no request can be made ({type(error).__name__})"
            raise DeliveryError(reason, passing=False) from None
        except OSError:
            raise DeliveryError("the file of certificates cannot be read", passing=False) from None
        except ValueError:
            # From urllib3, which requests does not always translate.
            raise DeliveryError(
                "its host or the proxy's has no valid name", passing=False
            ) from None


def message(notice: Notice) -> str:
    """The notice in Slack's markup, with nothing in it that Slack takes for a link or a mention."""
    escaped = f"*{_escaped(notice.heading)}*"
    if notice.text.strip():
        escaped += f"\n{_escaped(notice.text)}"
    short = cut(escaped, MESSAGE_CHARACTERS)
    if short != escaped:
        # What was cut in the middle is no escape any more.
        short = re.sub(r"&[a-z]* …$", " …", short)
    return short


def _escaped(text: str) -> str:
    """The three characters that Slack's markup asks to be escaped, and no others."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _error_name(answer: bytes) -> str:
    """What Slack names an error, such as no_service; nothing where the answer is anything else.

    Another server's page may well hold the address that it was asked for.
    """
    name = answer.decode("ascii", "replace").strip()
    return name if re.fullmatch(r"[a-z]+(_[a-z]+)+", name) else ""


@contextmanager
def _no_address_logged() -> Iterator[None]:
    """Keep urllib3 from logging requests of this thread, which it does with their paths."""
    thread = threading.get_ident()

    def is_of_another(record: logging.LogRecord) -> bool:
        return record.thread not in (thread, None)

    loggers = [logging.getLogger(name) for name in URLLIB3_LOGGERS]
    for logger in loggers:
        logger.addFilter(is_of_another)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(is_of_another)
