"""The errors that the landing package raises on purpose."""

from __future__ import annotations

from hm_platform.errors import PlatformError


class LandingError(PlatformError):
    """Something about the landing zone, or what is to land there, that a person has to put right.

    The message is one line for that person: what is wrong, where, and what to do.
    """


class ColumnsError(LandingError):
    """A file none of whose columns is its data set's: nobody can tell what a row of it is.

    columns : the columns that it has, and their types
    """

    def __init__(self, message: str, columns: tuple[tuple[str, str], ...]) -> None:
        super().__init__(message)
        self.columns = columns


class ForbiddenError(PermissionError):
    """A file of a zone that was listed, which these credentials may not read.

    altogether : what to raise where that is true of every file
    """

    def __init__(self, message: str, altogether: PlatformError) -> None:
        super().__init__(message)
        self.altogether = altogether
