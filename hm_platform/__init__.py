"""hm_platform: a shop's transactions in, tested and published recommendations out, every week.

This module holds the version and nothing else: importing it has no side effects.
"""

__version__ = "0.1.0"
