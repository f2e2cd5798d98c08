"""Notices to the people who run the platform: one hook, and the channel that HM_NOTIFY names.

A part of the platform that has something to say calls ``notify`` and knows nothing of channels;
nothing here knows of Dagster.
"""

from hm_platform.notifying.delivery import notify
from hm_platform.notifying.notice import Notice, Severity

__all__ = ["Notice", "Severity", "notify"]
