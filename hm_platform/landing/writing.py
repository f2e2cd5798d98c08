"""Putting files into the landing zone: whole or not at all, and only where something changes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

BLOCK = 1 << 20


@dataclass(frozen=True)
class Landed:
    """What a ``hm land`` command did.

    name : the data set
    written, unchanged, removed : uris of files that were written (new or with other content), that
        were there already with the very same bytes, and that no longer belong to the data set
    rows : transactions that lie in the zone now
    first_day, last_day : days of the first and the last of them; None when there are none
    """

    name: str
    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]
    rows: int
    first_day: date | None
    last_day: date | None


@dataclass
class Tally:
    """Collects, file by file, what happened to the zone at ``root``."""

    root: Path
    written: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    def note(self, path: Path, changed: bool) -> None:
        """Count a file that belongs to the data set."""
        uri = path.relative_to(self.root).as_posix()
        (self.written if changed else self.unchanged).append(uri)

    def remove_others(self, paths: Iterable[Path]) -> None:
        """Delete those of ``paths`` that were not noted: left by a landing with other arguments."""
        kept = {*self.written, *self.unchanged}
        for path in sorted(paths):
            uri = path.relative_to(self.root).as_posix()
            if uri not in kept:
                path.unlink(missing_ok=True)
                self.removed.append(uri)

    def landed(self, name: str, rows: int, first: date | None, last: date | None) -> Landed:
        return Landed(
            name,
            tuple(self.written),
            tuple(self.unchanged),
            tuple(self.removed),
            rows,
            first,
            last,
        )


@dataclass
class Replacement:
    """A file being written under ``temporary``; ``changed`` is set when it has taken its place."""

    temporary: Path
    changed: bool = False


@contextmanager
def replacing(path: Path) -> Iterator[Replacement]:
    """Write ``path`` through a temporary file beside it.

    The block writes to ``temporary``. When it ends well, the file takes its place in one step,
    unless the bytes there are the same already: then they, and their times, stay. When the block
    fails, the temporary file goes and ``path`` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The process id keeps two landings at once from writing into one temporary file.
    replacement = Replacement(path.with_name(f".{path.name}.{os.getpid()}.tmp"))
    try:
        yield replacement
        if not _same_bytes(path, replacement.temporary):
            os.replace(replacement.temporary, path)
            replacement.changed = True
    finally:
        replacement.temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> bool:
    """Make ``path`` hold ``content``; True when that changed it."""
    with replacing(path) as replacement:
        replacement.temporary.write_bytes(content)
    return replacement.changed


def _same_bytes(left: Path, right: Path) -> bool:
    if not left.is_file() or left.stat().st_size != right.stat().st_size:
        return False
    with left.open("rb") as one, right.open("rb") as other:
        while block := one.read(BLOCK):
            if block != other.read(BLOCK):
                return False
    return True
