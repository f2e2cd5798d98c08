"""Property: whatever is done to a transactions file, every row is loaded or refused, never lost.

Files are made of good rows, whose values are known, and of lines that something happened to, of
which nothing is known but that each is one row.
"""

from __future__ import annotations

import gzip
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hm_platform.landing.accounting import files_that_do_not_add_up
from hm_platform.landing.entry import Entry, from_table
from hm_platform.landing.loading import read_quarantine, read_transactions
from hm_platform.landing.validating import Rules
from hm_platform.landing.zone import LandingZone
from tests.landing.landed import CALENDAR, END, LENIENT, STRICT, TODAY, index, put

COLUMNS = ["t_dat", "customer_id", "article_id", "price", "sales_channel_id"]

Row = tuple[date, str, str, float, int]


@dataclass(frozen=True)
class Line:
    """A line of a file, without its end, and the row it is if that is known."""

    text: bytes
    row: Row | None


# No surrogates, which are no UTF-8; no line ends.
names = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\n") | st.just("\ufffd"),
    min_size=1,
    max_size=12,
).filter(lambda name: bool(name.strip()) and "\x01\x02\x03\x04" not in name)

good_rows: st.SearchStrategy[Row] = st.tuples(
    st.dates(CALENDAR.first_week, TODAY),
    names,
    names,
    st.floats(0, 1e9),
    st.sampled_from([1, 2]),
)


@st.composite
def good_lines(draw: st.DrawFn, delimiter: str, order: list[int]) -> Line:
    row = draw(good_rows)
    texts = [str(row[i]) if i != 3 else repr(row[3]) for i in order]
    quoted = [
        '"' + text.replace('"', '""') + '"'
        if delimiter in text or text.startswith('"') or draw(st.booleans())
        else text
        for text in texts
    ]
    return Line(delimiter.join(quoted).encode(), row)


@st.composite
def mangled_lines(draw: st.DrawFn, delimiter: str, order: list[int]) -> Line:
    text = draw(good_lines(delimiter, order)).text
    position = draw(st.integers(0, len(text)))
    inserted = draw(
        st.one_of(
            st.sampled_from([b'"', b"'", b"\\", delimiter.encode(), b"\xff", b"\x00", b"NULL"]),
            st.sampled_from([b"\xed\xa0\x80", b"\x01\x02\x03\x04", "\ufeff".encode()]),
            st.binary(max_size=6),
        )
    )
    removed = draw(st.integers(0, 8))
    mangled = text[:position] + inserted + text[position + removed :]
    if draw(st.integers(0, 5)) == 0:
        mangled = draw(st.binary(max_size=8))
    return Line(mangled.replace(b"\r", b"").replace(b"\n", b"") or b" ", None)


@st.composite
def files(draw: st.DrawFn) -> tuple[bytes, list[Line]]:
    delimiter = draw(st.sampled_from([",", ",", ";", "\t", "|"]))
    order = draw(st.permutations(range(5)))
    good, mangled = good_lines(delimiter, order), mangled_lines(delimiter, order)
    lines = draw(st.lists(draw(st.sampled_from([good, good | mangled])), max_size=8))
    if draw(st.integers(0, 11)) == 0:
        # So many good ones that by the share a single bad one is none too many.
        lines = draw(st.permutations([*lines, *[draw(good)] * 20 * (len(lines) + 1)]))
    ends = [[b"\n"], [b"\r\n"], [b"\r"], [b"\n", b"\r\n", b"\r", b"\n\n", b"\r\n\n"]]
    end = st.sampled_from(draw(st.sampled_from(ends)))
    header = delimiter.join(COLUMNS[i] for i in order).encode()
    texts = [header, *(each.text for each in lines)]
    content = b"".join(text + draw(end) for text in texts)
    if draw(st.booleans()):
        content = b"\xef\xbb\xbf" + content
    return content, lines


@settings(max_examples=20)
@given(files(), st.booleans())
def test_no_row_is_lost_and_good_rows_are_exact(
    file: tuple[bytes, list[Line]], gzipped: bool
) -> None:
    content, lines = file
    with tempfile.TemporaryDirectory() as folder:
        zone = LandingZone(Path(folder))
        suffix = ".gz" if gzipped else ""
        put(zone, f"transactions/a.csv{suffix}", gzip.compress(content) if gzipped else content)
        lenient, loaded, refused = _read(zone, LENIENT)
        assert lenient.state == "loaded", lenient.reason
        strict, strictly_loaded, listed = _read(zone, STRICT)
    assert lenient.rows == strict.rows == len(lines)
    assert (len(loaded), len(refused)) == (lenient.rows_loaded, lenient.rows_quarantined)
    numbers = sorted(row["row_number"] for row in loaded + refused)
    assert numbers == list(range(1, len(lines) + 1))
    rows = {row["row_number"]: tuple(row[name] for name in COLUMNS) for row in loaded}
    for number, line in enumerate(lines, start=1):
        if line.row is not None:
            assert rows[number] == line.row
        elif not _is_utf8(line.text) or b"\x01\x02\x03\x04" in line.text:
            assert number not in rows
    for row in refused:
        text = lines[row["row_number"] - 1].text.decode(errors="backslashreplace")
        assert row["record"] == text.replace("\x01\x02\x03\x04", r"\x01\x02\x03\x04")
        assert row["reason"]
    # By the rules that files land by, it is the same or nothing, and nothing only past the limit.
    assert (strict.state == "held") == (20 * len(refused) > len(lines))
    assert listed == refused
    assert strictly_loaded == (loaded if strict.state == "loaded" else [])
    assert strict.rows_held == (len(loaded) if strict.state == "held" else 0)


def _read(
    zone: LandingZone, rules: Rules
) -> tuple[Entry, list[dict[str, Any]], list[dict[str, Any]]]:
    """The file's entry, its loaded rows and its refused ones."""
    found = index(zone, rules=rules)
    assert files_that_do_not_add_up(found) == []
    (entry,) = from_table(found)
    loaded = read_transactions(zone, found, CALENDAR.first_week, END).read_all()
    return entry, loaded.to_pylist(), read_quarantine(zone, found).read_all().to_pylist()


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
