"""The bytes of a landed file, read as a stream: their hash, and whether DuckDB can take them as is.

What is in a file is decided by its bytes alone. Nothing here knows about columns or rows.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import BinaryIO, cast

from blake3 import blake3

from hm_platform.landing.errors import LandingError
from hm_platform.landing.zone import LandedFile

BLOCK = 1_000_000
"""Bytes read at once. A line that every block has an end of is shorter than two of them, which is
what DuckDB takes for a line by default."""

SEPARATOR = "\x01\x02\x03\x04"
"""A text that lines do not hold, so that DuckDB takes a line for one field."""

HASH = "blake3:"
"""How a hash of content begins. Of two algorithms, equal content would have two hashes."""

DAMAGE = "\ufffd\\x"
"""Begins what a plain copy has in the place of bytes that were no text: Unicode's own character for
that, and the bytes as ``\\xf6``."""

NO_TEXT = re.compile(rb"[\x80-\xc1\xf5-\xff]*")
"""Bytes that are no UTF-8 wherever they stand, but behind the beginning of a character."""

LINE_LIMIT = 500_000
"""The most characters of a line: at four bytes each, what DuckDB takes for a line by default."""


@dataclass(frozen=True)
class Content:
    """What one pass over a file's bytes tells.

    hash : ``blake3:`` and hex, of a ``.gz`` file's unpacked bytes, so it equals the plain file's
    empty : nothing but white space at most
    is_text : whether it is UTF-8 and has no SEPARATOR, so that a plain copy has the very same text
    has_quotes, has_underscores : whether any is a double quote, or a low line
    is_plain : UTF-8 with one kind of line end, no line of two megabytes, no SEPARATOR, and one
        member and no more, with a usual header, where it is gzipped: what DuckDB reads line by line
        without surprises
    """

    hash: str
    empty: bool
    is_text: bool
    has_quotes: bool
    has_underscores: bool
    is_plain: bool

    @classmethod
    def of(cls, hashed: str, traits: Iterable[str]) -> Content:
        """The content with this hash and these traits."""
        return cls(hashed, *(name in traits for name in _TRAITS))

    @property
    def traits(self) -> tuple[str, ...]:
        """What is true of it, by name."""
        return tuple(name for name in _TRAITS if getattr(self, name))


_TRAITS = tuple(field.name for field in fields(Content) if field.name != "hash")


class _Packed:
    """A gzipped stream that remembers its first four bytes, of which the last one says what its
    header holds, and its last four: the length of its content, where it has one member and nothing
    behind that (RFC 1952, section 2.3.1)."""

    NAME, EXTRA = 0x08, 0x04

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._first = self._last = b""

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self._first += block[: 4 - len(self._first)]
        self._last = (self._last + block)[-4:]
        return block

    def begins_as_usual(self) -> bool:
        """Whether its header holds nothing that DuckDB knows nothing of."""
        return len(self._first) > 3 and not self._first[3] & ~(self.NAME | self.EXTRA)

    def ends_after(self, length: int) -> bool:
        """Whether it says at its end that it unpacks to so many bytes."""
        return int.from_bytes(self._last, "little") == length % 2**32


@contextmanager
def opened(file: LandedFile) -> Iterator[BinaryIO]:
    """The file's content, unpacked where it is gzipped.

    Raises LandingError when the file is a damaged or incomplete gzip (also while it is read), and
    FileNotFoundError when it has gone.
    """
    try:
        with file.open() as stream:
            if file.is_gzip:
                with gzip.GzipFile(fileobj=cast("BinaryIO", _Packed(stream))) as unpacked:
                    yield cast("BinaryIO", unpacked)
            else:
                yield stream
    except EOFError:
        raise LandingError("the gzip file ends too early: send it again, whole") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise LandingError(f"not a sound gzip file ({error}): send it again") from None


def examine(file: LandedFile) -> Content:
    """Read ``file`` once, a block at a time. Raises as opened() does, and OSError."""
    digest = blake3()
    with opened(file) as stream:
        if file.is_parquet:
            empty = True
            while block := stream.read(BLOCK):
                digest.update(block)
                empty = False
            return Content(HASH + digest.hexdigest(), empty, False, False, True, True)
        decoder = codecs.getincrementaldecoder("utf-8")()
        is_ascii = is_utf8 = is_plain = empty = True
        has_separator = has_quotes = has_underscores = False
        line_ends: set[bytes] = set()
        length, tail = 0, b""
        while block := stream.read(BLOCK):
            if block.endswith(b"\r"):
                block += stream.read(1)
            digest.update(block)
            length += len(block)
            empty = empty and block.isspace()
            has_quotes = has_quotes or b'"' in block
            has_underscores = has_underscores or b"_" in block
            is_ascii = is_ascii and block.isascii()
            if is_utf8 and not is_ascii:
                try:
                    decoder.decode(block)
                except UnicodeDecodeError:
                    is_utf8 = False
            line_ends |= _line_ends(block)
            # A block without a line end may be part of a line that is too long.
            is_plain = is_plain and (b"\n" in block or len(block) < BLOCK)
            # To search for a single byte is a hundred times as fast, and texts do not hold it.
            if b"\x01" in block or b"\x01" in tail:
                has_separator = has_separator or SEPARATOR.encode() in tail + block
            tail = block[-len(SEPARATOR) :]
        # Some stores pad with zeros, which DuckDB takes for a damaged member.
        if isinstance(stream, gzip.GzipFile) and isinstance(stream.fileobj, _Packed):
            packed = stream.fileobj
            is_plain = is_plain and packed.begins_as_usual() and packed.ends_after(length)
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            is_utf8 = False
    is_text = is_utf8 and not has_separator
    is_plain = is_plain and is_text and line_ends in (set(), {b"\n"}, {b"\r\n"})
    return Content(HASH + digest.hexdigest(), empty, is_text, has_quotes, has_underscores, is_plain)


def _line_ends(block: bytes) -> set[bytes]:
    # Counting is slow next to searching, and most files hold no carriage return at all.
    if b"\r" not in block:
        return {b"\n"} if b"\n" in block else set()
    returns, pairs, feeds = block.count(b"\r"), block.count(b"\r\n"), block.count(b"\n")
    found = {b"\r\n"} if pairs else set()
    found |= {b"\r"} if returns > pairs else set()
    return found | ({b"\n"} if feeds > pairs else set())


def first_lines(file: LandedFile) -> Iterator[bytes]:
    """The lines of a text file, each with a line feed for its end; a line that is longer than a
    block comes in several pieces, all but the last without an end."""
    with opened(file) as stream:
        text = io.TextIOWrapper(stream, encoding="latin-1", newline=None)
        while line := text.readline(BLOCK):
            yield line.encode("latin-1")


def write_plain(file: LandedFile, path: Path) -> bool:
    """Write the text of ``file`` to ``path`` so that it is plain (see Content).

    Lines stay lines: every kind of line end becomes a line feed, what is not UTF-8 or a SEPARATOR
    is told behind DAMAGE, and a line over LINE_LIMIT characters keeps its first LINE_LIMIT + 1.
    Returns whether every line is whole.
    """
    whole = True
    decoder = codecs.getincrementaldecoder("utf-8")(errors=TELL)
    lines = io.IncrementalNewlineDecoder(decoder, translate=True)
    told = _told(SEPARATOR.encode())
    written = 0  # characters of the line that the block before ended in
    kept_back = ""  # what the block before ended in, where that may become a SEPARATOR
    with opened(file) as stream, path.open("w", encoding="utf-8", newline="") as plain:
        ended = False
        while not ended:
            # A quarter of a line's limit: no line that lies within a block can be too long.
            block = stream.read(LINE_LIMIT // 4)
            ended = not block
            text = kept_back + lines.decode(block, final=ended)
            kept_back = "" if ended else _start_of_separator(text)
            text = text[: len(text) - len(kept_back)].replace(SEPARATOR, told)
            head, feed, rest = text.partition("\n")
            room = max(0, LINE_LIMIT + 1 - written)
            plain.write(head[:room])
            whole = whole and len(head) <= room
            written += len(head)
            if feed:
                plain.write(feed + rest)
                written = len(rest) - (rest.rfind("\n") + 1)
    return whole


def _told(damaged: bytes) -> str:
    return DAMAGE + damaged.hex("|").replace("|", "\\x")


def _tell(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    # Many at once: in some files that is nearly all.
    further = NO_TEXT.match(error.object, error.end)
    end = further.end() if further else error.end
    return _told(error.object[error.start : end]), end


TELL = "hm-tell"
"""The way to decode in which bytes that are no text are told behind DAMAGE."""
codecs.register_error(TELL, _tell)


def as_it_came(plain: bytes | memoryview) -> bytes:
    """The bytes of lines of a plain copy before it was made, but for their ends."""
    return _TOLD.sub(lambda told: bytes.fromhex(told[1].decode().replace("\\x", " ")), plain)


_TOLD = re.compile(DAMAGE[0].encode() + rb"((?:\\x[0-9a-f]{2})+)")


def _start_of_separator(text: str) -> str:
    """The longest start of a SEPARATOR that ``text`` ends in."""
    lengths = range(len(SEPARATOR) - 1, 0, -1)
    return next((SEPARATOR[:n] for n in lengths if text.endswith(SEPARATOR[:n])), "")
