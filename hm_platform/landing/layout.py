"""How a CSV file is laid out, which its first line that is not blank tells."""

from __future__ import annotations

import codecs
import csv
from dataclasses import dataclass

from hm_platform.landing.columns import COLUMNS
from hm_platform.landing.content import BLOCK, first_lines
from hm_platform.landing.errors import LandingError
from hm_platform.landing.zone import LandedFile

DELIMITERS = ",;\t|"

TEXT = "text"
"""The type of every column of a CSV file."""


@dataclass(frozen=True)
class Layout:
    """How a CSV file is laid out.

    delimiter : one of DELIMITERS
    names : its columns, as it spells them but for case and blanks around
    skip : lines before the first data line
    header : the last of those, which names the columns
    """

    delimiter: str
    names: tuple[str, ...]
    skip: int
    header: str

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """The names with their type, which is text."""
        return tuple((name, TEXT) for name in self.names)


def read_layout(file: LandedFile) -> Layout:
    """The layout of the CSV file ``file``, from its first line that is not blank.

    Raises LandingError when that is no list of names.
    """
    skip, line, first = 0, b"", b""
    for line in first_lines(file):
        first = line if skip else line.removeprefix(codecs.BOM_UTF8)
        # A tab at an end stands beside a column without a name.
        first = first.strip(b" \n") if first.strip() else b""
        # A blank line may be so long that it comes in pieces.
        skip += bool(first) or line.endswith(b"\n")
        if first:
            break
    if first.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise LandingError("the file is UTF-16: save it as UTF-8")
    if len(line) >= BLOCK and not line.endswith(b"\n"):
        raise LandingError("the first line, which has to name the columns, does not end")
    text = first.decode("utf-8-sig", "replace")
    wanted = {column.name for column in COLUMNS[file.dataset]}
    layouts = []
    for delimiter in DELIMITERS:
        try:
            found = next(csv.reader([text], delimiter=delimiter))
        except csv.Error as error:
            raise LandingError(f"the first line has to name the columns: {error}") from None
        names = tuple(name.strip().lower() for name in found)
        layouts.append(Layout(delimiter, names, skip, text))
    return max(layouts, key=lambda layout: len(wanted & {*layout.names}))
