"""The base of all errors that a user can mend: each says what is wrong, where, and what to do."""

from __future__ import annotations


class PlatformError(Exception):
    """An error with a message for the person at the keyboard; no traceback helps with it."""
