"""Whether it is a few files that may not be read, or whether those who read may read none.

In a bucket both are told with the same words, file by file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hm_platform.landing.errors import ForbiddenError
from hm_platform.landing.zone import LandedFile

ASKED = 10
"""How many files that were read once are asked for, where all that are to be read are refused."""


@dataclass
class Access:
    """What one look through a landing zone finds out about it.

    read : uris of the files that were to be read
    forbidden : those of them that were refused
    untouched : files that are loaded, and were not to be read
    """

    read: set[str] = field(default_factory=set)
    forbidden: dict[str, ForbiddenError] = field(default_factory=dict)
    untouched: list[LandedFile] = field(default_factory=list)

    def require_some(self) -> None:
        """Raises what a refused file tells to do where no file may be read."""
        if not self.forbidden or len(self.forbidden) < len(self.read):
            return
        if not any(_may_be_read(file) for file in self.untouched[:ASKED]):
            raise next(iter(self.forbidden.values())).altogether


def _may_be_read(file: LandedFile) -> bool:
    try:
        file.is_as_listed()
    except OSError:
        return False
    return True
