"""Delivering a notice: to the channel of the settings, and to the console where that fails.

What is worth a notice has happened already. Whether it can be told must neither stop nor hold up
what comes after.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hm_platform.notifying.address import channel_of
from hm_platform.notifying.console import Console
from hm_platform.notifying.notice import Channel, DeliveryError, Notice

if TYPE_CHECKING:
    from hm_platform.settings import Settings

log = logging.getLogger(__name__)

TIMEOUT_S = 10.0
"""Seconds to wait for a channel's answer."""

PAUSES_S = (1.0, 3.0)
"""Seconds before each further try; Slack takes about one message a second."""


def notify(
    notice: Notice,
    settings: Settings,
    *,
    timeout_s: float = TIMEOUT_S,
    pauses_s: Sequence[float] = PAUSES_S,
) -> None:
    """Deliver a notice to the channel of HM_NOTIFY, or else to the console.

    Never raises for a channel that fails. It is tried again after each pause while it cannot be
    reached, is overloaded or is broken, and not where it refuses the notice or does not answer.
    Where it has not taken the notice, a warning in the log says why and the console shows it.

    Parameters
    ----------
    timeout_s : seconds to wait for each answer
    pauses_s : seconds before the second try, the third, and so on; () for one try only
    """
    try:
        _deliver(notice, channel_of(settings.notify.get_secret_value()), timeout_s, pauses_s)
    except DeliveryError as error:
        log.warning("the notice %r could not be delivered: %s", notice.subject, error)
        Console().send(notice, timeout_s)


def _deliver(notice: Notice, channel: Channel, timeout_s: float, pauses_s: Sequence[float]) -> None:
    """Raises the DeliveryError of the last try."""
    for pause_s in pauses_s:
        try:
            channel.send(notice, timeout_s)
        except DeliveryError as error:
            if not error.passing:
                raise
            time.sleep(pause_s)
        else:
            return
    channel.send(notice, timeout_s)
