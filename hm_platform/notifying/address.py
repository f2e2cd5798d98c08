"""From the value of HM_NOTIFY to a channel. What is refused is refused without being repeated."""

from __future__ import annotations

import ipaddress
import re
from importlib.util import find_spec
from urllib.parse import urlsplit

from pydantic import SecretStr

from hm_platform.notifying.console import Console
from hm_platform.notifying.notice import Channel
from hm_platform.notifying.slack import SlackWebhook
from hm_platform.notifying.sns import NEEDS_BOTO3, SnsTopic

CHOICES = (
    "must be console, the https:// address of a Slack incoming webhook, or the ARN of a standard "
    "SNS topic, arn:aws:sns:REGION:ACCOUNT:TOPIC"
)

TOPIC_ARN = re.compile(
    r"arn:aws(-[a-z]+)*:sns:[a-z]+(-[a-z]+)+-[0-9]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}"
)
HOST = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9-]{1,63}\.?")


def channel_of(address: str) -> Channel:
    """The channel with this address.

    Raises ValueError for what is none, or for one that a missing package keeps from being used; its
    message does not have the address, which may be a secret.
    """
    if address == "console":
        return Console()
    if address.startswith("arn:"):
        if TOPIC_ARN.fullmatch(address) is None:
            raise ValueError(CHOICES)
        if find_spec("boto3") is None:
            raise ValueError(NEEDS_BOTO3)
        return SnsTopic(address)
    _check_webhook(address)
    return SlackWebhook(SecretStr(address))


def _check_webhook(address: str) -> None:
    """Raises ValueError for what is no address of a webhook, or one that would show the secret."""
    # Some parsers drop these characters, and would then see another address than others do.
    if not address.isascii() or re.search(r"[\x00-\x20\x7f\\]", address):
        raise ValueError(CHOICES)
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(CHOICES) from None
    ip = _ip(host)
    if (
        parts.scheme not in ("http", "https")
        or "@" in parts.netloc
        or port == 0
        or (ip is None and HOST.fullmatch(host) is None)
    ):
        raise ValueError(CHOICES)
    local = host == "localhost" if ip is None else ip.is_loopback
    if parts.scheme == "http" and not local:
        raise ValueError("a webhook's address starts with https://; http:// is for this machine")


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
